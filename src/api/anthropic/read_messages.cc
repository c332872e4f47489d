#include <fmt/format.h>

#include <utility>

#include "api/anthropic/read_request.h"
#include "api/volatile_lines.h"
#include "base/utf8.h"

namespace carat {
namespace {

// Blocks are paragraphs: the template would run them together.
void AddText(const std::string& text, std::vector<Part>* parts) {
  if (text.empty()) return;
  if (!parts->empty()) {
    if (Text* last = std::get_if<Text>(&parts->back())) {
      last->text += "\n" + text;
      return;
    }
  }
  parts->emplace_back(Text{text});
}

Status RefuseBlock(const std::string& type, const std::string& where) {
  if (type == "image") {
    return Unsupported(fmt::format(
        "'{}' is an image, and this server reads text only; send text, or "
        "remove the block.",
        where));
  }
  if (type == "document") {
    return Unsupported(fmt::format(
        "'{}' is a document that is no plain text, and this server reads text "
        "only; send its text, or remove the block.",
        where));
  }
  return Unsupported(fmt::format(
      "'{}.type' is {}; known here are text, plain-text documents, tool_use, "
      "tool_result, thinking and redacted_thinking.",
      where, QuoteForMessage(type)));
}

// {"type": "document", "source": {"type": "text", "data": ..}}.
Status ReadDocument(const Json& block, const std::string& where,
                    std::vector<Part>* parts) {
  Fields fields(block, where);
  const Json* source = fields.Object("source");
  if (source == nullptr) fields.Fail("source", "an object");
  CARAT_RETURN_IF_ERROR(fields.status());
  Fields inner(*source, where + ".source");
  const std::string type = inner.String("type").value_or("");
  CARAT_RETURN_IF_ERROR(inner.status());
  if (type != "text") return RefuseBlock("document", where);
  const auto data = inner.String("data");
  if (!data) inner.Fail("data", "a string");
  CARAT_RETURN_IF_ERROR(inner.status());
  if (const auto title = fields.String("title")) AddText(*title, parts);
  AddText(*data, parts);
  return fields.status();
}

// A block that carries text, alone or inside a tool's result.
Status ReadTextBlock(const Json& block, const std::string& where,
                     std::vector<Part>* parts) {
  Fields fields(block, where);
  const std::string type = fields.String("type").value_or("");
  CARAT_RETURN_IF_ERROR(fields.status());
  if (type == "document") return ReadDocument(block, where, parts);
  if (type != "text") return RefuseBlock(type, where);
  const auto text = fields.String("text");
  if (!text) fields.Fail("text", "a string");
  CARAT_RETURN_IF_ERROR(fields.status());
  AddText(*text, parts);
  return OkStatus();
}

Status WrongContent(const Json& content, const std::string& where) {
  return InvalidArgument(
      fmt::format("'{}' must be a string or an array of blocks, found {}.",
                  where, content.type_name()));
}

Status ReadToolUse(const Json& block, const std::string& where,
                   std::vector<Part>* parts) {
  Fields fields(block, where);
  ToolCall call;
  call.id = fields.String("id").value_or("");
  call.name = fields.String("name").value_or("");
  if (call.name.empty()) fields.Fail("name", "a non-empty string");
  if (const Json* input = fields.Object("input")) {
    call.arguments = input->Dump();
  }
  CARAT_RETURN_IF_ERROR(fields.status());
  parts->emplace_back(std::move(call));
  return OkStatus();
}

Status ReadToolResult(const Json& block, const std::string& where,
                      std::vector<Part>* results) {
  Fields fields(block, where);
  ToolResult result;
  result.call_id = fields.String("tool_use_id").value_or("");
  if (result.call_id.empty()) fields.Fail("tool_use_id", "a non-empty string");
  result.is_error = fields.Bool("is_error").value_or(false);
  CARAT_RETURN_IF_ERROR(fields.status());
  const Json* content = fields.Any("content");
  const std::string place = where + ".content";
  if (content != nullptr && content->is_string()) {
    result.content = content->as_string();
  } else if (content != nullptr && content->is_array()) {
    std::vector<Part> parts;
    for (size_t i = 0; i < content->as_array().size(); ++i) {
      CARAT_RETURN_IF_ERROR(ReadTextBlock(
          content->as_array()[i], fmt::format("{}[{}]", place, i), &parts));
    }
    if (!parts.empty()) result.content = std::get<Text>(parts[0]).text;
  } else if (content != nullptr) {
    return WrongContent(*content, place);
  }
  results->emplace_back(std::move(result));
  return OkStatus();
}

// One block of a message; results go apart, because they must stand directly
// behind the calls they answer.
Status ReadBlock(const Json& block, const std::string& where, Role role,
                 std::vector<Part>* parts, std::vector<Part>* results) {
  Fields fields(block, where);
  const std::string type = fields.String("type").value_or("");
  if (fields.status().ok() && type.empty()) fields.Fail("type", "a string");
  CARAT_RETURN_IF_ERROR(fields.status());
  if (type == "tool_use" && role == Role::kAssistant) {
    return ReadToolUse(block, where, parts);
  }
  if (type == "tool_result" && role == Role::kUser) {
    return ReadToolResult(block, where, results);
  }
  if (type == "thinking" && role == Role::kAssistant) {
    const std::string thought = fields.String("thinking").value_or("");
    if (!thought.empty()) parts->emplace_back(Thought{thought});
    return fields.status();
  }
  if (type == "redacted_thinking") return OkStatus();  // nobody can read it
  return ReadTextBlock(block, where, parts);
}

Status ReadMessage(const Json& json, const std::string& where,
                   std::vector<Message>* messages) {
  Fields fields(json, where);
  const std::string name = fields.String("role").value_or("");
  CARAT_RETURN_IF_ERROR(fields.status());
  Message message;
  if (name == "user") {
    message.role = Role::kUser;
  } else if (name == "assistant") {
    message.role = Role::kAssistant;
  } else if (name == "system") {
    message.role = Role::kSystem;
  } else {
    return InvalidArgument(
        fmt::format("'{}.role' must be user, assistant or system, found {}.",
                    where, QuoteForMessage(name)));
  }
  const Json* content = fields.Any("content");
  const std::string place = where + ".content";
  if (content == nullptr) return WrongContent(Json(), place);
  std::vector<Part> results;
  if (content->is_string()) {
    AddText(content->as_string(), &message.parts);
  } else if (content->is_array()) {
    for (size_t i = 0; i < content->as_array().size(); ++i) {
      CARAT_RETURN_IF_ERROR(ReadBlock(content->as_array()[i],
                                      fmt::format("{}[{}]", place, i),
                                      message.role, &message.parts, &results));
    }
  } else {
    return WrongContent(*content, place);
  }
  const bool only_results = message.parts.empty() && !results.empty();
  if (!results.empty()) {
    messages->emplace_back(Role::kTool, std::move(results));
  }
  if (!only_results) messages->push_back(std::move(message));
  return OkStatus();
}

Status ReadSystem(const Json& system, std::vector<Message>* messages) {
  Message message;
  message.role = Role::kSystem;
  if (system.is_string()) {
    AddText(WithoutVolatileLines(system.as_string()), &message.parts);
  } else if (system.is_array()) {
    for (size_t i = 0; i < system.as_array().size(); ++i) {
      std::vector<Part> block;
      CARAT_RETURN_IF_ERROR(ReadTextBlock(
          system.as_array()[i], fmt::format("system[{}]", i), &block));
      if (block.empty()) continue;
      // Its own block, or a line of one.
      AddText(WithoutVolatileLines(std::get<Text>(block[0]).text),
              &message.parts);
    }
  } else {
    return WrongContent(system, "system");
  }
  if (!message.parts.empty()) messages->push_back(std::move(message));
  return OkStatus();
}

}  // namespace

Status ReadAnthropicMessages(Fields* fields, std::vector<Message>* messages) {
  if (const Json* system = fields->Any("system")) {
    CARAT_RETURN_IF_ERROR(ReadSystem(*system, messages));
  }
  const Json* list = fields->Array("messages");
  if (list == nullptr || list->as_array().empty()) {
    fields->Fail("messages", "a non-empty array");
    return fields->status();
  }
  for (size_t i = 0; i < list->as_array().size(); ++i) {
    CARAT_RETURN_IF_ERROR(ReadMessage(
        list->as_array()[i], fmt::format("messages[{}]", i), messages));
  }
  return OkStatus();
}

}  // namespace carat
