#include "cli/transcript.h"

#include <fmt/format.h>

#include <utility>

#include "base/utf8.h"
#include "cli/read_file.h"

namespace carat {
namespace {

Json MessageToJson(const char* role, const std::string& content) {
  Json out = Json::MakeObject();
  out.Set("role", role);
  out.Set("content", SanitizeUtf8(content));
  return out;
}

}  // namespace

std::vector<Message> Transcript::WithSystem() const {
  std::vector<Message> out;
  if (!system.empty()) out.emplace_back(Role::kSystem, system);
  out.insert(out.end(), messages.begin(), messages.end());
  return out;
}

Json TranscriptToJson(const Transcript& transcript) {
  Json messages = Json::MakeArray();
  for (const Message& message : transcript.WithSystem()) {
    messages.Append(MessageToJson(RoleName(message.role), message.text()));
  }
  Json out = Json::MakeObject();
  out.Set("messages", std::move(messages));
  return out;
}

Result<Transcript> TranscriptFromJson(const Json& json) {
  const Json* messages = json.Find("messages");
  if (messages == nullptr || !messages->is_array()) {
    return Malformed("there is no list \"messages\"");
  }
  Transcript out;
  size_t number = 0;
  for (const Json& message : messages->as_array()) {
    ++number;
    const Json* role = message.Find("role");
    const Json* content = message.Find("content");
    if (role == nullptr || !role->is_string() || content == nullptr ||
        !content->is_string()) {
      return Malformed(fmt::format(
          "message {} lacks a text \"role\" or \"content\"", number));
    }
    if (role->as_string() == "system" && number == 1) {
      out.system = content->as_string();
    } else if (role->as_string() == "user") {
      out.messages.emplace_back(Role::kUser, content->as_string());
    } else if (role->as_string() == "assistant") {
      out.messages.emplace_back(Role::kAssistant, content->as_string());
    } else {
      return Malformed(fmt::format(
          "message {} has the role {}; expected user or assistant (or system, "
          "first)",
          number, QuoteForMessage(role->as_string())));
    }
  }
  return out;
}

Result<Transcript> ReadTranscript(const std::string& path) {
  CARAT_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path));
  Result<Json> json = Json::Parse(text);
  if (!json.ok()) return json.status().WithContext(path);
  Result<Transcript> out = TranscriptFromJson(*json);
  return out.ok() ? std::move(out) : out.status().WithContext(path);
}

}  // namespace carat
