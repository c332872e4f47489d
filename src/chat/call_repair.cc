#include "chat/call_repair.h"

#include <algorithm>
#include <string>

#include "chat/python_text.h"
#include "chat/tool_schema.h"

namespace carat {
namespace {

constexpr int kMaxDepth = 64;

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool IsOpener(char c) { return c == '{' || c == '[' || c == '('; }
bool IsCloser(char c) { return c == '}' || c == ']' || c == ')'; }
bool IsQuote(char c) { return c == '"' || c == '\'' || c == '`'; }

// `text` with delimiters that were spelled out as text turned into marks.
std::string WithMarks(std::string_view text, std::string_view quote) {
  std::string out(text);
  if (quote.empty()) return out;
  for (size_t at = 0; (at = out.find(quote, at)) != out.npos; ++at) {
    out.replace(at, quote.size(), 1, kQuoteMark);
  }
  return out;
}

class LooseReader {
 public:
  LooseReader(std::string_view text, const CallMarks& marks,
              const ExactJson& root)
      : text_(text), marks_(marks), root_(root) {}

  // Members up to a closer or the end. The opener is already behind.
  bool Members(const ExactJson* schema, int depth, ExactJson* out) {
    *out = ExactJson::Object();
    if (depth > kMaxDepth) return false;
    ++open_;
    for (;;) {
      SkipSeparators();
      if (AtEnd()) return true;  // a missing closer
      if (IsCloser(text_[at_])) {
        ++at_;
        --open_;
        return true;
      }
      std::string key;
      if (!Key(&key)) return false;
      const ExactJson* property = PropertySchema(root_, schema, key);
      ExactJson value;
      if (!Value(property, schema, depth + 1, &value)) return false;
      if (out->Find(key) == nullptr) {
        out->members.push_back({std::move(key), std::move(value)});
      }
    }
  }

  // Nothing but closers may be left.
  bool OnlyClosersLeft() const {
    return std::all_of(
        text_.begin() + static_cast<ptrdiff_t>(at_), text_.end(),
        [](char c) { return IsSpace(c) || IsCloser(c) || c == kCloseMark; });
  }

 private:
  bool AtEnd() const { return at_ >= text_.size(); }
  void SkipSpace() {
    while (!AtEnd() && IsSpace(text_[at_])) ++at_;
  }
  void SkipSeparators() {
    while (!AtEnd() && (IsSpace(text_[at_]) || text_[at_] == ',' ||
                        text_[at_] == kCloseMark)) {
      ++at_;
    }
  }

  bool Key(std::string* out) {
    const char c = text_[at_];
    if (c == kQuoteMark || IsQuote(c)) {
      const size_t end = text_.find(c, at_ + 1);
      if (end == text_.npos) return false;
      *out = SpellMarks(text_.substr(at_ + 1, end - at_ - 1), marks_);
      at_ = end + 1;
      SkipSpace();
      if (AtEnd() || (text_[at_] != ':' && text_[at_] != '=')) return false;
      ++at_;
      return true;
    }
    const size_t end = text_.find_first_of(":=,{}[]()\"\xFF", at_);
    if (end == text_.npos || (text_[end] != ':' && text_[end] != '=')) {
      return false;
    }
    const std::string_view key = PythonStrip(text_.substr(at_, end - at_));
    if (key.empty()) return false;
    *out = key;
    at_ = end + 1;
    return true;
  }

  // `object`: the schema of the object around, to know its other keys.
  bool Value(const ExactJson* schema, const ExactJson* object, int depth,
             ExactJson* out) {
    if (depth > kMaxDepth) return false;
    SkipSpace();
    if (AtEnd() || text_[at_] == ',' || IsCloser(text_[at_])) {
      // Nothing there: an empty string where one is wanted.
      *out = HasType(schema, "string") ? ExactJson::String("") : ExactJson();
      return true;
    }
    const char c = text_[at_];
    if (c == kQuoteMark) return Marked(out);
    if (IsQuote(c)) return Quoted(c, out);
    if (c == '{' && !HasType(schema, "string")) {
      ++at_;
      return Members(schema, depth + 1, out);
    }
    if (c == '[' && !HasType(schema, "string")) {
      ++at_;
      return Items(schema, depth + 1, out);
    }
    return Bare(schema, object, out);
  }

  bool Items(const ExactJson* schema, int depth, ExactJson* out) {
    *out = ExactJson::Array();
    if (depth > kMaxDepth) return false;
    const ExactJson* resolved = ResolveSchemaRef(root_, schema);
    const ExactJson* items =
        resolved == nullptr ? nullptr
                            : ResolveSchemaRef(root_, resolved->Find("items"));
    ++open_;
    for (;;) {
      SkipSeparators();
      if (AtEnd()) return true;
      if (text_[at_] == ']') {
        ++at_;
        --open_;
        return true;
      }
      // A closer of the object around: the list's own is missing.
      if (IsCloser(text_[at_])) {
        --open_;
        return true;
      }
      const size_t before = at_;
      ExactJson value;
      if (!Value(items, nullptr, depth + 1, &value)) return false;
      if (at_ == before) return false;
      out->items.push_back(std::move(value));
    }
  }

  // A string up to its mark, or without one, up to the closers at the end.
  bool Marked(ExactJson* out) {
    const size_t end = text_.find(kQuoteMark, at_ + 1);
    if (end != text_.npos) {
      *out = ExactJson::String(
          SpellMarks(text_.substr(at_ + 1, end - at_ - 1), marks_));
      at_ = end + 1;
      return true;
    }
    ++at_;
    *out = ExactJson::String(SpellMarks(UpToFinalClosers(), marks_));
    return true;
  }

  // Everything left but the call's own closers, at most as many as are open.
  std::string_view UpToFinalClosers() {
    size_t end = text_.size();
    int closers = 0;
    while (end > at_) {
      const char c = text_[end - 1];
      if (IsCloser(c) && closers < open_) {
        ++closers;
      } else if (!(IsSpace(c) || c == kCloseMark)) {
        break;
      }
      --end;
    }
    const std::string_view rest = text_.substr(at_, end - at_);
    at_ = text_.size();
    return rest;
  }

  // Ordinary quotes end where the value could end: at a quote before a comma,
  // a closer or the end. Quotes inside the text are then no trouble.
  bool Quoted(char quote, ExactJson* out) {
    std::string value;
    for (size_t i = at_ + 1; i < text_.size(); ++i) {
      const char c = text_[i];
      if (c == '\\' && i + 1 < text_.size()) {
        AppendEscape(text_[++i], &value);
        continue;
      }
      if (c == quote && EndsValue(i + 1)) {
        at_ = i + 1;
        *out = ExactJson::String(SpellMarks(value, marks_));
        return true;
      }
      value += c;
    }
    ++at_;
    *out = ExactJson::String(SpellMarks(UpToFinalClosers(), marks_));
    return true;
  }

  static void AppendEscape(char c, std::string* out) {
    switch (c) {
      case 'n':
        *out += '\n';
        return;
      case 't':
        *out += '\t';
        return;
      case '"':
      case '\'':
      case '\\':
        *out += c;
        return;
      default:
        *out += '\\';
        *out += c;
    }
  }

  bool EndsValue(size_t at) const {
    while (at < text_.size() && IsSpace(text_[at])) ++at;
    return at >= text_.size() || text_[at] == ',' || IsCloser(text_[at]) ||
           text_[at] == kCloseMark;
  }

  bool Bare(const ExactJson* schema, const ExactJson* object, ExactJson* out) {
    if (HasType(schema, "string") && object != nullptr) {
      *out = ExactJson::String(SpellMarks(RawString(object), marks_));
      return true;
    }
    size_t end = at_;
    while (end < text_.size() && text_[end] != ',' && !IsCloser(text_[end])) {
      if (IsOpener(text_[end]) || text_[end] == kQuoteMark) return false;
      ++end;
    }
    const std::string_view word = PythonStrip(text_.substr(at_, end - at_));
    if (word.empty()) return false;
    at_ = end;
    *out = BareValue(SpellMarks(word, marks_));
    return true;
  }

  // Undelimited text for a parameter that is a string: up to the next declared
  // key, else up to the call's closers.
  std::string_view RawString(const ExactJson* object) {
    for (size_t comma = text_.find(',', at_); comma != text_.npos;
         comma = text_.find(',', comma + 1)) {
      const size_t end = text_.find_first_of(":=,", comma + 1);
      if (end == text_.npos) break;
      const std::string_view key =
          PythonStrip(text_.substr(comma + 1, end - comma - 1));
      if (text_[end] == ',' || PropertySchema(root_, object, key) == nullptr) {
        continue;
      }
      const std::string_view value = text_.substr(at_, comma - at_);
      at_ = comma;
      return PythonStrip(value);
    }
    return PythonStrip(UpToFinalClosers());
  }

  std::string_view text_;
  CallMarks marks_;
  const ExactJson& root_;
  size_t at_ = 0;
  int open_ = 0;  // brackets open at at_
};

// The longest declared name at the start of `text` with an opener behind it.
std::string_view DeclaredNameAt(std::string_view text,
                                const DeclaredTools& tools) {
  std::string_view found;
  for (const std::string_view name : tools.names()) {
    if (name.size() <= found.size() || text.substr(0, name.size()) != name) {
      continue;
    }
    size_t after = name.size();
    while (after < text.size() && IsSpace(text[after])) ++after;
    if (after < text.size() && (text[after] == '{' || text[after] == '(')) {
      found = name;
    }
  }
  return found;
}

}  // namespace

Result<ParsedCall> RepairCall(std::string_view text, const DeclaredTools& tools,
                              const CallMarks& marks) {
  const std::string marked = WithMarks(PythonStrip(text), marks.quote);
  std::string_view rest = marked;
  if (rest.substr(0, 5) == "call:") {
    rest.remove_prefix(5);
  } else if (rest.substr(0, 1) == ":") {
    rest.remove_prefix(1);
  }
  rest = PythonStrip(rest);
  const std::string_view name = DeclaredNameAt(rest, tools);
  if (name.empty()) return Malformed("No declared tool is called.");
  const ExactJson* schema = tools.Find(name);
  const size_t opener = rest.find_first_of("{(", name.size());
  LooseReader reader(rest.substr(opener + 1), marks, *schema);
  ParsedCall call{std::string(name), {}, true};
  if (!reader.Members(schema, 0, &call.arguments) ||
      !reader.OnlyClosersLeft()) {
    return Malformed("The arguments cannot be read.");
  }
  call.arguments = FitToSchema(std::move(call.arguments), *schema, schema);
  return call;
}

}  // namespace carat
