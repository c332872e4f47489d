#include "chat/call_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/utf8.h"
#include "chat/call_repair.h"
#include "chat/python_text.h"
#include "chat/tool_schema.h"

namespace carat {
namespace {

constexpr int kMaxDepth = 128;

bool IsNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

// Declared names may be anything; others only what the models are trained on.
bool IsCallName(std::string_view name, const DeclaredTools& tools) {
  if (tools.Find(name) != nullptr) return true;
  return !name.empty() && std::all_of(name.begin(), name.end(), IsNameChar);
}

// The notation as trained, with whitespace allowed between its parts.
class StrictReader {
 public:
  StrictReader(std::string_view text, const CallMarks& marks)
      : text_(text), marks_(marks) {}

  bool Members(ExactJson* out, int depth) {
    *out = ExactJson::Object();
    if (depth > kMaxDepth) return false;
    ++at_;
    SkipSpace();
    if (Eat('}')) return true;
    do {
      std::string key;
      ExactJson value;
      if (!Key(&key) || !Value(&value, depth + 1)) return false;
      // A key given twice: the first one stands.
      if (out->Find(key) == nullptr) {
        out->members.push_back({std::move(key), std::move(value)});
      }
      SkipSpace();
    } while (Eat(','));
    return Eat('}');
  }

  bool Value(ExactJson* out, int depth) {
    SkipSpace();
    if (at_ >= text_.size()) return false;
    const char c = text_[at_];
    if (c == kQuoteMark) {
      *out = ExactJson::String("");
      return Marked(&out->text);
    }
    if (c == '{') return Members(out, depth);
    if (c == '[') return Items(out, depth);
    return Bare(out);
  }

  bool AtEnd() {
    SkipSpace();
    return at_ == text_.size();
  }

 private:
  void SkipSpace() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) !=
                                     std::string_view::npos) {
      ++at_;
    }
  }
  bool Eat(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool Marked(std::string* out) {
    const size_t end = text_.find(kQuoteMark, at_ + 1);
    if (end == text_.npos) return false;
    *out = SpellMarks(text_.substr(at_ + 1, end - at_ - 1), marks_);
    at_ = end + 1;
    return true;
  }

  bool Key(std::string* out) {
    SkipSpace();
    if (at_ < text_.size() && text_[at_] == kQuoteMark) {
      if (!Marked(out)) return false;
      SkipSpace();
      return Eat(':');
    }
    constexpr std::string_view kEnds = ":,{}[]\"\xFF\xFE";
    const size_t end = text_.find_first_of(kEnds, at_);
    if (end == text_.npos || text_[end] != ':') return false;
    const std::string_view key = PythonStrip(text_.substr(at_, end - at_));
    if (key.empty()) return false;
    *out = key;
    at_ = end + 1;
    return true;
  }

  bool Items(ExactJson* out, int depth) {
    *out = ExactJson::Array();
    if (depth > kMaxDepth) return false;
    ++at_;
    SkipSpace();
    if (Eat(']')) return true;
    do {
      out->items.emplace_back();
      if (!Value(&out->items.back(), depth + 1)) return false;
      SkipSpace();
    } while (Eat(','));
    return Eat(']');
  }

  bool Bare(ExactJson* out) {
    size_t end = text_.find_first_of(",}]\xFF\xFE", at_);
    if (end == text_.npos) end = text_.size();
    if (end < text_.size() &&
        (text_[end] == kQuoteMark || text_[end] == kCloseMark)) {
      return false;
    }
    const std::string_view word = PythonStrip(text_.substr(at_, end - at_));
    // Ordinary quotes are another dialect, and so are spelled delimiters.
    if (word.empty() || word[0] == '"' || word[0] == '\'' || word[0] == '`' ||
        word.find(marks_.quote) != word.npos) {
      return false;
    }
    *out = BareValue(word);
    at_ = end;
    return true;
  }

  std::string_view text_;
  CallMarks marks_;
  size_t at_ = 0;
};

// "city=Oslo" reads as part of a key up to some later colon. When only the
// part before the "=" is a declared property, that is what happened.
bool KeysLookWrong(const ExactJson& arguments, const ExactJson& schema) {
  const ExactJson* properties = schema.Find("properties");
  if (properties == nullptr) return false;
  for (const ExactJson::Member& member : arguments.members) {
    if (properties->Find(member.key) != nullptr) continue;
    const size_t equals = member.key.find('=');
    if (equals == member.key.npos) continue;
    const std::string_view before =
        PythonStrip(std::string_view(member.key).substr(0, equals));
    if (properties->Find(before) != nullptr) return true;
  }
  return false;
}

ExactJson FitString(ExactJson value, const ExactJson* schema) {
  const std::string_view word = PythonStrip(value.text);
  const bool integer = HasType(schema, "integer");
  if ((integer || HasType(schema, "number")) && IsJsonNumber(word)) {
    const bool whole = word.find_first_of(".eE") == word.npos;
    if (whole || HasType(schema, "number")) {
      return ExactJson::Number(std::string(word));
    }
  }
  if (HasType(schema, "boolean")) {
    const std::string upper = AsciiUpper(word);
    if (upper == "TRUE") return ExactJson::Bool(true);
    if (upper == "FALSE") return ExactJson::Bool(false);
  }
  return value;
}

}  // namespace

DeclaredTools::DeclaredTools(const std::vector<ToolDeclaration>& tools) {
  for (const ToolDeclaration& tool : tools) {
    Result<ExactJson> schema = ExactJson::Parse(tool.parameters);
    tools_.push_back(
        {tool.name, schema.ok() ? std::move(*schema) : ExactJson::Object()});
  }
}

const ExactJson* DeclaredTools::Find(std::string_view name) const {
  for (const Tool& tool : tools_) {
    if (tool.name == name) return &tool.schema;
  }
  return nullptr;
}

std::vector<std::string_view> DeclaredTools::names() const {
  std::vector<std::string_view> names;
  for (const Tool& tool : tools_) names.push_back(tool.name);
  return names;
}

ExactJson BareValue(std::string_view word) {
  if (word == "true") return ExactJson::Bool(true);
  if (word == "false") return ExactJson::Bool(false);
  if (word == "null" || word == "None" || word == "nil" || word == "none") {
    return ExactJson();
  }
  if (IsJsonNumber(word)) return ExactJson::Number(std::string(word));
  return ExactJson::String(std::string(word));
}

std::string SpellMarks(std::string_view text, const CallMarks& marks) {
  std::string out;
  for (const char c : text) {
    if (c == kQuoteMark) {
      out += marks.quote;
    } else if (c == kCloseMark) {
      out += marks.close;
    } else {
      out += c;
    }
  }
  return out;
}

CallHeader ReadCallHeader(std::string_view text, const DeclaredTools& tools) {
  CallHeader header;
  const std::string_view start = PythonStrip(text.substr(0, text.find('{')));
  const size_t brace = text.find('{');
  if (brace == text.npos || start.substr(0, 5) != "call:") return header;
  const std::string_view name = PythonStrip(start.substr(5));
  if (!IsCallName(name, tools)) return header;
  header.name = name;
  header.arguments_at = brace;
  return header;
}

Result<ExactJson> ParseCallValue(std::string_view text,
                                 const CallMarks& marks) {
  StrictReader reader(text, marks);
  ExactJson value;
  if (!reader.Value(&value, 0) || !reader.AtEnd()) {
    return Malformed("Not a value in the call notation.");
  }
  return value;
}

Result<ParsedCall> ParseCall(std::string_view text, const DeclaredTools& tools,
                             const CallMarks& marks) {
  const CallHeader header = ReadCallHeader(text, tools);
  if (!header.name.empty()) {
    const ExactJson* schema = tools.Find(header.name);
    StrictReader reader(text.substr(header.arguments_at), marks);
    ParsedCall call{header.name, {}, false};
    if (reader.Members(&call.arguments, 0) && reader.AtEnd() &&
        !(schema != nullptr && KeysLookWrong(call.arguments, *schema))) {
      if (schema != nullptr) {
        call.arguments =
            FitToSchema(std::move(call.arguments), *schema, schema);
      }
      return call;
    }
  }
  Result<ParsedCall> repaired = RepairCall(text, tools, marks);
  if (repaired.ok()) return repaired;
  return Malformed(
      fmt::format("The model wrote a tool call that cannot be "
                  "read: {}",
                  QuoteForMessage(SpellMarks(text, marks), 200)));
}

const ExactJson* PropertySchema(const ExactJson& root, const ExactJson* schema,
                                std::string_view key) {
  schema = ResolveSchemaRef(root, schema);
  if (schema == nullptr) return nullptr;
  const ExactJson* properties = schema->Find("properties");
  if (properties == nullptr) return nullptr;
  return ResolveSchemaRef(root, properties->Find(key));
}

bool HasType(const ExactJson* schema, std::string_view type) {
  if (schema == nullptr) return false;
  const std::string upper = AsciiUpper(type);
  const ExactJson* given = schema->Find("type");
  if (given != nullptr) {
    if (given->is_string()) return AsciiUpper(given->text) == upper;
    for (const ExactJson& item : given->items) {
      if (item.is_string() && AsciiUpper(item.text) == upper) return true;
    }
    return false;
  }
  for (const std::string_view keyword : {"anyOf", "oneOf"}) {
    const ExactJson* options = schema->Find(keyword);
    if (options == nullptr) continue;
    for (const ExactJson& option : options->items) {
      const ExactJson* named = option.Find("type");
      if (named != nullptr && named->is_string() &&
          AsciiUpper(named->text) == upper) {
        return true;
      }
    }
  }
  return false;
}

ExactJson FitToSchema(ExactJson value, const ExactJson& root,
                      const ExactJson* schema) {
  schema = ResolveSchemaRef(root, schema);
  if (schema == nullptr) return value;
  if (value.is_string()) {
    return HasType(schema, "string") ? value
                                     : FitString(std::move(value), schema);
  }
  if (value.is_object()) {
    for (ExactJson::Member& member : value.members) {
      member.value = FitToSchema(std::move(member.value), root,
                                 PropertySchema(root, schema, member.key));
    }
  } else if (value.is_array()) {
    const ExactJson* items = ResolveSchemaRef(root, schema->Find("items"));
    for (ExactJson& item : value.items) {
      item = FitToSchema(std::move(item), root, items);
    }
  }
  return value;
}

}  // namespace carat
