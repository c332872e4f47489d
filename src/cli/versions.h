// What this program was built from and with.
#ifndef CARAT_CLI_VERSIONS_H_
#define CARAT_CLI_VERSIONS_H_

#include "base/json.h"

namespace carat {

// An object of strings: carat, compiler, fmt, ...
Json Versions();

}  // namespace carat

#endif  // CARAT_CLI_VERSIONS_H_
