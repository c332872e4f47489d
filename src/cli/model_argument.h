// MODEL on the command line: a path, or a name that the store knows.
#ifndef CARAT_CLI_MODEL_ARGUMENT_H_
#define CARAT_CLI_MODEL_ARGUMENT_H_

#include <string>

#include "base/status.h"

namespace carat {

// The path to open.
Result<std::string> FindModel(const std::string& argument);

}  // namespace carat

#endif  // CARAT_CLI_MODEL_ARGUMENT_H_
