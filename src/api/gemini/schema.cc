#include "api/gemini/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"

namespace carat {
namespace {

constexpr int kMaxDepth = 64;

Status Wrong(std::string_view where, std::string_view expected,
             const Json& found) {
  return InvalidArgument(fmt::format("'{}' must be {}, found {}.", where,
                                     expected, found.type_name()));
}

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// "anyOf" for "any_of"; what has no underscore stays.
std::string CamelCase(std::string_view name) {
  std::string out;
  for (size_t i = 0; i < name.size(); ++i) {
    const bool joins = name[i] == '_' && !out.empty() && i + 1 < name.size() &&
                       name[i + 1] >= 'a' && name[i + 1] <= 'z';
    if (joins) {
      out += static_cast<char>(name[++i] - 'a' + 'A');
    } else {
      out += name[i];
    }
  }
  return out;
}

// The members of `properties` that `order` names come first, in its order.
Status Reorder(const Json& order, std::string_view where, Json* properties) {
  if (!order.is_array()) return Wrong(where, "an array of names", order);
  if (properties == nullptr || !properties->is_object()) return OkStatus();
  Json::Object& members = properties->as_object();
  size_t place = 0;
  for (const Json& name : order.as_array()) {
    if (!name.is_string()) return Wrong(where, "an array of names", order);
    const auto found = std::find_if(
        members.begin() + static_cast<ptrdiff_t>(place), members.end(),
        [&](const Json::Member& m) { return m.first == name.as_string(); });
    if (found == members.end()) continue;
    std::rotate(members.begin() + static_cast<ptrdiff_t>(place), found,
                found + 1);
    ++place;
  }
  return OkStatus();
}

class OpenApiReader {
 public:
  Result<Json> Read(const Json& schema, const std::string& where);

 private:
  Status ReadMember(const std::string& key, const Json& value,
                    const std::string& where, Json* out);
  Result<Json> ReadEach(const Json& value, const std::string& where);

  int depth_ = 0;
};

Result<Json> Type(const Json& value, const std::string& where) {
  if (value.is_array()) {  // JSON schema's own form
    Json out = Json::MakeArray();
    for (const Json& item : value.as_array()) {
      CARAT_ASSIGN_OR_RETURN(Json one, Type(item, where));
      out.Append(std::move(one));
    }
    return out;
  }
  if (!value.is_string()) return Wrong(where, "the name of a type", value);
  const std::string name = Lower(value.as_string());
  if (name == "type_unspecified") return Json();
  for (const char* known :
       {"string", "number", "integer", "boolean", "array", "object", "null"}) {
    if (name == known) return Json(name);
  }
  return InvalidArgument(
      fmt::format("'{}' is {}; known types are STRING, NUMBER, INTEGER, "
                  "BOOLEAN, ARRAY, OBJECT and NULL.",
                  where, QuoteForMessage(value.as_string())));
}

// Bounds are 64-bit integers, which proto3 JSON writes as strings.
Result<Json> Bound(const Json& value, const std::string& where) {
  if (value.is_number()) return value;
  if (!value.is_string()) return Wrong(where, "a number", value);
  const std::string& text = value.as_string();
  const char* end = text.data() + text.size();
  int64_t whole = 0;
  if (const auto [rest, error] = std::from_chars(text.data(), end, whole);
      error == std::errc() && rest == end) {
    return Json(whole);
  }
  double number = 0;
  if (const auto [rest, error] = std::from_chars(text.data(), end, number);
      error == std::errc() && rest == end) {
    return Json(number);
  }
  return Wrong(where, "a number", value);
}

Result<Json> OpenApiReader::ReadEach(const Json& value,
                                     const std::string& where) {
  if (value.is_array()) {
    Json out = Json::MakeArray();
    for (size_t i = 0; i < value.as_array().size(); ++i) {
      CARAT_ASSIGN_OR_RETURN(
          Json one, Read(value.as_array()[i], fmt::format("{}[{}]", where, i)));
      out.Append(std::move(one));
    }
    return out;
  }
  if (!value.is_object()) return Wrong(where, "an object", value);
  Json out = Json::MakeObject();
  for (const auto& [name, schema] : value.as_object()) {
    CARAT_ASSIGN_OR_RETURN(
        Json one,
        Read(schema, fmt::format("{}.{}", where, QuoteForMessage(name))));
    out.Set(name, std::move(one));
  }
  return out;
}

bool IsOneOf(std::string_view key, std::initializer_list<const char*> names) {
  return std::find(names.begin(), names.end(), key) != names.end();
}

Status OpenApiReader::ReadMember(const std::string& key, const Json& value,
                                 const std::string& where, Json* out) {
  if (key == "type") {
    CARAT_ASSIGN_OR_RETURN(Json type, Type(value, where));
    if (!type.is_null()) out->Set("type", std::move(type));
    return OkStatus();
  }
  if (IsOneOf(key, {"properties", "defs", "$defs", "definitions"})) {
    if (!value.is_object()) return Wrong(where, "an object", value);
    CARAT_ASSIGN_OR_RETURN(Json each, ReadEach(value, where));
    out->Set(key == "defs" ? "$defs" : key, std::move(each));
    return OkStatus();
  }
  if (IsOneOf(key, {"anyOf", "oneOf", "allOf", "prefixItems"})) {
    if (!value.is_array()) return Wrong(where, "an array", value);
    CARAT_ASSIGN_OR_RETURN(Json each, ReadEach(value, where));
    out->Set(key, std::move(each));
    return OkStatus();
  }
  if (key == "items" || (key == "additionalProperties" && !value.is_bool())) {
    CARAT_ASSIGN_OR_RETURN(Json one, Read(value, where));
    out->Set(key, std::move(one));
    return OkStatus();
  }
  if (IsOneOf(key, {"maxItems", "minItems", "maxLength", "minLength",
                    "maxProperties", "minProperties", "maximum", "minimum"})) {
    CARAT_ASSIGN_OR_RETURN(Json bound, Bound(value, where));
    out->Set(key, std::move(bound));
    return OkStatus();
  }
  if (key == "ref") {
    out->Set("$ref", value);
  } else if (!IsOneOf(key, {"nullable", "propertyOrdering", "example"})) {
    out->Set(key, value);
  }
  return OkStatus();
}

// Adds null to what `schema` allows.
void AllowNull(Json* schema) {
  Json* type = schema->Find("type");
  if (type != nullptr && type->is_string() &&
      schema->Find("anyOf") == nullptr) {
    Json both = Json::MakeArray();
    both.Append(*type);
    both.Append("null");
    *type = std::move(both);
    if (Json* values = schema->Find("enum"); values && values->is_array()) {
      values->Append(Json());
    }
    return;
  }
  Json null = Json::MakeObject();
  null.Set("type", "null");
  Json* any = schema->Find("anyOf");
  if (any != nullptr && any->is_array() && type == nullptr) {
    any->Append(std::move(null));
    return;
  }
  Json either = Json::MakeArray();
  either.Append(std::exchange(*schema, Json::MakeObject()));
  either.Append(std::move(null));
  schema->Set("anyOf", std::move(either));
}

Result<Json> OpenApiReader::Read(const Json& schema, const std::string& where) {
  if (!schema.is_object()) return Wrong(where, "a schema object", schema);
  if (depth_ >= kMaxDepth) {
    return InvalidArgument(fmt::format(
        "'{}' is nested more than {} levels deep.", where, kMaxDepth));
  }
  ++depth_;
  Json out = Json::MakeObject();
  const Json* order = nullptr;
  bool nullable = false;
  for (const auto& [name, value] : schema.as_object()) {
    if (value.is_null()) continue;
    const std::string key = CamelCase(name);
    const std::string path = fmt::format("{}.{}", where, key);
    if (key == "propertyOrdering") order = &value;
    if (key == "nullable") {
      if (!value.is_bool()) return Wrong(path, "true or false", value);
      nullable = value.as_bool();
    }
    CARAT_RETURN_IF_ERROR(ReadMember(key, value, path, &out));
  }
  if (order != nullptr) {
    CARAT_RETURN_IF_ERROR(
        Reorder(*order, where + ".propertyOrdering", out.Find("properties")));
  }
  if (nullable) AllowNull(&out);
  --depth_;
  return out;
}

// Reorders in place, below keywords that hold schemas too.
Status OrderIn(Json* schema, const std::string& where, int depth) {
  if (depth >= kMaxDepth) {
    return InvalidArgument(fmt::format(
        "'{}' is nested more than {} levels deep.", where, kMaxDepth));
  }
  if (schema->is_array()) {
    for (Json& item : schema->as_array()) {
      CARAT_RETURN_IF_ERROR(OrderIn(&item, where, depth + 1));
    }
    return OkStatus();
  }
  if (!schema->is_object()) return OkStatus();
  for (const char* name : {"propertyOrdering", "property_ordering"}) {
    const Json* order = schema->Find(name);
    if (order == nullptr || !order->is_array()) continue;
    const Json names = *order;
    schema->Erase(name);
    CARAT_RETURN_IF_ERROR(
        Reorder(names, where + "." + name, schema->Find("properties")));
  }
  for (auto& [key, value] : schema->as_object()) {
    if (IsOneOf(key, {"enum", "const", "default", "required", "examples"})) {
      continue;
    }
    CARAT_RETURN_IF_ERROR(OrderIn(&value, where + "." + key, depth + 1));
  }
  return OkStatus();
}

}  // namespace

Result<Json> JsonSchemaFromOpenApi(const Json& schema, std::string_view where) {
  return OpenApiReader().Read(schema, std::string(where));
}

Result<Json> OrderedJsonSchema(const Json& schema, std::string_view where) {
  if (!schema.is_object() && !schema.is_bool()) {
    return Wrong(where, "a schema object", schema);
  }
  Json out = schema;
  CARAT_RETURN_IF_ERROR(OrderIn(&out, std::string(where), 0));
  return out;
}

}  // namespace carat
