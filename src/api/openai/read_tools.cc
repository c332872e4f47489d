#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "api/openai/read_parts.h"
#include "base/utf8.h"

namespace carat {
namespace {

// The name in {"name": ..} or {"function": {"name": ..}}.
Status ReadChosenName(const Json& tool, const std::string& where,
                      std::vector<std::string>* names) {
  Fields fields(tool, where);
  const Json* inner = fields.Object("function");
  CARAT_RETURN_IF_ERROR(fields.status());
  Fields named(inner ? *inner : tool, inner ? where + ".function" : where);
  std::string name = named.String("name").value_or("");
  if (name.empty()) named.Fail("name", "a non-empty string");
  names->push_back(std::move(name));
  return named.status();
}

Status ReadAllowedTools(const Json& choice, ToolChoice* out) {
  Fields outer(choice, "tool_choice");
  const Json* inner = outer.Object("allowed_tools");
  CARAT_RETURN_IF_ERROR(outer.status());
  const std::string where = inner ? "tool_choice.allowed_tools" : "tool_choice";
  Fields fields(inner ? *inner : choice, where);
  const std::string mode = fields.String("mode").value_or("auto");
  const Json* tools = fields.Array("tools");
  if (tools == nullptr) fields.Fail("tools", "an array");
  CARAT_RETURN_IF_ERROR(fields.status());
  if (mode != "auto" && mode != "required") {
    return InvalidArgument(
        fmt::format("'{}.mode' must be auto or required, found {}.", where,
                    QuoteForMessage(mode)));
  }
  out->mode = mode == "required" ? ToolChoice::Mode::kRequired
                                 : ToolChoice::Mode::kAuto;
  for (size_t i = 0; i < tools->as_array().size(); ++i) {
    CARAT_RETURN_IF_ERROR(ReadChosenName(tools->as_array()[i],
                                         fmt::format("{}.tools[{}]", where, i),
                                         &out->names));
  }
  // No names would mean every tool.
  if (out->names.empty()) out->mode = ToolChoice::Mode::kNone;
  return OkStatus();
}

Status ReadChoiceWord(const std::string& word, ToolChoice* out) {
  if (word == "auto") {
    out->mode = ToolChoice::Mode::kAuto;
  } else if (word == "none") {
    out->mode = ToolChoice::Mode::kNone;
  } else if (word == "required" || word == "any") {
    out->mode = ToolChoice::Mode::kRequired;
  } else {
    return InvalidArgument(fmt::format(
        "'tool_choice' must be none, auto, required or an object, found {}.",
        QuoteForMessage(word)));
  }
  return OkStatus();
}

Status ReadSchemaFormat(const Json& format, const std::string& where,
                        OutputConstraint* constraint) {
  // Chat wraps the schema in "json_schema"; responses and llama.cpp do not.
  Fields outer(format, where);
  const Json* inner = outer.Object("json_schema");
  CARAT_RETURN_IF_ERROR(outer.status());
  Fields fields(inner ? *inner : format,
                inner ? where + ".json_schema" : where);
  const Json* schema = fields.Object("schema");
  if (schema == nullptr) fields.Fail("schema", "an object");
  CARAT_RETURN_IF_ERROR(fields.status());
  *constraint = {OutputConstraint::Kind::kJsonSchema, schema->Dump()};
  return OkStatus();
}

}  // namespace

Status ReadFunction(const Json& function, const std::string& where,
                    std::vector<ToolDeclaration>* tools) {
  Fields fields(function, where);
  ToolDeclaration tool;
  tool.name = fields.String("name").value_or("");
  if (tool.name.empty()) fields.Fail("name", "a non-empty string");
  tool.description = fields.String("description").value_or("");
  if (const Json* parameters = fields.Object("parameters")) {
    tool.parameters = parameters->Dump();
  }
  CARAT_RETURN_IF_ERROR(fields.status());
  const bool known =
      std::any_of(tools->begin(), tools->end(),
                  [&](const auto& other) { return other.name == tool.name; });
  if (known) {
    return InvalidArgument(
        fmt::format("'{}.name' is {}, the name of an earlier tool; names must "
                    "differ.",
                    where, QuoteForMessage(tool.name)));
  }
  tools->push_back(std::move(tool));
  return OkStatus();
}

Status ReadChatTools(const Json& list, std::vector<ToolDeclaration>* tools) {
  for (size_t i = 0; i < list.as_array().size(); ++i) {
    const std::string where = fmt::format("tools[{}]", i);
    Fields fields(list.as_array()[i], where);
    const std::string type = fields.String("type").value_or("function");
    CARAT_RETURN_IF_ERROR(fields.status());
    if (type != "function") {
      return Unsupported(
          fmt::format("'{}.type' must be function, found {}; remove the tool.",
                      where, QuoteForMessage(type)));
    }
    const Json* function = fields.Object("function");
    if (function == nullptr) fields.Fail("function", "an object");
    CARAT_RETURN_IF_ERROR(fields.status());
    CARAT_RETURN_IF_ERROR(ReadFunction(*function, where + ".function", tools));
  }
  return OkStatus();
}

Status ReadToolChoice(const Json& choice, ToolChoice* out) {
  if (choice.is_string()) return ReadChoiceWord(choice.as_string(), out);
  Fields fields(choice, "tool_choice");
  const std::string type = fields.String("type").value_or("function");
  CARAT_RETURN_IF_ERROR(fields.status());
  if (type == "allowed_tools") return ReadAllowedTools(choice, out);
  if (type != "function" && type != "custom") {
    return Unsupported(fmt::format(
        "'tool_choice.type' must be function or allowed_tools, found {}.",
        QuoteForMessage(type)));
  }
  out->mode = ToolChoice::Mode::kRequired;
  return ReadChosenName(choice, "tool_choice", &out->names);
}

Status ReadFormat(const Json& format, const std::string& where,
                  OutputConstraint* constraint) {
  Fields fields(format, where);
  const std::string type = fields.String("type").value_or("text");
  CARAT_RETURN_IF_ERROR(fields.status());
  if (type == "text") return OkStatus();
  if (type == "json_schema" ||
      (type == "json_object" && fields.Has("schema"))) {
    return ReadSchemaFormat(format, where, constraint);
  }
  if (type == "json_object") {
    *constraint = {OutputConstraint::Kind::kJson, ""};
    return OkStatus();
  }
  return InvalidArgument(fmt::format(
      "'{}.type' must be text, json_object or json_schema, found {}.", where,
      QuoteForMessage(type)));
}

}  // namespace carat
