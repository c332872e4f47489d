#include "api/gemini/read_contents.h"

#include <fmt/format.h>

#include <utility>

#include "api/base64.h"
#include "api/fields.h"
#include "api/volatile_lines.h"
#include "api/wire_time.h"
#include "base/utf8.h"

namespace carat {
namespace {

constexpr Fields::Style kProto = Fields::Style::kProto;

// The texts of one content are joined as they are; those of two contents get a
// line break in between.
void SeparateText(Message* message) {
  if (message->parts.empty()) return;
  Text* text = std::get_if<Text>(&message->parts.back());
  if (text != nullptr && !text->text.ends_with('\n')) text->text += "\n";
}

// Puts `part` behind what is there: into the last message if it has that role.
void Append(Role role, Part part, std::vector<Message>* out) {
  if (out->empty() || out->back().role != role) {
    out->emplace_back(role, std::vector<Part>());
  }
  std::vector<Part>& parts = out->back().parts;
  // Streamed answers come back one part a chunk: joined, they are the text
  // that was generated. Left apart, formats would trim each piece.
  if (!parts.empty()) {
    Text* text = std::get_if<Text>(&parts.back());
    if (const Text* more = std::get_if<Text>(&part); text && more) {
      text->text += more->text;
      return;
    }
    Thought* thought = std::get_if<Thought>(&parts.back());
    if (const Thought* more = std::get_if<Thought>(&part); thought && more) {
      thought->text += more->text;
      return;
    }
  }
  parts.push_back(std::move(part));
}

Result<Role> RoleOf(Fields& content) {
  const std::string name = content.String("role").value_or("user");
  if (name == "user" || name.empty()) return Role::kUser;
  if (name == "model" || name == "assistant") return Role::kAssistant;
  if (name == "function" || name == "tool") return Role::kTool;
  if (name == "system") return Role::kSystem;
  return InvalidArgument(
      fmt::format("'{}' is {}; known roles are user and "
                  "model.",
                  content.Path("role"), QuoteForMessage(name)));
}

Result<MediaKind> KindOf(const std::string& mime_type,
                         const std::string& where) {
  if (mime_type.starts_with("image/")) return MediaKind::kImage;
  if (mime_type.starts_with("audio/")) return MediaKind::kAudio;
  if (mime_type.starts_with("video/")) return MediaKind::kVideo;
  return Unsupported(fmt::format(
      "'{}' has the type {}, which cannot be used; possible are text/*, "
      "application/json, image/*, audio/* and video/*, as far as the model "
      "takes them.",
      where, QuoteForMessage(mime_type)));
}

bool IsTextType(std::string_view mime_type) {
  return mime_type.starts_with("text/") || mime_type == "application/json" ||
         mime_type == "application/xml" || mime_type == "application/yaml";
}

// "1s" and the like, in seconds.
Result<double> Seconds(Fields& fields, std::string_view name) {
  const auto text = fields.String(name);
  if (!text) return 0.0;
  const auto ns = ParseProtoDuration(*text);
  if (!ns) {
    return InvalidArgument(
        fmt::format("'{}' is {}; expected a duration like \"1.5s\".",
                    fields.Path(name), QuoteForMessage(*text)));
  }
  return static_cast<double>(*ns) / 1e9;
}

Status ReadVideo(const Json& part, const std::string& where, Media* media) {
  Fields fields(part, where, kProto);
  const Json* found = fields.Object("videoMetadata");
  CARAT_RETURN_IF_ERROR(fields.status());
  if (found == nullptr) return OkStatus();
  Fields video(*found, where + ".videoMetadata", kProto);
  media->frames_per_s = video.Number("fps").value_or(0);
  CARAT_ASSIGN_OR_RETURN(media->start_s, Seconds(video, "startOffset"));
  CARAT_ASSIGN_OR_RETURN(media->end_s, Seconds(video, "endOffset"));
  return video.status();
}

// Soft tokens for a picture: as given, or by level.
Status ReadResolution(const Json& part, const std::string& where,
                      Media* media) {
  Fields fields(part, where, kProto);
  const Json* found = fields.Object("mediaResolution");
  CARAT_RETURN_IF_ERROR(fields.status());
  if (found == nullptr) return OkStatus();
  Fields resolution(*found, where + ".mediaResolution", kProto);
  const auto tokens = resolution.Int("numTokens");
  const std::string level = resolution.String("level").value_or("");
  CARAT_RETURN_IF_ERROR(resolution.status());
  if (tokens) {
    if (*tokens < 1 || *tokens > 100000) {
      resolution.Fail("numTokens", "an integer from 1 to 100000");
      return resolution.status();
    }
    media->max_tokens = static_cast<int>(*tokens);
  } else if (level == "MEDIA_RESOLUTION_LOW") {
    media->max_tokens = 70;
  } else if (level == "MEDIA_RESOLUTION_HIGH") {
    media->max_tokens = 560;
  } else if (level == "MEDIA_RESOLUTION_ULTRA_HIGH") {
    media->max_tokens = 1120;
  }
  return OkStatus();
}

Result<ToolCall> ReadCall(const Json& json, const std::string& where) {
  Fields fields(json, where, kProto);
  ToolCall call;
  call.id = fields.String("id").value_or("");
  call.name = fields.String("name").value_or("");
  if (call.name.empty()) fields.Fail("name", "the name of a function");
  if (const Json* args = fields.Object("args")) call.arguments = args->Dump();
  CARAT_RETURN_IF_ERROR(fields.status());
  return call;
}

Result<ToolResult> ReadResult(const Json& json, const std::string& where) {
  Fields fields(json, where, kProto);
  ToolResult result;
  result.call_id = fields.String("id").value_or("");
  result.name = fields.String("name").value_or("");
  if (result.name.empty()) fields.Fail("name", "the name of a function");
  const Json* response = fields.Object("response");
  result.json = response ? response->Dump() : "{}";
  result.is_error = response != nullptr && response->Find("error") != nullptr;
  if (const Json* parts = fields.Array("parts");
      parts && !parts->as_array().empty()) {
    return Unsupported(fmt::format(
        "'{}.parts' holds media, which cannot be read as the result of a "
        "function; give it as a part of its own.",
        where));
  }
  CARAT_RETURN_IF_ERROR(fields.status());
  return result;
}

}  // namespace

Result<std::vector<Message>> ContentsReader::Contents(
    const Json& contents, const std::string& where) const {
  std::vector<Message> out;
  if (contents.is_string()) {
    out.emplace_back(Role::kUser, contents.as_string());
    return out;
  }
  if (contents.is_object()) {
    CARAT_RETURN_IF_ERROR(Content(contents, where, &out));
    return out;
  }
  if (!contents.is_array()) {
    return InvalidArgument(
        fmt::format("'{}' must be an array of contents, found {}.", where,
                    contents.type_name()));
  }
  for (size_t i = 0; i < contents.as_array().size(); ++i) {
    CARAT_RETURN_IF_ERROR(
        Content(contents.as_array()[i], fmt::format("{}[{}]", where, i), &out));
  }
  return out;
}

Result<std::vector<Message>> ContentsReader::System(
    const Json& content, const std::string& where) const {
  std::vector<Message> out;
  if (content.is_string()) {
    if (!content.as_string().empty()) {
      out.emplace_back(Role::kSystem, content.as_string());
    }
    DropVolatileLines(&out);
    return out;
  }
  Fields fields(content, where, kProto);
  const Json* parts = fields.Any("parts");
  CARAT_RETURN_IF_ERROR(fields.status());
  Json one = Json::MakeArray();
  if (parts == nullptr) {
    one.Append(content);  // a bare part
  } else if (parts->is_array()) {
    one = *parts;
  } else {
    one.Append(*parts);
  }
  std::string text;
  for (size_t i = 0; i < one.as_array().size(); ++i) {
    const std::string path = fmt::format("{}.parts[{}]", where, i);
    Fields part(one.as_array()[i], path);
    const auto piece = part.String("text");
    CARAT_RETURN_IF_ERROR(part.status());
    if (!piece) {
      return InvalidArgument(fmt::format(
          "'{}' must hold 'text': a system instruction is text only.", path));
    }
    const std::string kept = WithoutVolatileLines(*piece);
    if (!text.empty() && !kept.empty()) text += "\n";
    text += kept;
  }
  if (!text.empty()) out.emplace_back(Role::kSystem, std::move(text));
  return out;
}

Status ContentsReader::Content(const Json& content, const std::string& where,
                               std::vector<Message>* out) const {
  if (content.is_string()) {
    Append(Role::kUser, Text{content.as_string()}, out);
    return OkStatus();
  }
  Fields fields(content, where, kProto);
  CARAT_RETURN_IF_ERROR(fields.status());
  CARAT_ASSIGN_OR_RETURN(const Role role, RoleOf(fields));
  const Json* parts = fields.Any("parts");
  if (parts != nullptr && parts->is_object()) {
    return ReadPart(*parts, where + ".parts", role, out);
  }
  if (parts != nullptr && !parts->is_array()) {
    fields.Fail("parts", "an array");
  }
  CARAT_RETURN_IF_ERROR(fields.status());
  if (parts == nullptr) return OkStatus();
  const bool follows_user =
      role == Role::kUser && !out->empty() && out->back().role == Role::kUser;
  if (follows_user) SeparateText(&out->back());
  for (size_t i = 0; i < parts->as_array().size(); ++i) {
    CARAT_RETURN_IF_ERROR(ReadPart(parts->as_array()[i],
                                   fmt::format("{}.parts[{}]", where, i), role,
                                   out));
  }
  return OkStatus();
}

Status ContentsReader::ReadPart(const Json& part, const std::string& where,
                                Role role, std::vector<Message>* out) const {
  Fields fields(part, where, kProto);
  const auto text = fields.String("text");
  const bool thought = fields.Bool("thought").value_or(false);
  const Json* call = fields.Object("functionCall");
  const Json* result = fields.Object("functionResponse");
  const Json* inline_data = fields.Object("inlineData");
  const Json* file_data = fields.Object("fileData");
  CARAT_RETURN_IF_ERROR(fields.status());
  if (call != nullptr) {
    CARAT_ASSIGN_OR_RETURN(ToolCall read,
                           ReadCall(*call, where + ".functionCall"));
    Append(Role::kAssistant, std::move(read), out);
    return OkStatus();
  }
  if (result != nullptr) {
    CARAT_ASSIGN_OR_RETURN(ToolResult read,
                           ReadResult(*result, where + ".functionResponse"));
    Append(Role::kTool, std::move(read), out);
    return OkStatus();
  }
  if (role == Role::kTool) role = Role::kUser;
  if (inline_data != nullptr) {
    const std::string path = where + ".inlineData";
    Fields data(*inline_data, path, kProto);
    const std::string mime_type = data.String("mimeType").value_or("");
    const std::string encoded = data.String("data").value_or("");
    if (mime_type.empty()) data.Fail("mimeType", "a media type");
    CARAT_RETURN_IF_ERROR(data.status());
    auto bytes = Base64Decode(encoded);
    if (!bytes) {
      return InvalidArgument(
          fmt::format("'{}.data' is not base64 in either alphabet.", path));
    }
    return AddMedia(part, mime_type,
                    std::make_shared<const std::string>(std::move(*bytes)),
                    where, out);
  }
  if (file_data != nullptr) {
    Fields data(*file_data, where + ".fileData", kProto);
    const std::string uri = data.String("fileUri").value_or("");
    if (uri.empty()) data.Fail("fileUri", "the uri or name of a file");
    CARAT_RETURN_IF_ERROR(data.status());
    if (files == nullptr) {
      return Unsupported(fmt::format(
          "'{}.fileData' refers to a file, but the server stores no files.",
          where));
    }
    auto file = files->Open(uri);
    if (!file.ok()) return file.status().WithContext(where + ".fileData");
    const std::string mime_type =
        data.String("mimeType").value_or(file->mime_type);
    return AddMedia(part, mime_type, file->bytes, where, out);
  }
  if (text) {
    if (text->empty()) return OkStatus();
    if (thought) {
      Append(Role::kAssistant, Thought{*text}, out);
    } else {
      Append(role, Text{*text}, out);
    }
    return OkStatus();
  }
  // What the server-side tools of the cloud leave in a history.
  for (const char* name : {"executableCode", "codeExecutionResult", "toolCall",
                           "toolResponse", "audioTranscription"}) {
    if (!fields.Has(name)) continue;
    return Unsupported(fmt::format(
        "'{}.{}' cannot be used: this server runs no tools of its own.", where,
        name));
  }
  return OkStatus();  // a signature or a modifier alone
}

Status ContentsReader::AddMedia(const Json& part, const std::string& mime_type,
                                std::shared_ptr<const std::string> bytes,
                                const std::string& where,
                                std::vector<Message>* out) const {
  if (IsTextType(mime_type)) {
    if (!IsValidUtf8(*bytes)) {
      return InvalidArgument(
          fmt::format("'{}' says it is {}, but its bytes are not valid UTF-8.",
                      where, QuoteForMessage(mime_type)));
    }
    if (!bytes->empty()) Append(Role::kUser, Text{*bytes}, out);
    return OkStatus();
  }
  CARAT_ASSIGN_OR_RETURN(const MediaKind kind, KindOf(mime_type, where));
  if (!Takes(*traits, kind)) {
    return Unsupported(fmt::format(
        "'{}' is {} ({}), which the model '{}' cannot take in; remove the "
        "part or use a model that can.",
        where, MediaKindPhrase(kind), mime_type, traits->name));
  }
  Media media;
  media.kind = kind;
  media.mime_type = mime_type;
  media.data = std::move(bytes);
  CARAT_RETURN_IF_ERROR(ReadResolution(part, where, &media));
  CARAT_RETURN_IF_ERROR(ReadVideo(part, where, &media));
  Append(Role::kUser, std::move(media), out);
  return OkStatus();
}

}  // namespace carat
