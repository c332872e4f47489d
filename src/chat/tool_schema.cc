#include "chat/tool_schema.h"

#include <algorithm>
#include <vector>

#include "chat/python_text.h"

namespace carat {
namespace {

// Schemas beyond these bounds lose their deepest parts instead of costing
// time: a few references can otherwise stand for millions of nodes.
constexpr int kMaxDepth = 32;
constexpr int kMaxNodes = 10000;

// The value a JSON pointer such as "#/$defs/Item" names.
const ExactJson* Point(const ExactJson& root, std::string_view pointer) {
  if (pointer == "#") return &root;
  if (pointer.substr(0, 2) != "#/") return nullptr;
  const ExactJson* at = &root;
  pointer.remove_prefix(2);
  while (at != nullptr) {
    const size_t slash = pointer.find('/');
    std::string key(pointer.substr(0, slash));
    for (size_t i = 0; (i = key.find('~', i)) != key.npos; ++i) {
      if (key.compare(i, 2, "~1") == 0) key.replace(i, 2, "/");
      if (key.compare(i, 2, "~0") == 0) key.replace(i, 2, "~");
    }
    at = at->Find(key);
    if (slash == pointer.npos) break;
    pointer.remove_prefix(slash + 1);
  }
  return at;
}

// Adds a sentence to a schema's description.
void Note(const std::string& sentence, ExactJson* schema) {
  std::string text(schema->StringAt("description"));
  if (!text.empty()) {
    const bool ended =
        std::string_view(".!?:;").find(text.back()) != std::string_view::npos;
    text += ended ? " " : ". ";
  }
  schema->Set("description", ExactJson::String(text + sentence));
}

bool IsNullType(const ExactJson& type) {
  return type.is_string() && AsciiUpper(type.text) == "NULL";
}

// Takes over what `from` has and `to` lacks; properties and required unite.
void MergeInto(const ExactJson& from, ExactJson* to) {
  for (const ExactJson::Member& member : from.members) {
    const ExactJson* mine = to->Find(member.key);
    if (mine == nullptr) {
      to->members.push_back(member);
      continue;
    }
    ExactJson merged = *mine;
    if (member.key == "properties" && merged.is_object()) {
      MergeInto(member.value, &merged);
    } else if (member.key == "required" && merged.is_array()) {
      for (const ExactJson& name : member.value.items) {
        if (std::find(merged.items.begin(), merged.items.end(), name) ==
            merged.items.end()) {
          merged.items.push_back(name);
        }
      }
    }
    to->Set(member.key, std::move(merged));
  }
}

class Normalizer {
 public:
  explicit Normalizer(const ExactJson& root) : root_(root) {}

  ExactJson Schema(const ExactJson& given, int depth) {
    if (!given.is_object() || depth > kMaxDepth || ++nodes_ > kMaxNodes) {
      return ExactJson::Object();
    }
    ExactJson schema = given;
    const size_t refs = open_refs_.size();
    FollowRefs(&schema);
    MergeAll(&schema);
    PickAlternative("anyOf", &schema);
    PickAlternative("oneOf", &schema);
    PickType(&schema);
    TellValues(&schema);
    Children(&schema, depth);
    open_refs_.resize(refs);
    return schema;
  }

 private:
  void FollowRefs(ExactJson* schema) {
    for (int hops = 0; hops < kMaxDepth; ++hops) {
      const ExactJson* ref = schema->Find("$ref");
      if (ref == nullptr) return;
      const std::string pointer = ref->is_string() ? ref->text : "";
      schema->Erase("$ref");
      const ExactJson* target = Point(root_, pointer);
      if (target == nullptr || !target->is_object()) return;
      if (std::find(open_refs_.begin(), open_refs_.end(), pointer) !=
          open_refs_.end()) {
        // It is being spelled out around us: name its type and stop.
        const ExactJson* type = target->Find("type");
        if (type != nullptr && schema->Find("type") == nullptr) {
          schema->Set("type", *type);
        }
        return;
      }
      open_refs_.push_back(pointer);
      MergeInto(*target, schema);
    }
  }

  void MergeAll(ExactJson* schema) {
    const ExactJson* all = schema->Find("allOf");
    if (all == nullptr || !all->is_array()) return;
    const ExactJson parts = *all;
    schema->Erase("allOf");
    for (ExactJson part : parts.items) {
      if (!part.is_object()) continue;
      FollowRefs(&part);
      MergeInto(part, schema);
    }
  }

  void PickAlternative(std::string_view keyword, ExactJson* schema) {
    const ExactJson* given = schema->Find(keyword);
    if (given == nullptr || !given->is_array()) return;
    const std::vector<ExactJson> all = given->items;
    schema->Erase(keyword);
    std::vector<ExactJson> real;
    for (ExactJson option : all) {
      if (!option.is_object()) continue;
      const size_t refs = open_refs_.size();
      if (!real.empty()) {
        FollowRefs(&option);
        open_refs_.resize(refs);
      } else {
        FollowRefs(&option);
      }
      const ExactJson* type = option.Find("type");
      if (type != nullptr && IsNullType(*type)) {
        schema->Set("nullable", ExactJson::Bool(true));
      } else {
        real.push_back(std::move(option));
      }
    }
    if (real.empty()) return;
    UniteEnums(&real);
    MergeInto(real.front(), schema);
    NoteTypes(real, schema);
  }

  // Alternatives that are all lists of values or constants are one enum.
  static void UniteEnums(std::vector<ExactJson>* options) {
    ExactJson values = ExactJson::Array();
    for (const ExactJson& option : *options) {
      const ExactJson* fixed = option.Find("const");
      const ExactJson* list = option.Find("enum");
      if (fixed != nullptr) {
        values.items.push_back(*fixed);
      } else if (list != nullptr && list->is_array()) {
        values.items.insert(values.items.end(), list->items.begin(),
                            list->items.end());
      } else {
        return;
      }
    }
    if (options->size() < 2) return;
    options->front().Erase("const");
    options->front().Set("enum", std::move(values));
  }

  static void NoteTypes(const std::vector<ExactJson>& options,
                        ExactJson* schema) {
    std::vector<std::string> names;
    for (const ExactJson& option : options) {
      const std::string name(option.StringAt("type"));
      if (name.empty() ||
          std::find(names.begin(), names.end(), name) != names.end()) {
        continue;
      }
      names.push_back(name);
    }
    if (names.size() < 2) return;
    std::string sentence = "May be " + names.front();
    for (size_t i = 1; i < names.size(); ++i) {
      sentence += (i + 1 == names.size() ? " or " : ", ") + names[i];
    }
    Note(sentence + ".", schema);
  }

  static void PickType(ExactJson* schema) {
    const ExactJson* type = schema->Find("type");
    if (type != nullptr && type->is_array()) {
      const std::vector<ExactJson> all = type->items;
      std::vector<ExactJson> options;
      schema->Erase("type");
      for (const ExactJson& item : all) {
        if (IsNullType(item)) {
          schema->Set("nullable", ExactJson::Bool(true));
        } else if (item.is_string()) {
          options.push_back(ExactJson::Object());
          options.back().Set("type", item);
        }
      }
      if (!options.empty()) {
        schema->Set("type", *options.front().Find("type"));
        NoteTypes(options, schema);
      }
    }
    type = schema->Find("type");
    if (type != nullptr && type->is_string() && !type->text.empty()) return;
    schema->Set("type", ExactJson::String(InferType(*schema)));
  }

  static std::string InferType(const ExactJson& schema) {
    if (schema.Find("properties") != nullptr ||
        schema.Find("additionalProperties") != nullptr) {
      return "object";
    }
    if (schema.Find("items") != nullptr ||
        schema.Find("prefixItems") != nullptr) {
      return "array";
    }
    const ExactJson* value = schema.Find("const");
    const ExactJson* list = schema.Find("enum");
    if (value == nullptr && list != nullptr && !list->items.empty()) {
      value = &list->items.front();
    }
    if (value == nullptr) {
      const bool bounded = schema.Find("minimum") != nullptr ||
                           schema.Find("maximum") != nullptr;
      return bounded ? "number" : "string";
    }
    if (value->is_bool()) return "boolean";
    if (!value->is_number()) return "string";
    return value->text.find_first_of(".eE") == value->text.npos ? "integer"
                                                                : "number";
  }

  // What the notation has no words for goes into the description.
  static void TellValues(ExactJson* schema) {
    if (const ExactJson* fixed = schema->Find("const")) {
      ExactJson list = ExactJson::Array();
      list.items.push_back(*fixed);
      schema->Erase("const");
      schema->Set("enum", std::move(list));
    }
    const std::string type = AsciiUpper(schema->StringAt("type"));
    const ExactJson* list = schema->Find("enum");
    if (list != nullptr && list->is_array() && !list->items.empty() &&
        type != "STRING" && type != "BOOLEAN") {
      std::string sentence = "One of: ";
      for (size_t i = 0; i < list->items.size(); ++i) {
        if (i > 0) sentence += ", ";
        sentence += list->items[i].Dump();
      }
      schema->Erase("enum");
      Note(sentence + ".", schema);
    }
    constexpr std::pair<std::string_view, std::string_view> kBounds[] = {
        {"minimum", "Minimum: "},
        {"exclusiveMinimum", "More than "},
        {"maximum", "Maximum: "},
        {"exclusiveMaximum", "Less than "}};
    for (const auto& [keyword, words] : kBounds) {
      const ExactJson* bound = schema->Find(keyword);
      if (bound == nullptr || !bound->is_number()) continue;
      const std::string digits = bound->text;
      schema->Erase(keyword);
      Note(std::string(words) + digits + ".", schema);
    }
  }

  void Children(ExactJson* schema, int depth) {
    const std::string type = AsciiUpper(schema->StringAt("type"));
    for (ExactJson::Member& member : schema->members) {
      if (member.key == "properties" && member.value.is_object()) {
        for (ExactJson::Member& property : member.value.members) {
          property.value = Schema(property.value, depth + 1);
        }
      } else if (member.key == "items") {
        // A tuple shows its first item.
        if (member.value.is_array()) {
          member.value = member.value.items.empty()
                             ? ExactJson()
                             : ExactJson(member.value.items.front());
        }
        if (member.value.is_object() && !member.value.members.empty()) {
          member.value = Schema(member.value, depth + 1);
        }
      }
    }
    const ExactJson* properties = schema->Find("properties");
    if (type == "OBJECT" &&
        (properties == nullptr || !properties->is_object())) {
      DropNoise(schema, depth);
    }
  }

  // Members of an object schema without properties are printed as if they
  // were properties: keep what is a schema, such as additionalProperties.
  void DropNoise(ExactJson* schema, int depth) {
    std::erase_if(schema->members, [](const ExactJson::Member& member) {
      const std::string& key = member.key;
      if (key == "description" || key == "type" || key == "required" ||
          key == "nullable") {
        return false;
      }
      return !member.value.is_object() || key == "$defs" ||
             key == "definitions" || key == "properties";
    });
    for (ExactJson::Member& member : schema->members) {
      if (member.value.is_object()) {
        member.value = Schema(member.value, depth + 1);
      }
    }
  }

  const ExactJson& root_;
  std::vector<std::string> open_refs_;
  int nodes_ = 0;
};

}  // namespace

ExactJson NormalizeToolSchema(const ExactJson& root) {
  ExactJson schema = root;
  const ExactJson* type = schema.Find("type");
  if (type == nullptr || !type->is_string() || type->text.empty()) {
    schema.Set("type", ExactJson::String("object"));
  }
  return Normalizer(root).Schema(schema, 0);
}

const ExactJson* ResolveSchemaRef(const ExactJson& root,
                                  const ExactJson* schema) {
  for (int hops = 0; hops < kMaxDepth && schema != nullptr; ++hops) {
    const ExactJson* ref = schema->Find("$ref");
    if (ref == nullptr) return schema;
    schema = Point(root, ref->is_string() ? ref->text : "");
  }
  return schema;
}

}  // namespace carat
