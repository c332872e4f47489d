// A request's body as JSON.
#ifndef CARAT_API_BODY_H_
#define CARAT_API_BODY_H_

#include "api/http.h"
#include "base/json.h"
#include "base/status.h"

namespace carat {

// The body, which must be a JSON object. Errors: kInvalidArgument.
Result<Json> ReadJsonObject(const HttpRequest& request);

}  // namespace carat

#endif  // CARAT_API_BODY_H_
