#include <fmt/format.h>

#include <utility>

#include "api/base64.h"
#include "api/fields.h"
#include "api/ollama/read_request.h"
#include "api/volatile_lines.h"
#include "base/utf8.h"

namespace carat {
namespace {

std::string Lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

Result<Role> RoleOf(Fields& message) {
  const std::string name = message.String("role").value_or("");
  CARAT_RETURN_IF_ERROR(message.status());
  const std::string role = Lower(name);
  if (role == "user") return Role::kUser;
  if (role == "assistant") return Role::kAssistant;
  if (role == "system") return Role::kSystem;
  if (role == "developer") return Role::kDeveloper;
  if (role == "tool") return Role::kTool;
  return InvalidArgument(
      fmt::format("'{}' is {}; known roles are system, user, assistant and "
                  "tool.",
                  message.Path("role"), QuoteForMessage(name)));
}

// Ollama has no field for sound: it is recognised by its first bytes.
MediaKind KindOf(std::string_view bytes) {
  const auto at = [&](size_t i) {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0u;
  };
  const bool wave = bytes.starts_with("RIFF") && bytes.size() >= 12 &&
                    bytes.substr(8, 4) == "WAVE";
  const bool mp3 =
      bytes.starts_with("ID3") || (at(0) == 0xFF && (at(1) & 0xE6) == 0xE2);
  return wave || mp3 ? MediaKind::kAudio : MediaKind::kImage;
}

Result<ToolCall> ReadCall(const Json& json, const std::string& where) {
  Fields fields(json, where);
  ToolCall call;
  call.id = fields.String("id").value_or("");
  const Json* found = fields.Object("function");
  CARAT_RETURN_IF_ERROR(fields.status());
  if (found == nullptr) {
    fields.Fail("function", "an object");
    return fields.status();
  }
  Fields function(*found, where + ".function");
  call.name = function.String("name").value_or("");
  if (call.name.empty()) function.Fail("name", "the name of a function");
  if (const Json* arguments = function.Object("arguments")) {
    call.arguments = arguments->Dump();
  }
  CARAT_RETURN_IF_ERROR(function.status());
  return call;
}

Status ReadMessage(const Json& json, const std::string& where,
                   const ModelTraits& traits, std::vector<Message>* out) {
  Fields fields(json, where);
  CARAT_RETURN_IF_ERROR(fields.status());
  CARAT_ASSIGN_OR_RETURN(const Role role, RoleOf(fields));
  const std::string content = fields.String("content").value_or("");
  const std::string thinking = fields.String("thinking").value_or("");
  const Json* images = fields.Array("images");
  const Json* calls = fields.Array("tool_calls");
  if (role == Role::kTool) {
    ToolResult result;
    result.call_id = fields.String("tool_call_id").value_or("");
    result.name = fields.String("tool_name").value_or("");
    if (result.name.empty()) result.name = fields.String("name").value_or("");
    result.content = content;
    CARAT_RETURN_IF_ERROR(fields.status());
    if (out->empty() || out->back().role != Role::kTool) {
      out->emplace_back(Role::kTool, std::vector<Part>());
    }
    out->back().parts.emplace_back(std::move(result));
    return OkStatus();
  }
  CARAT_RETURN_IF_ERROR(fields.status());
  Message message(role, std::vector<Part>());
  if (!thinking.empty()) message.parts.emplace_back(Thought{thinking});
  if (images != nullptr) {
    CARAT_ASSIGN_OR_RETURN(
        auto media, ReadOllamaImages(*images, where + ".images", traits));
    for (Media& one : media) message.parts.emplace_back(std::move(one));
  }
  if (!content.empty()) message.parts.emplace_back(Text{content});
  if (calls != nullptr) {
    for (size_t i = 0; i < calls->as_array().size(); ++i) {
      CARAT_ASSIGN_OR_RETURN(
          ToolCall call, ReadCall(calls->as_array()[i],
                                  fmt::format("{}.tool_calls[{}]", where, i)));
      message.parts.emplace_back(std::move(call));
    }
  }
  out->push_back(std::move(message));
  return OkStatus();
}

}  // namespace

Result<std::vector<Message>> ReadOllamaMessages(const Json& messages,
                                                const ModelTraits& traits) {
  std::vector<Message> out;
  for (size_t i = 0; i < messages.as_array().size(); ++i) {
    CARAT_RETURN_IF_ERROR(ReadMessage(
        messages.as_array()[i], fmt::format("messages[{}]", i), traits, &out));
  }
  DropVolatileLines(&out);
  return out;
}

Result<std::vector<Media>> ReadOllamaImages(const Json& images,
                                            const std::string& where,
                                            const ModelTraits& traits) {
  std::vector<Media> out;
  for (size_t i = 0; i < images.as_array().size(); ++i) {
    const std::string place = fmt::format("{}[{}]", where, i);
    const Json& image = images.as_array()[i];
    std::optional<std::string> bytes;
    if (image.is_string()) bytes = Base64Decode(image.as_string());
    if (!bytes) {
      return InvalidArgument(fmt::format("'{}' must be base64.", place));
    }
    Media media;
    media.kind = KindOf(*bytes);
    if (!Takes(traits, media.kind)) {
      return Unsupported(fmt::format(
          "'{}' is {}, which the model '{}' cannot take in; remove it or use "
          "a model that can.",
          place, MediaKindPhrase(media.kind), traits.name));
    }
    media.data = std::make_shared<const std::string>(std::move(*bytes));
    out.push_back(std::move(media));
  }
  return out;
}

}  // namespace carat
