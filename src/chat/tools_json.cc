#include "chat/tools_json.h"

#include <fmt/format.h>

#include <string>
#include <utility>

namespace carat {
namespace {

Status Wrong(const std::string& where, std::string_view expected,
             const ExactJson* found) {
  return InvalidArgument(fmt::format(
      "{} must be {}, but {}.", where, expected,
      found == nullptr ? "it is missing"
                       : fmt::format("it is of type {}", found->kind_name())));
}

const ExactJson* FindAny(const ExactJson& object,
                         std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    const ExactJson* found = object.Find(name);
    if (found != nullptr && !found->is_null()) return found;
  }
  return nullptr;
}

const ExactJson* GoogleList(const ExactJson& item) {
  return FindAny(item, {"functionDeclarations", "function_declarations"});
}

// A schema member of the declaration as text; empty when it is not given.
Result<std::string> SchemaText(const ExactJson* schema,
                               const std::string& where) {
  if (schema == nullptr) return std::string();
  if (!schema->is_object()) return Wrong(where, "an object", schema);
  return schema->Dump();
}

Status AddTool(const ExactJson& item, const std::string& where,
               std::vector<DeclaredTool>* out) {
  if (!item.is_object()) return Wrong(where, "an object", &item);
  const ExactJson* inner = item.Find("function");
  const bool wrapped = inner != nullptr && inner->is_object();
  const ExactJson& function = wrapped ? *inner : item;
  const std::string place = wrapped ? where + ".function" : where;
  DeclaredTool tool;
  tool.declaration.name = function.StringAt("name");
  if (tool.declaration.name.empty()) {
    return Wrong(place + ".name", "a non-empty string", function.Find("name"));
  }
  tool.declaration.description = function.StringAt("description");
  CARAT_ASSIGN_OR_RETURN(
      tool.declaration.parameters,
      SchemaText(
          FindAny(function, {"parameters", "input_schema",
                             "parametersJsonSchema", "parameters_json_schema"}),
          place + ".parameters"));
  CARAT_ASSIGN_OR_RETURN(
      tool.declaration.response,
      SchemaText(FindAny(function, {"response", "responseJsonSchema",
                                    "response_json_schema"}),
                 place + ".response"));
  tool.source = function;
  if (wrapped) {
    for (const ExactJson::Member& member : item.members) {
      if (member.key != "function" && tool.source.Find(member.key) == nullptr) {
        tool.source.Set(member.key, member.value);
      }
    }
  }
  out->push_back(std::move(tool));
  return OkStatus();
}

Status AddTools(const ExactJson& list, const std::string& where,
                std::vector<DeclaredTool>* out) {
  if (!list.is_array()) return Wrong(where, "a list", &list);
  for (size_t i = 0; i < list.items.size(); ++i) {
    const ExactJson& item = list.items[i];
    const std::string place = fmt::format("{}[{}]", where, i);
    if (const ExactJson* declarations = GoogleList(item)) {
      CARAT_RETURN_IF_ERROR(
          AddTools(*declarations, place + ".functionDeclarations", out));
    } else {
      CARAT_RETURN_IF_ERROR(AddTool(item, place, out));
    }
  }
  return OkStatus();
}

}  // namespace

Result<std::vector<DeclaredTool>> DeclaredToolsFromJson(const ExactJson& root) {
  std::vector<DeclaredTool> tools;
  const ExactJson* list = &root;
  std::string where = "tools";
  if (root.is_null()) return tools;
  if (const ExactJson* inner = root.Find("tools")) {
    list = inner;
  } else if (const ExactJson* declarations = GoogleList(root)) {
    list = declarations;
    where = "functionDeclarations";
  }
  CARAT_RETURN_IF_ERROR(AddTools(*list, where, &tools));
  return tools;
}

Result<std::vector<ToolDeclaration>> ToolsFromJson(std::string_view text) {
  Result<ExactJson> parsed = ExactJson::Parse(text);
  if (!parsed.ok()) {
    return parsed.status().WithContext("The tools cannot be read");
  }
  CARAT_ASSIGN_OR_RETURN(std::vector<DeclaredTool> declared,
                         DeclaredToolsFromJson(*parsed));
  std::vector<ToolDeclaration> tools;
  for (DeclaredTool& tool : declared) {
    tools.push_back(std::move(tool.declaration));
  }
  return tools;
}

}  // namespace carat
