#include <fmt/format.h>

#include <utility>

#include "api/openai/read_parts.h"
#include "api/volatile_lines.h"
#include "base/utf8.h"

namespace carat {
namespace {

Result<Role> ReadRole(const std::string& name, const std::string& where) {
  constexpr std::pair<std::string_view, Role> kRoles[] = {
      {"system", Role::kSystem}, {"developer", Role::kDeveloper},
      {"user", Role::kUser},     {"assistant", Role::kAssistant},
      {"tool", Role::kTool},     {"function", Role::kTool}};
  for (const auto& [known, role] : kRoles) {
    if (name == known) return role;
  }
  return InvalidArgument(
      fmt::format("'{}.role' must be system, developer, user, assistant, tool "
                  "or function, found {}.",
                  where, QuoteForMessage(name)));
}

// What a part that carries no text is, for the error; empty: nothing known.
std::string_view MediaWord(std::string_view type) {
  constexpr std::pair<std::string_view, std::string_view> kWords[] = {
      {"image_url", "an image"},  {"input_image", "an image"},
      {"image", "an image"},      {"input_audio", "audio"},
      {"audio_url", "audio"},     {"audio", "audio"},
      {"input_video", "a video"}, {"video_url", "a video"},
      {"video", "a video"},       {"file", "a file"},
      {"input_file", "a file"}};
  for (const auto& [known, word] : kWords) {
    if (type == known) return word;
  }
  return {};
}

Status ReadPart(const Json& part, const std::string& where,
                std::vector<Part>* parts) {
  Fields fields(part, where);
  CARAT_RETURN_IF_ERROR(fields.status());
  const std::string type = fields.String("type").value_or("text");
  CARAT_RETURN_IF_ERROR(fields.status());
  const bool refusal = type == "refusal";
  if (type == "text" || type == "input_text" || type == "output_text" ||
      type == "summary_text" || type == "reasoning_text" || refusal) {
    const auto text = fields.String(refusal ? "refusal" : "text");
    if (!text) fields.Fail(refusal ? "refusal" : "text", "a string");
    CARAT_RETURN_IF_ERROR(fields.status());
    parts->emplace_back(Text{*text});
    return OkStatus();
  }
  if (const std::string_view word = MediaWord(type); !word.empty()) {
    return Unsupported(fmt::format(
        "'{}' is {} ({}), and this server reads text only; send text, or "
        "remove the part.",
        where, word, type));
  }
  return InvalidArgument(fmt::format("'{}.type' must be text, found {}.", where,
                                     QuoteForMessage(type)));
}

Status ReadCall(const Json& json, const std::string& where, ToolCall* call) {
  Fields fields(json, where);
  call->id = fields.String("id").value_or("");
  const std::string type = fields.String("type").value_or("function");
  CARAT_RETURN_IF_ERROR(fields.status());
  if (type != "function") {
    return Unsupported(fmt::format("'{}.type' must be function, found {}.",
                                   where, QuoteForMessage(type)));
  }
  const Json* inner = fields.Object("function");
  if (inner == nullptr) fields.Fail("function", "an object");
  CARAT_RETURN_IF_ERROR(fields.status());
  Fields function(*inner, where + ".function");
  call->name = function.String("name").value_or("");
  if (call->name.empty()) function.Fail("name", "a non-empty string");
  // Some clients keep them as the object they parsed.
  const Json* arguments = function.Any("arguments");
  if (arguments != nullptr) {
    call->arguments =
        arguments->is_string() ? arguments->as_string() : arguments->Dump();
  }
  return function.status();
}

Status ReadAssistant(Fields* fields, const std::string& where,
                     Message* message) {
  std::string thought = fields->String("reasoning_content").value_or("");
  if (thought.empty()) thought = fields->String("reasoning").value_or("");
  CARAT_RETURN_IF_ERROR(fields->status());
  if (!thought.empty()) message->parts.emplace_back(Thought{thought});
  if (const Json* content = fields->Any("content")) {
    CARAT_RETURN_IF_ERROR(
        ReadContent(*content, where + ".content", &message->parts));
  }
  if (const auto refusal = fields->String("refusal")) {
    message->parts.emplace_back(Text{*refusal});
  }
  if (const Json* calls = fields->Array("tool_calls")) {
    for (size_t i = 0; i < calls->as_array().size(); ++i) {
      ToolCall call;
      CARAT_RETURN_IF_ERROR(ReadCall(calls->as_array()[i],
                                     fmt::format("{}.tool_calls[{}]", where, i),
                                     &call));
      message->parts.emplace_back(std::move(call));
    }
  }
  if (const Json* legacy = fields->Object("function_call")) {
    Fields function(*legacy, where + ".function_call");
    ToolCall call;
    call.name = function.String("name").value_or("");
    call.arguments = function.String("arguments").value_or("");
    CARAT_RETURN_IF_ERROR(function.status());
    message->parts.emplace_back(std::move(call));
  }
  return fields->status();
}

Status ReadToolMessage(Fields* fields, const std::string& where,
                       Message* message) {
  ToolResult result;
  result.call_id = fields->String("tool_call_id").value_or("");
  result.name = fields->String("name").value_or("");
  if (const Json* content = fields->Any("content")) {
    CARAT_RETURN_IF_ERROR(
        ReadResultContent(*content, where + ".content", &result.content));
  }
  message->parts.emplace_back(std::move(result));
  return fields->status();
}

}  // namespace

Status ReadContent(const Json& content, const std::string& where,
                   std::vector<Part>* parts) {
  if (content.is_string()) {
    if (!content.as_string().empty()) {
      parts->emplace_back(Text{content.as_string()});
    }
    return OkStatus();
  }
  if (!content.is_array()) {
    return InvalidArgument(
        fmt::format("'{}' must be a string or an array of parts, found {}.",
                    where, content.type_name()));
  }
  const Json::Array& list = content.as_array();
  for (size_t i = 0; i < list.size(); ++i) {
    CARAT_RETURN_IF_ERROR(
        ReadPart(list[i], fmt::format("{}[{}]", where, i), parts));
  }
  return OkStatus();
}

Status ReadResultContent(const Json& content, const std::string& where,
                         std::string* text) {
  std::vector<Part> parts;
  CARAT_RETURN_IF_ERROR(ReadContent(content, where, &parts));
  for (const Part& part : parts) *text += std::get<Text>(part).text;
  return OkStatus();
}

Result<std::vector<Message>> ReadChatMessages(const Json& list) {
  std::vector<Message> messages;
  for (size_t i = 0; i < list.as_array().size(); ++i) {
    const std::string where = fmt::format("messages[{}]", i);
    Fields fields(list.as_array()[i], where);
    const auto role_name = fields.String("role");
    if (!role_name) fields.Fail("role", "a string");
    CARAT_RETURN_IF_ERROR(fields.status());
    CARAT_ASSIGN_OR_RETURN(const Role role, ReadRole(*role_name, where));
    Message message;
    message.role = role;
    if (role == Role::kTool) {
      CARAT_RETURN_IF_ERROR(ReadToolMessage(&fields, where, &message));
    } else if (role == Role::kAssistant) {
      CARAT_RETURN_IF_ERROR(ReadAssistant(&fields, where, &message));
    } else {
      const Json* content = fields.Any("content");
      if (content == nullptr) {
        return InvalidArgument(fmt::format(
            "'{}.content' must be a string or an array of parts, found "
            "nothing.",
            where));
      }
      CARAT_RETURN_IF_ERROR(
          ReadContent(*content, where + ".content", &message.parts));
    }
    messages.push_back(std::move(message));
  }
  DropVolatileLines(&messages);
  if (messages.empty()) {
    return InvalidArgument("'messages' holds nothing for the model.");
  }
  return messages;
}

}  // namespace carat
