// tools.json on the command line: what the model may call and, for `carat
// chat --allow-tools`, the program that answers a call:
//
//   {"name": "weather", "description": "...", "parameters": {...},
//    "command": ["./weather.py", "--short"],
//    "timeout_s": 30, "max_output_bytes": 65536}
//
// The command is an argument vector, not a line for a shell: what the model
// writes never becomes part of it. The call's arguments come to the program as
// one JSON object on its standard input, its standard output is the result.
#ifndef CARAT_CLI_TOOLS_FILE_H_
#define CARAT_CLI_TOOLS_FILE_H_

#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "carat/message.h"
#include "cli/tool_command.h"

namespace carat {

struct ToolsFile {
  std::vector<ToolDeclaration> declarations;
  std::map<std::string, ToolCommand> commands;  // by the tool's name
};

// "-" is stdin. Errors name the file and the place in it.
Result<ToolsFile> ReadToolsFile(const std::string& path);

}  // namespace carat

#endif  // CARAT_CLI_TOOLS_FILE_H_
