// Answers the calls a model makes in `carat chat`: by the tool's own program,
// each time with the person's consent, or by what the person types.
#ifndef CARAT_CLI_CHAT_TOOLS_H_
#define CARAT_CLI_CHAT_TOOLS_H_

#include <vector>

#include "carat/message.h"
#include "cli/line_editor.h"
#include "cli/tools_file.h"

namespace carat {

// Whether programs may run at all (--allow-tools).
enum class ToolPrograms { kForbidden, kAskEachTime };

class ChatTools {
 public:
  // `tools` and `editor` outlive it.
  ChatTools(const ToolsFile& tools, ToolPrograms programs, LineEditor& editor)
      : tools_(tools), programs_(programs), editor_(editor) {}

  // One result a call, in order. `go_on` becomes false when the person wants
  // no more (Ctrl-C, the end of the input): the calls left are answered with
  // an error.
  Message Answer(const std::vector<ToolCall>& calls, bool* go_on);

 private:
  ToolResult AnswerOne(const ToolCall& call, bool* go_on);
  ToolResult AskForResult(const ToolCall& call, bool* go_on);
  ToolResult Run(const ToolCall& call, const ToolCommand& command);

  const ToolsFile& tools_;
  const ToolPrograms programs_;
  LineEditor& editor_;
};

}  // namespace carat

#endif  // CARAT_CLI_CHAT_TOOLS_H_
