// One keyword group of a JSON schema at a time, into SchemaReader::Parts.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "grammar/schema_parts.h"
#include "grammar/schema_reader.h"

namespace carat {
namespace {

// Keywords that change what is valid and that are not enforced.
constexpr std::string_view kUnsupported[] = {
    "propertyNames",         "contains",     "dependentRequired",
    "dependentSchemas",      "dependencies", "if",
    "unevaluatedItems",      "$dynamicRef",  "$recursiveRef",
    "unevaluatedProperties",
};

bool IsTrue(const Json& schema) { return schema.is_bool() && schema.as_bool(); }

}  // namespace

Status SchemaReader::CheckUnsupported(const Json& schema) const {
  for (std::string_view keyword : kUnsupported) {
    const Json* value = schema.Find(keyword);
    // "unevaluatedItems": true and the like say nothing.
    const bool idle = value != nullptr && IsTrue(*value) &&
                      keyword != "contains" && keyword != "if";
    if (value != nullptr && !idle) {
      return Missing(schema, fmt::format("\"{}\"", keyword));
    }
  }
  const Json* patterns = schema.Find("patternProperties");
  if (patterns != nullptr &&
      !(patterns->is_object() && patterns->as_object().empty())) {
    return Missing(schema, "\"patternProperties\"");
  }
  const Json* unique = schema.Find("uniqueItems");
  if (unique != nullptr && IsTrue(*unique)) {
    const Json* max = schema.Find("maxItems");
    const bool trivial = max != nullptr && max->is_int() && max->as_int() <= 1;
    if (!trivial) return Missing(schema, "\"uniqueItems\"");
  }
  return OkStatus();
}

Result<uint64_t> SchemaReader::Count(const Json& schema,
                                     std::string_view keyword,
                                     uint64_t absent) const {
  const Json* value = schema.Find(keyword);
  if (value == nullptr) return absent;
  const bool whole = value->is_number() && TypeOf(*value) == kTypeInteger &&
                     value->as_double() >= 0 && value->as_double() < 1e15;
  if (!whole) {
    // Some producers write numbers as strings ("maxItems": "5").
    return Bad(schema, fmt::format("\"{}\" must be a whole number, at least 0",
                                   keyword));
  }
  return static_cast<uint64_t>(value->as_double());
}

Result<const Json*> SchemaReader::SubSchema(const Json& schema,
                                            std::string_view keyword) {
  const Json* value = schema.Find(keyword);
  if (value == nullptr || value->is_object() || value->is_bool()) return value;
  return Bad(schema, fmt::format("\"{}\" must be a schema", keyword));
}

Status SchemaReader::ApplyType(const Json& schema, Parts* parts) {
  const Json* type = schema.Find("type");
  if (type == nullptr) return OkStatus();
  uint8_t types = 0;
  auto add = [&types](const Json& name) {
    if (!name.is_string()) return false;
    // Gemini writes its types in upper case.
    std::string lower = name.as_string();
    for (char& c : lower) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
    }
    static constexpr std::pair<std::string_view, int> kNames[] = {
        {"null", kTypeNull},       {"boolean", kTypeBoolean},
        {"integer", kTypeInteger}, {"number", kTypeInteger | kTypeFraction},
        {"string", kTypeString},   {"array", kTypeArray},
        {"object", kTypeObject}};
    for (const auto& [known, bits] : kNames) {
      if (lower != known) continue;
      types |= static_cast<uint8_t>(bits);
      return true;
    }
    return false;
  };
  bool ok = true;
  if (type->is_array()) {
    for (const Json& name : type->as_array()) ok = ok && add(name);
  } else {
    ok = add(*type);
  }
  if (!ok) {
    return Bad(schema, fmt::format("\"type\" {} is no type",
                                   QuoteForMessage(type->Dump())));
  }
  const Json* nullable = schema.Find("nullable");
  if (nullable != nullptr && IsTrue(*nullable)) types |= kTypeNull;
  parts->variant.types &= types;
  parts->typed = true;
  return OkStatus();
}

Status SchemaReader::ApplyValues(const Json& schema, Parts* parts) {
  std::optional<std::vector<Json>> values;
  const Json* list = schema.Find("enum");
  if (list != nullptr) {
    if (!list->is_array()) return Bad(schema, "\"enum\" must be an array");
    values = list->as_array();
  }
  const Json* constant = schema.Find("const");
  if (constant != nullptr) {
    std::vector<Json> one = {*constant};
    if (values &&
        std::none_of(values->begin(), values->end(),
                     [&](const Json& v) { return SameJson(v, *constant); })) {
      one.clear();
    }
    values = std::move(one);
  }
  if (!values) return OkStatus();
  std::optional<std::vector<Json>>& all = parts->variant.values;
  if (!all) {
    all = std::move(values);
  } else {
    std::erase_if(*all, [&](const Json& v) {
      return std::none_of(values->begin(), values->end(),
                          [&](const Json& w) { return SameJson(v, w); });
    });
  }
  return OkStatus();
}

namespace {

void Tighten(std::optional<NumberBound>* bound, const Json& value,
             bool exclusive, int direction) {
  if (*bound) {
    const int order = CompareNumbers(value, (*bound)->value) * direction;
    if (order < 0 || (order == 0 && !exclusive)) return;
  }
  *bound = NumberBound{value, exclusive};
}

}  // namespace

Status SchemaReader::ApplyNumbers(const Json& schema, Parts* parts) {
  NumberBounds& numbers = parts->variant.numbers;
  struct Keyword {
    std::string_view name;
    std::string_view exclusive_name;
    std::optional<NumberBound>* bound;
    int direction;
  };
  for (const Keyword& k :
       {Keyword{"minimum", "exclusiveMinimum", &numbers.lower, 1},
        Keyword{"maximum", "exclusiveMaximum", &numbers.upper, -1}}) {
    const Json* plain = schema.Find(k.name);
    const Json* exclusive = schema.Find(k.exclusive_name);
    // Draft 4 and OpenAPI 3.0 write the exclusive form as a flag.
    const bool flag = exclusive != nullptr && exclusive->is_bool();
    if (plain != nullptr) {
      if (!plain->is_number()) {
        return Bad(schema, fmt::format("\"{}\" must be a number", k.name));
      }
      Tighten(k.bound, *plain, flag && exclusive->as_bool(), k.direction);
    }
    if (exclusive != nullptr && !flag) {
      if (!exclusive->is_number()) {
        return Bad(schema,
                   fmt::format("\"{}\" must be a number", k.exclusive_name));
      }
      Tighten(k.bound, *exclusive, true, k.direction);
    }
    if (plain != nullptr || exclusive != nullptr) {
      parts->hinted |= kTypeInteger | kTypeFraction;
    }
  }
  const Json* multiple = schema.Find("multipleOf");
  if (multiple == nullptr) return OkStatus();
  parts->hinted |= kTypeInteger | kTypeFraction;
  const bool whole =
      multiple->is_number() && TypeOf(*multiple) == kTypeInteger &&
      multiple->as_double() >= 1 && multiple->as_double() <= 1000;
  if (!whole ||
      (numbers.multiple_of != 0 &&
       numbers.multiple_of != static_cast<int64_t>(multiple->as_double()))) {
    return Missing(schema,
                   "\"multipleOf\" other than one whole number up to 1000");
  }
  numbers.multiple_of = static_cast<int64_t>(multiple->as_double());
  return OkStatus();
}

Status SchemaReader::ApplyStrings(const Json& schema, Parts* parts) {
  SchemaVariant& out = parts->variant;
  CARAT_ASSIGN_OR_RETURN(const uint64_t min, Count(schema, "minLength", 0));
  CARAT_ASSIGN_OR_RETURN(const uint64_t max,
                         Count(schema, "maxLength", Guard::kNoLimit));
  out.min_length = std::max(out.min_length, min);
  out.max_length = std::min(out.max_length, max);
  const Json* pattern = schema.Find("pattern");
  if (pattern != nullptr) {
    if (!pattern->is_string()) {
      return Bad(schema, "\"pattern\" must be a string");
    }
    out.patterns.push_back(pattern->as_string());
  }
  const Json* format = schema.Find("format");
  if (format != nullptr && format->is_string()) {
    out.formats.push_back(format->as_string());
  }
  if (min > 0 || max != Guard::kNoLimit || pattern != nullptr) {
    parts->hinted |= kTypeString;
  }
  return OkStatus();
}

Status SchemaReader::ApplyArrays(const Json& schema, Parts* parts) {
  SchemaVariant& out = parts->variant;
  CARAT_ASSIGN_OR_RETURN(const uint64_t min, Count(schema, "minItems", 0));
  CARAT_ASSIGN_OR_RETURN(const uint64_t max,
                         Count(schema, "maxItems", Guard::kNoLimit));
  out.min_items = std::max(out.min_items, min);
  out.max_items = std::min(out.max_items, max);
  Parts::ArrayPart part;
  // Until draft 2019-09 `items` was also the list and `additionalItems` what
  // followed it.
  const Json* prefix = schema.Find("prefixItems");
  const Json* items = schema.Find("items");
  std::string_view rest = "items";
  if (items != nullptr && items->is_array()) {
    prefix = items;
    rest = "additionalItems";
  }
  if (prefix != nullptr) {
    if (!prefix->is_array()) {
      return Bad(schema, "\"prefixItems\" must be an array");
    }
    for (const Json& item : prefix->as_array()) part.prefix.push_back(&item);
  }
  CARAT_ASSIGN_OR_RETURN(part.items, SubSchema(schema, rest));
  if (prefix != nullptr || items != nullptr || min > 0 ||
      max != Guard::kNoLimit) {
    parts->hinted |= kTypeArray;
  }
  parts->arrays.push_back(std::move(part));
  return OkStatus();
}

Status SchemaReader::ApplyObjects(const Json& schema, Parts* parts) {
  Parts::ObjectPart part;
  const Json* properties = schema.Find("properties");
  if (properties != nullptr) {
    if (!properties->is_object()) {
      return Bad(schema, "\"properties\" must be an object");
    }
    for (const auto& [name, property] : properties->as_object()) {
      if (!property.is_object() && !property.is_bool()) {
        return Bad(schema, fmt::format("property {} is no schema",
                                       QuoteForMessage(name)));
      }
      part.properties.emplace_back(name, &property);
    }
  }
  CARAT_ASSIGN_OR_RETURN(part.additional,
                         SubSchema(schema, "additionalProperties"));
  const Json* required = schema.Find("required");
  for (const auto& [list, names] :
       {std::pair{required, &parts->required},
        {schema.Find("propertyOrdering"), &parts->ordering}}) {
    if (list == nullptr || list->is_bool()) continue;  // draft 3 flag
    if (!list->is_array()) {
      return Bad(schema,
                 "\"required\" and \"propertyOrdering\" must be arrays");
    }
    for (const Json& name : list->as_array()) {
      if (!name.is_string()) {
        return Bad(schema, "property names must be strings");
      }
      names->push_back(name.as_string());
    }
  }
  CARAT_ASSIGN_OR_RETURN(const uint64_t min, Count(schema, "minProperties", 0));
  CARAT_ASSIGN_OR_RETURN(const uint64_t max,
                         Count(schema, "maxProperties", Guard::kNoLimit));
  parts->min_properties = std::max(parts->min_properties, min);
  parts->max_properties = std::min(parts->max_properties, max);
  if (min > 0 || max != Guard::kNoLimit) parts->property_limits = &schema;
  if (properties != nullptr || part.additional != nullptr ||
      (required != nullptr && required->is_array())) {
    parts->hinted |= kTypeObject;
  }
  parts->objects.push_back(std::move(part));
  return OkStatus();
}

Status SchemaReader::ApplyNot(const Json& schema, Parts* parts) {
  const Json* negated = schema.Find("not");
  if (negated == nullptr) return OkStatus();
  if (IsTrue(*negated) ||
      (negated->is_object() && negated->as_object().empty())) {
    parts->variant.never = true;
    return OkStatus();
  }
  if (negated->is_bool()) return OkStatus();
  if (negated->is_object() && negated->as_object().size() == 1) {
    const auto& [key, value] = negated->as_object()[0];
    if (key == "type") {
      Parts inner;
      CARAT_RETURN_IF_ERROR(ApplyType(*negated, &inner));
      // Excluding only the integers would leave numbers that cannot be told
      // apart by their first digits.
      const uint8_t types = inner.variant.types;
      if ((types & kTypeInteger) == 0 || (types & kTypeFraction) != 0) {
        parts->variant.types &= static_cast<uint8_t>(~types);
        return OkStatus();
      }
    }
    if (key == "const" || (key == "enum" && value.is_array())) {
      parts->excluded.push_back(&value);
      parts->hinted |= 0;
      if (key == "const") {
        copies_.push_back(Json(Json::Array{value}));
        parts->excluded.back() = &copies_.back();
      }
      return OkStatus();
    }
  }
  return Missing(schema, "\"not\" other than of a type or of listed values");
}

Status SchemaReader::Apply(const Json& schema, Parts* parts) {
  if (schema.is_bool()) {
    if (!schema.as_bool()) parts->variant.never = true;
    return OkStatus();
  }
  if (!schema.is_object()) return Bad(schema, "a schema must be an object");
  CARAT_RETURN_IF_ERROR(CheckUnsupported(schema));
  const Json* reference = schema.Find("$ref");
  if (reference != nullptr) {
    if (!reference->is_string())
      return Bad(schema, "\"$ref\" must be a string");
    CARAT_ASSIGN_OR_RETURN(const Json* target, Resolve(reference->as_string()));
    parts->todo.push_back(target);
  }
  const Json* all = schema.Find("allOf");
  if (all != nullptr) {
    if (!all->is_array()) return Bad(schema, "\"allOf\" must be an array");
    for (const Json& branch : all->as_array()) parts->todo.push_back(&branch);
  }
  for (const char* keyword : {"anyOf", "oneOf"}) {
    const Json* any = schema.Find(keyword);
    if (any == nullptr) continue;
    if (!any->is_array() || any->as_array().empty()) {
      return Bad(schema,
                 fmt::format("\"{}\" must be a non-empty array", keyword));
    }
    parts->groups.push_back({&schema, keyword, any});
  }
  CARAT_RETURN_IF_ERROR(ApplyType(schema, parts));
  CARAT_RETURN_IF_ERROR(ApplyValues(schema, parts));
  CARAT_RETURN_IF_ERROR(ApplyNumbers(schema, parts));
  CARAT_RETURN_IF_ERROR(ApplyStrings(schema, parts));
  CARAT_RETURN_IF_ERROR(ApplyArrays(schema, parts));
  CARAT_RETURN_IF_ERROR(ApplyObjects(schema, parts));
  return ApplyNot(schema, parts);
}

}  // namespace carat
