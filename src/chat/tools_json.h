// Tool declarations as JSON, in the shapes that people have them in: OpenAI's
// {"type":"function","function":{...}} and the function object alone, Google's
// {"functionDeclarations":[...]}, and Anthropic's "input_schema".
#ifndef CARAT_CHAT_TOOLS_JSON_H_
#define CARAT_CHAT_TOOLS_JSON_H_

#include <string_view>
#include <vector>

#include "base/status.h"
#include "carat/message.h"
#include "chat/exact_json.h"

namespace carat {

struct DeclaredTool {
  ToolDeclaration declaration;
  // The function object as it was read, and what was written beside it, as
  // one object: for members that are no business of the model.
  ExactJson source;
};

// A list of tools, or an object with the list as its "tools" or
// "functionDeclarations". Errors name the place: tools[2].name ...
Result<std::vector<DeclaredTool>> DeclaredToolsFromJson(const ExactJson& root);

// The declarations alone, from text.
Result<std::vector<ToolDeclaration>> ToolsFromJson(std::string_view text);

}  // namespace carat

#endif  // CARAT_CHAT_TOOLS_JSON_H_
