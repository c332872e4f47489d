// Answers that ended without being one.
#ifndef CARAT_API_FAILURE_H_
#define CARAT_API_FAILURE_H_

#include "base/status.h"
#include "carat/request.h"

namespace carat {

// OK for an answer that the client can use, also a cut one; else what went
// wrong: an error in the engine, a tool call that cannot be read, a server
// that is going down.
Status FailureOf(const Done& done);

}  // namespace carat

#endif  // CARAT_API_FAILURE_H_
