// Options of a command from a file: one "name = value" a line, names as on the
// command line without "--", which itself wins.
#ifndef CARAT_CLI_CONFIG_FILE_H_
#define CARAT_CLI_CONFIG_FILE_H_

#include <string>

#include "base/status.h"

namespace CLI {
class App;
}  // namespace CLI

namespace carat {

// Sets those options of `command` that were not given. Errors name the file
// and the option.
Status ApplyConfigFile(const std::string& path, CLI::App* command);

}  // namespace carat

#endif  // CARAT_CLI_CONFIG_FILE_H_
