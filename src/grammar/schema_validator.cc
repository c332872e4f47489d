#include "grammar/schema_validator.h"

#include <algorithm>
#include <cmath>

#include "grammar/decimal_range.h"
#include "grammar/regex.h"
#include "grammar/string_format.h"

namespace carat {
namespace {

constexpr int kMaxDepth = 300;

size_t CharCount(const std::string& text) {
  return static_cast<size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

// Whether `count` lies within the limits the two keywords set.
bool WithinCounts(const Json& schema, const char* min, const char* max,
                  size_t count) {
  const Json* lo = schema.Find(min);
  const Json* hi = schema.Find(max);
  const double n = static_cast<double>(count);
  return !(lo != nullptr && lo->is_number() && n < lo->as_double()) &&
         !(hi != nullptr && hi->is_number() && n > hi->as_double());
}

bool TypeFits(const Json& schema, uint8_t type) {
  const Json* wanted = schema.Find("type");
  if (wanted == nullptr) return true;
  auto fits = [type](const Json& name) {
    if (!name.is_string()) return false;
    std::string lower = name.as_string();
    for (char& c : lower) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
    }
    switch (type) {
      case kTypeNull:
        return lower == "null";
      case kTypeBoolean:
        return lower == "boolean";
      case kTypeInteger:
        return lower == "integer" || lower == "number";
      case kTypeFraction:
        return lower == "number";
      case kTypeString:
        return lower == "string";
      case kTypeArray:
        return lower == "array";
      default:
        return lower == "object";
    }
  };
  const Json* nullable = schema.Find("nullable");
  if (type == kTypeNull && nullable != nullptr && nullable->is_bool() &&
      nullable->as_bool()) {
    return true;
  }
  if (!wanted->is_array()) return fits(*wanted);
  return std::any_of(wanted->as_array().begin(), wanted->as_array().end(),
                     fits);
}

bool ValueFits(const Json& schema, const Json& value) {
  const Json* constant = schema.Find("const");
  if (constant != nullptr && !SameJson(*constant, value)) return false;
  const Json* list = schema.Find("enum");
  return list == nullptr || !list->is_array() ||
         std::any_of(list->as_array().begin(), list->as_array().end(),
                     [&](const Json& v) { return SameJson(v, value); });
}

bool NumberFits(const Json& schema, const Json& value) {
  const Json* min = schema.Find("minimum");
  const Json* max = schema.Find("maximum");
  const Json* above = schema.Find("exclusiveMinimum");
  const Json* below = schema.Find("exclusiveMaximum");
  auto flag = [](const Json* j) {
    return j != nullptr && j->is_bool() && j->as_bool();
  };
  if (min != nullptr && min->is_number()) {
    const int order = CompareNumbers(value, *min);
    if (order < 0 || (order == 0 && flag(above))) return false;
  }
  if (max != nullptr && max->is_number()) {
    const int order = CompareNumbers(value, *max);
    if (order > 0 || (order == 0 && flag(below))) return false;
  }
  if (above != nullptr && above->is_number() &&
      CompareNumbers(value, *above) <= 0) {
    return false;
  }
  if (below != nullptr && below->is_number() &&
      CompareNumbers(value, *below) >= 0) {
    return false;
  }
  const Json* multiple = schema.Find("multipleOf");
  if (multiple == nullptr || !multiple->is_number()) return true;
  if (value.is_int() && multiple->is_int() && multiple->as_int() > 0) {
    return value.as_int() % multiple->as_int() == 0;
  }
  return std::fmod(value.as_double(), multiple->as_double()) == 0;
}

}  // namespace

Result<bool> SchemaValidator::MatchesPattern(const std::string& pattern,
                                             bool whole,
                                             const std::string& text) {
  std::shared_ptr<const Dfa>& dfa = patterns_[(whole ? "=" : "~") + pattern];
  if (dfa == nullptr) {
    CARAT_ASSIGN_OR_RETURN(dfa, RegexDfa(pattern, whole ? RegexMatch::kWhole
                                                        : RegexMatch::kSearch));
  }
  int64_t state = 0;
  for (char c : text) {
    state = dfa->Next(static_cast<uint32_t>(state), static_cast<uint8_t>(c));
    if (state < 0) return false;
  }
  return dfa->Accepts(static_cast<uint32_t>(state));
}

Result<bool> SchemaValidator::CheckString(const Json& schema,
                                          const std::string& text) {
  if (!WithinCounts(schema, "minLength", "maxLength", CharCount(text))) {
    return false;
  }
  const Json* pattern = schema.Find("pattern");
  if (pattern != nullptr && pattern->is_string()) {
    CARAT_ASSIGN_OR_RETURN(const bool ok,
                           MatchesPattern(pattern->as_string(), false, text));
    if (!ok) return false;
  }
  const Json* format = schema.Find("format");
  if (format == nullptr || !format->is_string()) return true;
  const std::string_view spelling = FormatPattern(format->as_string());
  if (spelling.empty()) return true;
  return MatchesPattern(std::string(spelling), true, text);
}

Result<bool> SchemaValidator::CheckArray(const Json& schema, const Json& value,
                                         int depth) {
  const Json::Array& list = value.as_array();
  if (!WithinCounts(schema, "minItems", "maxItems", list.size())) return false;
  const Json* prefix = schema.Find("prefixItems");
  const Json* items = schema.Find("items");
  if (items != nullptr && items->is_array()) {
    prefix = items;
    items = schema.Find("additionalItems");
  }
  const size_t fixed =
      prefix != nullptr && prefix->is_array() ? prefix->as_array().size() : 0;
  for (size_t i = 0; i < list.size(); ++i) {
    const Json* item = i < fixed ? &prefix->as_array()[i] : items;
    if (item == nullptr) continue;
    CARAT_ASSIGN_OR_RETURN(const bool ok, Check(*item, list[i], depth + 1));
    if (!ok) return false;
  }
  return true;
}

Result<bool> SchemaValidator::CheckObject(const Json& schema, const Json& value,
                                          int depth) {
  const Json::Object& members = value.as_object();
  if (!WithinCounts(schema, "minProperties", "maxProperties", members.size())) {
    return false;
  }
  const Json* required = schema.Find("required");
  if (required != nullptr && required->is_array()) {
    for (const Json& name : required->as_array()) {
      if (name.is_string() && value.Find(name.as_string()) == nullptr) {
        return false;
      }
    }
  }
  const Json* properties = schema.Find("properties");
  const Json* additional = schema.Find("additionalProperties");
  for (const auto& [name, member] : members) {
    const Json* property =
        properties == nullptr ? nullptr : properties->Find(name);
    if (property == nullptr) property = additional;
    if (property == nullptr) continue;
    CARAT_ASSIGN_OR_RETURN(const bool ok, Check(*property, member, depth + 1));
    if (!ok) return false;
  }
  return true;
}

Result<bool> SchemaValidator::CheckBranches(const Json& schema,
                                            const Json& value, int depth) {
  const Json* reference = schema.Find("$ref");
  if (reference != nullptr && reference->is_string()) {
    CARAT_ASSIGN_OR_RETURN(const Json* target,
                           reader_->Resolve(reference->as_string()));
    CARAT_ASSIGN_OR_RETURN(const bool ok, Check(*target, value, depth + 1));
    if (!ok) return false;
  }
  for (const char* keyword : {"allOf", "anyOf", "oneOf"}) {
    const Json* branches = schema.Find(keyword);
    if (branches == nullptr || !branches->is_array()) continue;
    size_t matching = 0;
    for (const Json& branch : branches->as_array()) {
      CARAT_ASSIGN_OR_RETURN(const bool ok, Check(branch, value, depth + 1));
      matching += ok ? 1 : 0;
    }
    const bool all = keyword[1] == 'l';
    if (all ? matching != branches->as_array().size() : matching == 0) {
      return false;
    }
  }
  const Json* negated = schema.Find("not");
  if (negated == nullptr) return true;
  CARAT_ASSIGN_OR_RETURN(const bool ok, Check(*negated, value, depth + 1));
  return !ok;
}

Result<bool> SchemaValidator::Check(const Json& schema, const Json& value,
                                    int depth) {
  if (depth > kMaxDepth) {
    return ResourceExhausted("The JSON schema or value nests too deeply.");
  }
  if (schema.is_bool()) return schema.as_bool();
  if (!schema.is_object()) return true;
  const uint8_t type = TypeOf(value);
  if (!TypeFits(schema, type) || !ValueFits(schema, value)) return false;
  CARAT_ASSIGN_OR_RETURN(const bool branches,
                         CheckBranches(schema, value, depth));
  if (!branches) return false;
  if (value.is_number()) return NumberFits(schema, value);
  if (value.is_string()) return CheckString(schema, value.as_string());
  if (value.is_array()) return CheckArray(schema, value, depth);
  if (value.is_object()) return CheckObject(schema, value, depth);
  return true;
}

Result<bool> ValidateJson(const Json& schema, const Json& value) {
  CARAT_ASSIGN_OR_RETURN(const SchemaReader reader,
                         SchemaReader::Open(schema, true));
  return SchemaValidator(&reader).Matches(schema, value);
}

}  // namespace carat
