// Whole files that a person names on the command line.
#ifndef CARAT_CLI_READ_FILE_H_
#define CARAT_CLI_READ_FILE_H_

#include <string>

#include "base/status.h"

namespace carat {

// "-" is stdin. Errors: not found, a folder, unreadable.
Result<std::string> ReadTextFile(const std::string& path);

}  // namespace carat

#endif  // CARAT_CLI_READ_FILE_H_
