// Renders conversations in bulk, for comparison with the official templates
// (tools/reference/chat_fuzz.py): one JSON object a line on standard input,
//   {"format": "gemma4-small", "keep_faults": true, "messages": [...],
//    "tools": [...], "enable_thinking": true, ...}
// and for each one JSON line on standard output, {"text": ...} or
// {"error": ...}.
#include <iostream>
#include <map>
#include <memory>
#include <string>

#include "chat/chat_format.h"
#include "chat/exact_json.h"
#include "chat/messages_json.h"

namespace carat {
namespace {

Result<std::string> RenderLine(const std::string& line) {
  CARAT_ASSIGN_OR_RETURN(const ExactJson root, ExactJson::Parse(line));
  CARAT_ASSIGN_OR_RETURN(const Conversation conversation,
                         ConversationFromJson(line));
  CARAT_ASSIGN_OR_RETURN(const std::unique_ptr<ChatFormat> format,
                         MakeChatFormat(root.StringAt("format")));
  RenderOptions options;
  options.tools = conversation.tools;
  options.think = conversation.think.value_or(false);
  options.preserve_thinking = conversation.preserve_thinking.value_or(false);
  options.ending = conversation.generate.value_or(true)
                       ? PromptEnding::kGenerate
                       : PromptEnding::kNone;
  const ExactJson* keep = root.Find("keep_faults");
  if (keep != nullptr && keep->truthy()) {
    options.faults = TemplateFaults::kKeep;
  }
  CARAT_ASSIGN_OR_RETURN(const RenderedPrompt prompt,
                         format->Render(conversation.messages, options));
  return SegmentsToString(prompt.segments);
}

}  // namespace
}  // namespace carat

int main() {
  std::ios::sync_with_stdio(false);
  std::string line;
  while (std::getline(std::cin, line)) {
    const carat::Result<std::string> text = carat::RenderLine(line);
    carat::ExactJson out = carat::ExactJson::Object();
    if (text.ok()) {
      out.Set("text", carat::ExactJson::String(*text));
    } else {
      out.Set("error", carat::ExactJson::String(text.status().message()));
    }
    std::cout << out.Dump() << '\n';
  }
  return 0;
}
