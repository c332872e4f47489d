// Conversations as JSON, in the OpenAI chat style that files, logs and tools
// use: `carat render messages.json`, and chat's /load and /save. Also read:
// Ollama's "thinking", Google's "tool_responses" and role "model", content and
// results as parts or objects.
#ifndef CARAT_CHAT_MESSAGES_JSON_H_
#define CARAT_CHAT_MESSAGES_JSON_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "carat/message.h"
#include "chat/tools_json.h"

namespace carat {

struct Conversation {
  std::vector<Message> messages;
  std::vector<ToolDeclaration> tools;
  // "enable_thinking", "preserve_thinking", "add_generation_prompt".
  std::optional<bool> think, preserve_thinking, generate;
};

// An array of messages, or an object with "messages" and maybe "tools" and the
// template's switches. Errors name the place: messages[2].tool_calls[0]...
Result<Conversation> ConversationFromJson(std::string_view text);

// The array ConversationFromJson reads; one message a line.
std::string MessagesToJson(std::span<const Message> messages);

}  // namespace carat

#endif  // CARAT_CHAT_MESSAGES_JSON_H_
