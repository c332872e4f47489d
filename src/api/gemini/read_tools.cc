#include <fmt/format.h>

#include <string>
#include <utility>

#include "api/fields.h"
#include "api/gemini/read_request.h"
#include "api/gemini/schema.h"
#include "base/utf8.h"

namespace carat {
namespace {

constexpr Fields::Style kProto = Fields::Style::kProto;

// One of two members: a schema in OpenAPI's form or in JSON schema's. Empty
// text without either.
Result<std::string> ReadSchema(const Fields& fields, std::string_view open_api,
                               std::string_view json_schema) {
  const Json* open = fields.Any(open_api);
  const Json* plain = fields.Any(json_schema);
  if (open != nullptr && plain != nullptr) {
    return InvalidArgument(
        fmt::format("'{}' and '{}' exclude each other; give one of them.",
                    fields.Path(open_api), fields.Path(json_schema)));
  }
  if (open != nullptr) {
    CARAT_ASSIGN_OR_RETURN(Json schema,
                           JsonSchemaFromOpenApi(*open, fields.Path(open_api)));
    return schema.Dump();
  }
  if (plain != nullptr) {
    CARAT_ASSIGN_OR_RETURN(Json schema,
                           OrderedJsonSchema(*plain, fields.Path(json_schema)));
    return schema.Dump();
  }
  return std::string();
}

Result<ToolDeclaration> ReadFunction(const Json& json,
                                     const std::string& where) {
  Fields fields(json, where, kProto);
  ToolDeclaration tool;
  tool.name = fields.String("name").value_or("");
  if (tool.name.empty()) fields.Fail("name", "the name of a function");
  tool.description = fields.String("description").value_or("");
  CARAT_RETURN_IF_ERROR(fields.status());
  CARAT_ASSIGN_OR_RETURN(tool.parameters, ReadSchema(fields, "parameters",
                                                     "parametersJsonSchema"));
  CARAT_ASSIGN_OR_RETURN(tool.response,
                         ReadSchema(fields, "response", "responseJsonSchema"));
  return tool;
}

// Tools that the cloud runs itself.
Status RefuseOthers(const Json& tool, const std::string& where) {
  for (const auto& [name, value] : tool.as_object()) {
    if (name == "functionDeclarations" || name == "function_declarations" ||
        value.is_null()) {
      continue;
    }
    return Unsupported(fmt::format(
        "'{}' holds {}: this server runs no tools of its own. Declare it as a "
        "function and run it yourself, or leave it out.",
        where, QuoteForMessage(name)));
  }
  return OkStatus();
}

}  // namespace

Result<std::vector<ToolDeclaration>> ReadGeminiTools(const Json& tools,
                                                     const std::string& where) {
  std::vector<ToolDeclaration> out;
  if (!tools.is_array()) {
    return InvalidArgument(fmt::format("'{}' must be an array, found {}.",
                                       where, tools.type_name()));
  }
  for (size_t i = 0; i < tools.as_array().size(); ++i) {
    const std::string path = fmt::format("{}[{}]", where, i);
    const Json& tool = tools.as_array()[i];
    Fields fields(tool, path, kProto);
    const Json* functions = fields.Array("functionDeclarations");
    CARAT_RETURN_IF_ERROR(fields.status());
    CARAT_RETURN_IF_ERROR(RefuseOthers(tool, path));
    if (functions == nullptr) continue;
    for (size_t k = 0; k < functions->as_array().size(); ++k) {
      CARAT_ASSIGN_OR_RETURN(
          ToolDeclaration one,
          ReadFunction(functions->as_array()[k],
                       fmt::format("{}.functionDeclarations[{}]", path, k)));
      for (const ToolDeclaration& other : out) {
        if (other.name != one.name) continue;
        return InvalidArgument(
            fmt::format("'{}' declares the function {} a second time.", path,
                        QuoteForMessage(one.name)));
      }
      out.push_back(std::move(one));
    }
  }
  return out;
}

}  // namespace carat
