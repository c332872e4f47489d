// The options of `run` and `chat` that say what an answer may be made of:
// thoughts, calls of declared tools, JSON of a schema, text of a grammar.
#ifndef CARAT_CLI_SHAPE_OPTIONS_H_
#define CARAT_CLI_SHAPE_OPTIONS_H_

#include <optional>
#include <string>

#include "base/status.h"
#include "carat/request.h"
#include "chat/chat_format.h"
#include "cli/tools_file.h"

namespace CLI {
class App;
}  // namespace CLI

namespace carat {

struct ShapeArguments {
  std::string think;        // "": off; "true": on; else a budget in tokens
  std::string tools;        // a file
  std::string tool_choice;  // auto, none, required or NAME[,NAME]
  std::string schema;       // a file
  std::string grammar;      // a file
  bool show_thoughts = false;
};

void AddShapeOptions(CLI::App& command, ShapeArguments* arguments);

// The same with the files read.
struct AnswerShape {
  std::optional<int64_t> think;  // budget in tokens; -1: none
  ToolsFile tools;
  ToolChoice tool_choice;
  OutputConstraint constraint;

  // Errors: thinking or tools that the model's format does not know.
  Status Apply(const ChatFormat& format, GenerateRequest* request) const;
};

// Reads the files; errors name the option or the file.
Result<AnswerShape> ReadShape(const ShapeArguments& arguments);

}  // namespace carat

#endif  // CARAT_CLI_SHAPE_OPTIONS_H_
