// Runs the program behind a tool: no shell, a process group of its own, a time
// limit and a limit on what it may write.
#ifndef CARAT_CLI_TOOL_COMMAND_H_
#define CARAT_CLI_TOOL_COMMAND_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace carat {

struct ToolCommand {
  std::vector<std::string> argv;  // the program first; found through PATH
  int64_t timeout_seconds = 30;
  int64_t max_output_bytes = 64 << 10;
};

struct ToolOutput {
  std::string text;    // of its standard output, at most max_output_bytes
  std::string errors;  // the end of what it wrote to standard error
  int exit_code = 0;   // 128 + N when signal N ended it
  bool timed_out = false;
  bool cut = false;          // it wrote more than the limit
  bool interrupted = false;  // Ctrl-C ended it
};

// Waits for the program to end; whatever it started is ended with it. Errors:
// a program that cannot be started.
Result<ToolOutput> RunToolCommand(const ToolCommand& command,
                                  std::string_view input);

// The vector as a person would type it for a shell.
std::string QuoteCommand(const std::vector<std::string>& argv);

}  // namespace carat

#endif  // CARAT_CLI_TOOL_COMMAND_H_
