#include "cli/transcript.h"

#include <utility>

#include "base/utf8.h"
#include "chat/messages_json.h"
#include "cli/read_file.h"

namespace carat {
namespace {

// A model may write any bytes; a JSON file is UTF-8.
void Repair(Message* message) {
  for (Part& part : message->parts) {
    if (Text* text = std::get_if<Text>(&part)) {
      text->text = SanitizeUtf8(text->text);
    } else if (Thought* thought = std::get_if<Thought>(&part)) {
      thought->text = SanitizeUtf8(thought->text);
    } else if (ToolCall* call = std::get_if<ToolCall>(&part)) {
      call->name = SanitizeUtf8(call->name);
      call->arguments = SanitizeUtf8(call->arguments);
    } else if (ToolResult* result = std::get_if<ToolResult>(&part)) {
      result->name = SanitizeUtf8(result->name);
      result->content = SanitizeUtf8(result->content);
    }
  }
}

}  // namespace

std::vector<Message> Transcript::WithSystem() const {
  std::vector<Message> out;
  if (!system.empty()) out.emplace_back(Role::kSystem, system);
  out.insert(out.end(), messages.begin(), messages.end());
  return out;
}

std::string TranscriptToJson(const Transcript& transcript) {
  std::vector<Message> messages = transcript.WithSystem();
  for (Message& message : messages) Repair(&message);
  return "{\"messages\":" + MessagesToJson(messages) + "}\n";
}

Result<Transcript> TranscriptFromJson(std::string_view text) {
  CARAT_ASSIGN_OR_RETURN(Conversation conversation, ConversationFromJson(text));
  Transcript out;
  out.messages = std::move(conversation.messages);
  if (!out.messages.empty() && out.messages[0].role == Role::kSystem) {
    out.system = out.messages[0].text();
    out.messages.erase(out.messages.begin());
  }
  return out;
}

Result<Transcript> ReadTranscript(const std::string& path) {
  CARAT_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path));
  Result<Transcript> out = TranscriptFromJson(text);
  return out.ok() ? std::move(out) : out.status().WithContext(path);
}

}  // namespace carat
