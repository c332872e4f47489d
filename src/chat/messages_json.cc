#include "chat/messages_json.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "base/utf8.h"
#include "chat/exact_json.h"
#include "chat/tools_json.h"

namespace carat {
namespace {

Status Wrong(const std::string& where, std::string_view expected,
             const ExactJson* found) {
  return InvalidArgument(fmt::format(
      "{} must be {}, but {}.", where, expected,
      found == nullptr ? "it is missing"
                       : fmt::format("it is of type {}", found->kind_name())));
}

Result<Role> RoleFromJson(const ExactJson& message, const std::string& where) {
  const ExactJson* role = message.Find("role");
  if (role == nullptr || !role->is_string()) {
    return Wrong(where + ".role", "a string", role);
  }
  constexpr std::pair<std::string_view, Role> kRoles[] = {
      {"system", Role::kSystem},   {"developer", Role::kDeveloper},
      {"user", Role::kUser},       {"assistant", Role::kAssistant},
      {"model", Role::kAssistant}, {"tool", Role::kTool},
      {"function", Role::kTool}};
  for (const auto& [name, value] : kRoles) {
    if (role->text == name) return value;
  }
  return InvalidArgument(
      fmt::format("{}.role is {}; known roles are system, developer, user, "
                  "assistant, model and tool.",
                  where, QuoteForMessage(role->text)));
}

// A media part's address: {"image_url": {"url": ..}}, {"image_url": ".."},
// {"url": ..} or {"path": ..}; inline audio becomes a data URL.
Media MediaFromJson(const ExactJson& part, std::string_view type,
                    MediaKind kind) {
  Media media;
  media.kind = kind;
  const ExactJson* inner = part.Find(type);
  if (inner == nullptr) inner = &part;
  if (inner->is_string()) {
    media.uri = inner->text;
    return media;
  }
  media.uri = inner->StringAt("url");
  if (media.uri.empty()) media.uri = inner->StringAt("path");
  const std::string_view data = inner->StringAt("data");
  if (media.uri.empty() && !data.empty()) {
    std::string_view format = inner->StringAt("format");
    if (format.empty()) format = "wav";
    media.uri = fmt::format("data:audio/{};base64,{}", format, data);
  }
  return media;
}

Result<Part> PartFromJson(const ExactJson& part, const std::string& where) {
  const std::string_view type = part.StringAt("type");
  if (type == "text" || type == "input_text" || type == "output_text") {
    return Part(Text{std::string(part.StringAt("text"))});
  }
  if (type == "image" || type == "image_url" || type == "input_image") {
    return Part(MediaFromJson(part, type, MediaKind::kImage));
  }
  if (type == "audio" || type == "input_audio" || type == "audio_url") {
    return Part(MediaFromJson(part, type, MediaKind::kAudio));
  }
  if (type == "video" || type == "video_url" || type == "input_video") {
    return Part(MediaFromJson(part, type, MediaKind::kVideo));
  }
  return InvalidArgument(fmt::format(
      "{} has the type {}; known types are text, image, image_url, audio, "
      "input_audio, video and video_url.",
      where, QuoteForMessage(type)));
}

Result<std::vector<Part>> ContentFromJson(const ExactJson* content,
                                          const std::string& where) {
  std::vector<Part> parts;
  if (content == nullptr || content->is_null()) return parts;
  if (content->is_string()) {
    if (!content->text.empty()) parts.emplace_back(Text{content->text});
    return parts;
  }
  if (!content->is_array()) {
    return Wrong(where, "a string, null or a list of parts", content);
  }
  for (size_t i = 0; i < content->items.size(); ++i) {
    CARAT_ASSIGN_OR_RETURN(
        Part part,
        PartFromJson(content->items[i], fmt::format("{}[{}]", where, i)));
    parts.push_back(std::move(part));
  }
  return parts;
}

Result<ToolCall> CallFromJson(const ExactJson& call, const std::string& where) {
  ToolCall result;
  result.id = call.StringAt("id");
  const ExactJson* function = call.Find("function");
  if (function == nullptr) function = &call;
  result.name = function->StringAt("name");
  if (result.name.empty()) {
    return Wrong(where + ".function.name", "a non-empty string",
                 function->Find("name"));
  }
  const ExactJson* given = function->Find("arguments");
  if (given == nullptr || given->is_null()) return result;
  if (given->is_object()) {
    result.arguments = given->Dump();
    return result;
  }
  const std::string place = where + ".function.arguments";
  if (!given->is_string()) return Wrong(place, "a JSON object", given);
  if (given->text.empty()) return result;
  Result<ExactJson> parsed = ExactJson::Parse(given->text);
  if (!parsed.ok()) {
    return InvalidArgument(
        fmt::format("{} must hold a JSON object, but it is {}", place,
                    parsed.status().message()));
  }
  if (parsed->is_null()) return result;
  if (!parsed->is_object()) {
    return Wrong(place, "the text of a JSON object", &*parsed);
  }
  result.arguments = parsed->Dump();
  return result;
}

// The body of a tool message: text, parts, or a JSON value shown as it is.
Status ResultBody(const ExactJson* content, const std::string& where,
                  ToolResult* result) {
  if (content == nullptr || content->is_null()) {
    result->json = "null";
  } else if (content->is_string()) {
    result->content = content->text;
  } else if (content->is_array()) {
    CARAT_ASSIGN_OR_RETURN(std::vector<Part> parts,
                           ContentFromJson(content, where));
    for (Part& part : parts) {
      if (Text* text = std::get_if<Text>(&part)) {
        result->content += text->text;
      } else {
        result->media.push_back(std::get<Media>(std::move(part)));
      }
    }
  } else {
    result->json = content->Dump();
  }
  return OkStatus();
}

Result<Message> ToolMessage(const ExactJson& message,
                            const std::string& where) {
  ToolResult result;
  result.call_id = message.StringAt("tool_call_id");
  result.name = message.StringAt("name");
  if (result.name.empty()) result.name = message.StringAt("tool_name");
  CARAT_RETURN_IF_ERROR(
      ResultBody(message.Find("content"), where + ".content", &result));
  return Message(Role::kTool, std::vector<Part>{Part(std::move(result))});
}

std::string_view ThoughtOf(const ExactJson& message) {
  for (const std::string_view key :
       {"reasoning", "reasoning_content", "thinking"}) {
    const std::string_view text = message.StringAt(key);
    if (!text.empty()) return text;
  }
  return {};
}

// Google's own shape keeps results on the assistant message; they become a
// tool message behind it, and the text behind those goes on in a message of
// its own.
Status AddGoogleResults(const ExactJson& list, const std::string& where,
                        std::vector<Part> content, std::vector<Message>* out) {
  if (!list.is_array()) return Wrong(where, "a list", &list);
  Message results(Role::kTool, std::vector<Part>());
  for (const ExactJson& item : list.items) {
    ToolResult result;
    result.name = item.StringAt("name");
    const ExactJson* response = item.Find("response");
    if (response != nullptr && response->is_string()) {
      result.content = response->text;
    } else {
      result.json = response == nullptr ? "null" : response->Dump();
    }
    results.parts.emplace_back(std::move(result));
  }
  if (!results.parts.empty()) out->push_back(std::move(results));
  if (!content.empty()) out->emplace_back(Role::kAssistant, std::move(content));
  return OkStatus();
}

Status AddMessage(const ExactJson& json, const std::string& where,
                  std::vector<Message>* out) {
  if (!json.is_object()) return Wrong(where, "an object", &json);
  CARAT_ASSIGN_OR_RETURN(const Role role, RoleFromJson(json, where));
  if (role == Role::kTool) {
    CARAT_ASSIGN_OR_RETURN(Message message, ToolMessage(json, where));
    out->push_back(std::move(message));
    return OkStatus();
  }
  Message message;
  message.role = role;
  if (const std::string_view thought = ThoughtOf(json); !thought.empty()) {
    message.parts.emplace_back(Thought{std::string(thought)});
  }
  CARAT_ASSIGN_OR_RETURN(
      std::vector<Part> content,
      ContentFromJson(json.Find("content"), where + ".content"));
  const ExactJson* results = json.Find("tool_responses");
  const bool google = results != nullptr && results->truthy();
  if (!google) {
    for (Part& part : content) message.parts.push_back(std::move(part));
  }
  const ExactJson* calls = json.Find("tool_calls");
  if (calls != nullptr && !calls->is_null()) {
    if (!calls->is_array())
      return Wrong(where + ".tool_calls", "a list", calls);
    for (size_t i = 0; i < calls->items.size(); ++i) {
      CARAT_ASSIGN_OR_RETURN(
          ToolCall call,
          CallFromJson(calls->items[i],
                       fmt::format("{}.tool_calls[{}]", where, i)));
      message.parts.emplace_back(std::move(call));
    }
  }
  out->push_back(std::move(message));
  if (!google) return OkStatus();
  return AddGoogleResults(*results, where + ".tool_responses",
                          std::move(content), out);
}

std::optional<bool> SwitchAt(const ExactJson& root, std::string_view key) {
  const ExactJson* value = root.Find(key);
  if (value == nullptr || !value->is_bool()) return std::nullopt;
  return value->flag;
}

ExactJson MediaToJson(const Media& media) {
  ExactJson part = ExactJson::Object();
  constexpr const char* kTypes[] = {"image", "audio", "video"};
  part.Set("type", ExactJson::String(kTypes[static_cast<size_t>(media.kind)]));
  if (!media.uri.empty()) part.Set("url", ExactJson::String(media.uri));
  return part;
}

ExactJson ResultToJson(const ToolResult& result) {
  ExactJson message = ExactJson::Object();
  message.Set("role", ExactJson::String("tool"));
  if (!result.call_id.empty()) {
    message.Set("tool_call_id", ExactJson::String(result.call_id));
  }
  if (!result.name.empty()) {
    message.Set("name", ExactJson::String(result.name));
  }
  ExactJson content = ExactJson::String(result.content);
  if (!result.json.empty()) {
    Result<ExactJson> value = ExactJson::Parse(result.json);
    // Lists and strings would read back as parts and plain text.
    if (value.ok() && (value->is_object() || value->is_null())) {
      content = std::move(*value);
    } else {
      content = ExactJson::String(result.json);
    }
  } else if (!result.media.empty()) {
    ExactJson parts = ExactJson::Array();
    ExactJson text = ExactJson::Object();
    text.Set("type", ExactJson::String("text"));
    text.Set("text", std::move(content));
    parts.items.push_back(std::move(text));
    for (const Media& media : result.media) {
      parts.items.push_back(MediaToJson(media));
    }
    content = std::move(parts);
  }
  message.Set("content", std::move(content));
  return message;
}

ExactJson CallToJson(const ToolCall& call) {
  ExactJson function = ExactJson::Object();
  function.Set("name", ExactJson::String(call.name));
  function.Set("arguments", ExactJson::String(call.arguments));
  ExactJson json = ExactJson::Object();
  if (!call.id.empty()) json.Set("id", ExactJson::String(call.id));
  json.Set("type", ExactJson::String("function"));
  json.Set("function", std::move(function));
  return json;
}

ExactJson MessageToJson(const Message& message) {
  ExactJson parts = ExactJson::Array();
  ExactJson calls = ExactJson::Array();
  bool only_text = true;
  for (const Part& part : message.parts) {
    if (const Text* text = std::get_if<Text>(&part)) {
      ExactJson item = ExactJson::Object();
      item.Set("type", ExactJson::String("text"));
      item.Set("text", ExactJson::String(text->text));
      parts.items.push_back(std::move(item));
    } else if (const Media* media = std::get_if<Media>(&part)) {
      parts.items.push_back(MediaToJson(*media));
      only_text = false;
    } else if (const ToolCall* call = std::get_if<ToolCall>(&part)) {
      calls.items.push_back(CallToJson(*call));
    }
  }
  ExactJson json = ExactJson::Object();
  json.Set("role", ExactJson::String(RoleName(message.role)));
  if (std::string thought = message.thought(); !thought.empty()) {
    json.Set("reasoning_content", ExactJson::String(std::move(thought)));
  }
  const bool as_string = only_text && parts.items.size() <= 1;
  json.Set("content",
           as_string ? ExactJson::String(message.text()) : std::move(parts));
  if (!calls.items.empty()) json.Set("tool_calls", std::move(calls));
  return json;
}

}  // namespace

Result<Conversation> ConversationFromJson(std::string_view text) {
  Result<ExactJson> parsed = ExactJson::Parse(text);
  if (!parsed.ok()) {
    return parsed.status().WithContext("The messages cannot be read");
  }
  const ExactJson& root = *parsed;
  const ExactJson* list = root.is_object() ? root.Find("messages") : &root;
  if (list == nullptr || !list->is_array()) {
    return Wrong("messages", "a list of messages", list);
  }
  Conversation result;
  for (size_t i = 0; i < list->items.size(); ++i) {
    CARAT_RETURN_IF_ERROR(AddMessage(
        list->items[i], fmt::format("messages[{}]", i), &result.messages));
  }
  if (const ExactJson* tools = root.Find("tools")) {
    CARAT_ASSIGN_OR_RETURN(std::vector<DeclaredTool> declared,
                           DeclaredToolsFromJson(*tools));
    for (DeclaredTool& tool : declared) {
      result.tools.push_back(std::move(tool.declaration));
    }
  }
  result.think = SwitchAt(root, "enable_thinking");
  result.preserve_thinking = SwitchAt(root, "preserve_thinking");
  result.generate = SwitchAt(root, "add_generation_prompt");
  return result;
}

std::string MessagesToJson(std::span<const Message> messages) {
  std::string out = "[";
  auto add = [&out](const ExactJson& json) {
    out += out.size() > 1 ? ",\n" : "\n";
    json.DumpTo(&out);
  };
  for (const Message& message : messages) {
    if (message.role != Role::kTool) {
      add(MessageToJson(message));
      continue;
    }
    for (const Part& part : message.parts) {
      const ToolResult* result = std::get_if<ToolResult>(&part);
      if (result != nullptr) add(ResultToJson(*result));
    }
  }
  return out + "\n]\n";
}

}  // namespace carat
