#include "grammar/schema_reader.h"

#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "fmt/format.h"

namespace carat {
namespace {

constexpr int kMaxDepth = 128;
constexpr size_t kMaxVariants = 256;
constexpr size_t kMaxSchemas = 50000;

// Keywords that change what is valid and that are not enforced.
constexpr std::string_view kUnsupported[] = {
    "propertyNames",         "contains",     "dependentRequired",
    "dependentSchemas",      "dependencies", "if",
    "unevaluatedItems",      "$dynamicRef",  "$recursiveRef",
    "unevaluatedProperties",
};

std::string Escaped(std::string_view key) {
  std::string out;
  for (char c : key) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out.push_back(c);
    }
  }
  return out;
}

void Merge(Conjunction* into, const Json* schema) {
  const auto at = std::lower_bound(into->begin(), into->end(), schema);
  if (at == into->end() || *at != schema) into->insert(at, schema);
}

bool IsTrue(const Json& schema) { return schema.is_bool() && schema.as_bool(); }

}  // namespace

bool SameJson(const Json& a, const Json& b) {
  if (a.is_number() && b.is_number()) return CompareNumbers(a, b) == 0;
  if (a.is_array() && b.is_array()) {
    const Json::Array &x = a.as_array(), &y = b.as_array();
    return std::equal(x.begin(), x.end(), y.begin(), y.end(), SameJson);
  }
  if (a.is_object() && b.is_object()) {
    if (a.as_object().size() != b.as_object().size()) return false;
    for (const Json::Member& member : a.as_object()) {
      const Json* other = b.Find(member.first);
      if (other == nullptr || !SameJson(member.second, *other)) return false;
    }
    return true;
  }
  return a == b;
}

uint8_t TypeOf(const Json& value) {
  if (value.is_null()) return kTypeNull;
  if (value.is_bool()) return kTypeBoolean;
  if (value.is_int()) return kTypeInteger;
  if (value.is_double()) {
    const double d = value.as_double();
    return std::floor(d) == d ? kTypeInteger : kTypeFraction;
  }
  if (value.is_string()) return kTypeString;
  return value.is_array() ? kTypeArray : kTypeObject;
}

struct SchemaReader::Parts {
  SchemaVariant variant;
  bool typed = false;
  uint8_t hinted = 0;  // types the keywords speak of
  struct Group {
    const Json* schema;
    std::string keyword;
    const Json* branches;
  };
  std::vector<Group> groups;
  std::vector<const Json*> todo;
  std::set<const Json*> seen;
  struct ArrayPart {
    std::vector<const Json*> prefix;
    const Json* items = nullptr;
  };
  std::vector<ArrayPart> arrays;
  struct ObjectPart {
    std::vector<std::pair<std::string, const Json*>> properties;
    const Json* additional = nullptr;
  };
  std::vector<ObjectPart> objects;
  std::vector<std::string> required;
  std::vector<std::string> ordering;
  std::vector<const Json*> excluded;  // values under "not"
  uint64_t min_properties = 0;
  uint64_t max_properties = Guard::kNoLimit;
  const Json* property_limits = nullptr;
};

Status SchemaReader::Bad(const Json& schema, std::string_view what) const {
  return Malformed(
      fmt::format("JSON schema at {}: {}.", PathOf(&schema), what));
}

Status SchemaReader::Missing(const Json& schema, std::string_view what) const {
  return Unsupported(fmt::format(
      "JSON schema at {}: {} is not supported in structured output.",
      PathOf(&schema), what));
}

std::string SchemaReader::PathOf(const Json* schema) const {
  const auto it = paths_.find(schema);
  return it == paths_.end() ? "#" : it->second;
}

Result<SchemaReader> SchemaReader::Open(const Json& root, bool spec_defaults) {
  SchemaReader reader(root, spec_defaults);
  CARAT_RETURN_IF_ERROR(reader.Index(root, "#", 0));
  return reader;
}

// Names every schema by its path and remembers anchors and ids.
Status SchemaReader::Index(const Json& schema, const std::string& path,
                           int depth) {
  paths_.emplace(&schema, path);
  if (paths_.size() > kMaxSchemas) {
    return ResourceExhausted("The JSON schema is too large.");
  }
  if (depth > kMaxDepth) {
    return ResourceExhausted("The JSON schema nests too deeply.");
  }
  if (schema.is_array()) {
    const Json::Array& items = schema.as_array();
    for (size_t i = 0; i < items.size(); ++i) {
      CARAT_RETURN_IF_ERROR(
          Index(items[i], fmt::format("{}/{}", path, i), depth + 1));
    }
    return OkStatus();
  }
  if (!schema.is_object()) return OkStatus();
  const Json* anchor = schema.Find("$anchor");
  if (anchor != nullptr && anchor->is_string()) {
    anchors_.emplace("#" + anchor->as_string(), &schema);
  }
  const Json* id = schema.Find("$id");
  if (id != nullptr && id->is_string()) {
    anchors_.emplace(id->as_string(), &schema);
  }
  for (const auto& [key, value] : schema.as_object()) {
    if (key == "enum" || key == "const" || key == "default" ||
        key == "examples" || key == "example") {
      continue;
    }
    CARAT_RETURN_IF_ERROR(Index(value, path + "/" + Escaped(key), depth + 1));
  }
  return OkStatus();
}

Result<const Json*> SchemaReader::Resolve(const std::string& reference) const {
  const auto anchor = anchors_.find(reference);
  if (anchor != anchors_.end()) return anchor->second;
  const size_t hash = reference.find('#');
  const Json* at = root_;
  auto fail = [&] {
    return Unsupported(fmt::format(
        "JSON schema: $ref {} does not lead to a part of the same schema.",
        QuoteForMessage(reference)));
  };
  if (hash != 0) {
    const auto base = anchors_.find(reference.substr(0, hash));
    if (base == anchors_.end()) return fail();
    at = base->second;
  }
  if (hash == std::string::npos) return at;
  std::string_view rest = std::string_view(reference).substr(hash + 1);
  while (!rest.empty()) {
    if (rest[0] != '/') return fail();
    rest.remove_prefix(1);
    std::string key;
    while (!rest.empty() && rest[0] != '/') {
      unsigned code = 0;
      if (rest[0] == '%' && rest.size() > 2 &&
          std::sscanf(std::string(rest.substr(1, 2)).c_str(), "%2x", &code) ==
              1) {
        key.push_back(static_cast<char>(code));
        rest.remove_prefix(3);
      } else if (rest[0] == '~' && rest.size() > 1) {
        key.push_back(rest[1] == '1' ? '/' : '~');
        rest.remove_prefix(2);
      } else {
        key.push_back(rest[0]);
        rest.remove_prefix(1);
      }
    }
    if (at->is_array()) {
      size_t index = 0;
      for (char c : key) {
        if (c < '0' || c > '9' || index > kMaxSchemas) return fail();
        index = index * 10 + static_cast<size_t>(c - '0');
      }
      if (key.empty() || index >= at->as_array().size()) return fail();
      at = &at->as_array()[index];
    } else {
      at = at->Find(key);
      if (at == nullptr) return fail();
    }
  }
  return at;
}

bool SchemaReader::HasReference(const Conjunction& schemas) const {
  return std::any_of(schemas.begin(), schemas.end(), [](const Json* schema) {
    return schema->Find("$ref") != nullptr;
  });
}

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

// Two branches of oneOf that no value can satisfy together.
Result<bool> SchemaReader::Disjoint(const Json& a, const Json& b, int depth) {
  CARAT_ASSIGN_OR_RETURN(const std::vector<SchemaVariant> left, Variants({&a}));
  CARAT_ASSIGN_OR_RETURN(const std::vector<SchemaVariant> right,
                         Variants({&b}));
  for (const SchemaVariant& x : left) {
    for (const SchemaVariant& y : right) {
      const uint8_t shared = x.types & y.types;
      if (x.never || y.never || shared == 0) continue;
      if (x.values && y.values) {
        const bool common =
            std::any_of(x.values->begin(), x.values->end(), [&](const Json& v) {
              return std::any_of(y.values->begin(), y.values->end(),
                                 [&](const Json& w) { return SameJson(v, w); });
            });
        if (!common) continue;
      }
      bool told_apart = false;
      for (const SchemaVariant::Property& p : x.properties) {
        for (const SchemaVariant::Property& q : y.properties) {
          if (shared != kTypeObject || depth > 2 || told_apart) break;
          if (p.name != q.name || !p.required || !q.required) continue;
          if (p.schema.size() != 1 || q.schema.size() != 1) continue;
          CARAT_ASSIGN_OR_RETURN(
              told_apart, Disjoint(*p.schema[0], *q.schema[0], depth + 1));
        }
      }
      // A required property one side does not allow.
      auto lacks = [](const SchemaVariant& closed, const SchemaVariant& other) {
        return !closed.additional &&
               std::any_of(other.properties.begin(), other.properties.end(),
                           [&](const SchemaVariant::Property& p) {
                             return p.required &&
                                    std::none_of(
                                        closed.properties.begin(),
                                        closed.properties.end(),
                                        [&](const SchemaVariant::Property& q) {
                                          return p.name == q.name;
                                        });
                           });
      };
      if (shared == kTypeObject && (lacks(x, y) || lacks(y, x))) continue;
      if (!told_apart) return false;
    }
  }
  return true;
}

Status SchemaReader::CheckOneOf(const Json& schema, const Json& branches) {
  if (!checked_.insert(&branches).second) return OkStatus();
  const Json::Array& list = branches.as_array();
  for (size_t i = 0; i < list.size(); ++i) {
    for (size_t j = i + 1; j < list.size(); ++j) {
      CARAT_ASSIGN_OR_RETURN(const bool disjoint,
                             Disjoint(list[i], list[j], 0));
      if (disjoint) continue;
      notes_.push_back(fmt::format(
          "oneOf at {} is read as anyOf: an answer may satisfy branches {} and "
          "{} at once.",
          PathOf(&schema), i, j));
      return OkStatus();
    }
  }
  return OkStatus();
}

const Json* SchemaReader::Without(const Json& schema,
                                  std::string_view keyword) {
  const Json*& copy = without_[{&schema, std::string(keyword)}];
  if (copy == nullptr) {
    copies_.push_back(schema);
    copies_.back().Erase(keyword);
    copy = &copies_.back();
    paths_[copy] = PathOf(&schema);
    // Sub-schemas of the copy have no path of their own; errors name the
    // parent's.
  }
  return copy;
}

Result<std::vector<SchemaVariant>> SchemaReader::Variants(
    const Conjunction& schemas) {
  if (++depth_ > kMaxDepth) {
    --depth_;
    return ResourceExhausted("The JSON schema nests too deeply.");
  }
  Parts parts;
  parts.todo.assign(schemas.begin(), schemas.end());
  std::vector<SchemaVariant> out;
  const Status status = Expand(std::move(parts), &out);
  --depth_;
  if (!status.ok()) return status;
  return out;
}

// Whether references alone lead from one schema to the other.
bool SchemaReader::LeadsTo(const Json& from, const Json* to, int depth) const {
  if (&from == to) return true;
  if (depth > kMaxDepth) return false;
  const Json* reference = from.Find("$ref");
  if (reference != nullptr && reference->is_string()) {
    const Result<const Json*> target = Resolve(reference->as_string());
    if (target.ok() && LeadsTo(**target, to, depth + 1)) return true;
  }
  const Json* all = from.Find("allOf");
  if (all == nullptr || !all->is_array() || depth > 16) return false;
  return std::any_of(
      all->as_array().begin(), all->as_array().end(),
      [&](const Json& branch) { return LeadsTo(branch, to, depth + 1); });
}

// Applies all that is to do; then one variant, or one more round for every
// branch of the first alternative.
Status SchemaReader::Expand(Parts parts, std::vector<SchemaVariant>* out) {
  for (size_t i = 0; i < parts.todo.size(); ++i) {
    const Json* schema = parts.todo[i];
    if (!parts.seen.insert(schema).second) continue;
    Merge(&parts.variant.sources, schema);
    CARAT_RETURN_IF_ERROR(Apply(*schema, &parts));
  }
  parts.todo.clear();
  if (parts.variant.never || parts.variant.types == 0) return OkStatus();
  if (parts.groups.empty()) {
    if (out->size() >= kMaxVariants) {
      return ResourceExhausted(
          "The alternatives of the JSON schema multiply to too many variants.");
    }
    CARAT_ASSIGN_OR_RETURN(SchemaVariant variant, Finish(std::move(parts)));
    if (!variant.never) out->push_back(std::move(variant));
    return OkStatus();
  }
  const Parts::Group group = parts.groups.back();
  parts.groups.pop_back();
  if (group.keyword == "oneOf") {
    CARAT_RETURN_IF_ERROR(CheckOneOf(*group.schema, *group.branches));
  }
  const Json* rest = Without(*group.schema, group.keyword);
  auto source = std::find(parts.variant.sources.begin(),
                          parts.variant.sources.end(), group.schema);
  if (source != parts.variant.sources.end()) {
    parts.variant.sources.erase(source);
    Merge(&parts.variant.sources, rest);
  }
  if (++depth_ > kMaxDepth) {
    return ResourceExhausted("The alternatives nest too deeply.");
  }
  for (const Json& branch : group.branches->as_array()) {
    // A schema that is its own alternative adds nothing.
    if (LeadsTo(branch, group.schema, 0)) continue;
    Parts chosen = parts;
    chosen.todo.push_back(&branch);
    CARAT_RETURN_IF_ERROR(Expand(std::move(chosen), out));
  }
  --depth_;
  return OkStatus();
}

Result<SchemaVariant> SchemaReader::Finish(Parts parts) {
  SchemaVariant& out = parts.variant;
  if (!parts.typed && !out.values && !spec_defaults_ && parts.hinted != 0) {
    out.types &= parts.hinted;
  }
  for (const Json* excluded : parts.excluded) {
    if (!out.values) {
      return Missing(**out.sources.begin(),
                     "\"not\" of values without a list of allowed ones");
    }
    std::erase_if(*out.values, [&](const Json& v) {
      return std::any_of(excluded->as_array().begin(),
                         excluded->as_array().end(),
                         [&](const Json& w) { return SameJson(v, w); });
    });
  }
  if (out.min_length > out.max_length) {
    out.types &= static_cast<uint8_t>(~kTypeString);
  }
  if (out.min_items > out.max_items) {
    out.types &= static_cast<uint8_t>(~kTypeArray);
  }
  if ((out.types & kTypeArray) != 0) {
    CARAT_RETURN_IF_ERROR(FinishArrays(parts, &out));
  }
  if ((out.types & kTypeObject) != 0) {
    CARAT_RETURN_IF_ERROR(FinishObjects(parts, &out));
  }
  if (out.types == 0) out.never = true;
  return std::move(out);
}

Status SchemaReader::FinishArrays(const Parts& parts, SchemaVariant* out) {
  size_t longest = 0;
  for (const Parts::ArrayPart& part : parts.arrays) {
    longest = std::max(longest, part.prefix.size());
  }
  for (size_t i = 0; i < longest; ++i) {
    Conjunction item;
    for (const Parts::ArrayPart& part : parts.arrays) {
      if (i < part.prefix.size()) {
        Merge(&item, part.prefix[i]);
      } else if (part.items != nullptr) {
        Merge(&item, part.items);
      }
    }
    out->prefix_items.push_back(std::move(item));
  }
  out->items.emplace();
  for (const Parts::ArrayPart& part : parts.arrays) {
    if (part.items != nullptr) Merge(&*out->items, part.items);
  }
  const bool closed =
      std::any_of(out->items->begin(), out->items->end(),
                  [](const Json* s) { return s->is_bool() && !s->as_bool(); });
  if (closed) {
    out->items.reset();
    out->max_items = std::min<uint64_t>(out->max_items, longest);
    if (out->min_items > out->max_items) {
      out->types &= static_cast<uint8_t>(~kTypeArray);
    }
  }
  return OkStatus();
}

Status SchemaReader::FinishObjects(const Parts& parts, SchemaVariant* out) {
  std::vector<std::string> names = parts.ordering;
  bool has_properties = false;
  bool says_additional = false;
  for (const Parts::ObjectPart& part : parts.objects) {
    for (const auto& property : part.properties) {
      names.push_back(property.first);
      has_properties = true;
    }
    says_additional |= part.additional != nullptr;
  }
  const bool closed_by_default =
      !spec_defaults_ && has_properties && !says_additional;
  std::set<std::string> declared;
  for (const Parts::ObjectPart& part : parts.objects) {
    for (const auto& property : part.properties) {
      declared.insert(property.first);
    }
  }
  names.insert(names.end(), parts.required.begin(), parts.required.end());
  const std::set<std::string> required(parts.required.begin(),
                                       parts.required.end());
  std::set<std::string> done;
  for (const std::string& name : names) {
    const bool is_required = required.contains(name);
    if (!declared.contains(name) && !is_required) continue;
    if (!done.insert(name).second) continue;
    SchemaVariant::Property property{name, {}, is_required};
    for (const Parts::ObjectPart& part : parts.objects) {
      const Json* schema = part.additional;
      for (const auto& [key, value] : part.properties) {
        if (key == name) schema = value;
      }
      if (schema != nullptr) Merge(&property.schema, schema);
    }
    out->properties.push_back(std::move(property));
  }
  if (!closed_by_default) out->additional.emplace();
  for (const Parts::ObjectPart& part : parts.objects) {
    if (part.additional == nullptr || !out->additional) continue;
    if (part.additional->is_bool() && !part.additional->as_bool()) {
      out->additional.reset();
    } else {
      Merge(&*out->additional, part.additional);
    }
  }
  if (parts.property_limits == nullptr) return OkStatus();
  const bool enough = parts.min_properties <= required.size();
  const bool few =
      parts.max_properties == Guard::kNoLimit ||
      (!out->additional && out->properties.size() <= parts.max_properties);
  if (enough && few) return OkStatus();
  return Missing(*parts.property_limits,
                 "\"minProperties\" or \"maxProperties\" that \"required\" and "
                 "\"properties\" do not already fulfil");
}

}  // namespace carat
