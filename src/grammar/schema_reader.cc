#include "grammar/schema_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "grammar/schema_parts.h"

namespace carat {
namespace {

constexpr int kMaxDepth = 128;
constexpr size_t kMaxVariants = 256;
constexpr size_t kMaxSchemas = 50000;

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
