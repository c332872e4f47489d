#include "chat/exact_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "base/utf8.h"

namespace carat {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Length of the JSON number at the start of `text`; 0 when there is none.
size_t NumberLength(std::string_view text) {
  size_t i = 0;
  auto digits = [&] {
    const size_t start = i;
    while (i < text.size() && IsDigit(text[i])) ++i;
    return i > start;
  };
  if (i < text.size() && text[i] == '-') ++i;
  if (i < text.size() && text[i] == '0') {
    ++i;
  } else if (!digits()) {
    return 0;
  }
  if (i < text.size() && text[i] == '.') {
    ++i;
    if (!digits()) return 0;
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
    if (!digits()) return 0;
  }
  return i;
}

class Reader {
 public:
  Reader(std::string_view text, int max_depth)
      : text_(text), max_depth_(max_depth) {}

  Result<ExactJson> ReadAll() {
    ExactJson root;
    if (!Value(&root, 0)) return Error();
    SkipSpace();
    if (at_ != text_.size()) {
      Fail("text after the value");
      return Error();
    }
    return root;
  }

 private:
  Status Error() const {
    return Malformed(
        fmt::format("invalid JSON at byte {}: {}.", failed_at_, why_));
  }
  bool Fail(const char* why) {
    if (why_ == nullptr) {
      why_ = why;
      failed_at_ = at_;
    }
    return false;
  }
  void SkipSpace() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' ||
                                  text_[at_] == '\t' || text_[at_] == '\r')) {
      ++at_;
    }
  }
  bool Eat(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool EatWord(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return Fail("unknown word");
    at_ += word.size();
    return true;
  }

  bool Value(ExactJson* out, int depth) {
    if (depth > max_depth_) return Fail("nested too deeply");
    SkipSpace();
    if (at_ >= text_.size()) return Fail("a value is missing");
    switch (text_[at_]) {
      case '{':
        return ReadObject(out, depth);
      case '[':
        return ReadArray(out, depth);
      case '"':
        out->kind = ExactJson::Kind::kString;
        return ReadString(&out->text);
      case 't':
        *out = ExactJson::Bool(true);
        return EatWord("true");
      case 'f':
        *out = ExactJson::Bool(false);
        return EatWord("false");
      case 'n':
        return EatWord("null");
      default:
        return ReadNumber(out);
    }
  }

  bool ReadNumber(ExactJson* out) {
    const size_t size = NumberLength(text_.substr(at_));
    if (size == 0) return Fail("neither a value nor a valid number");
    *out = ExactJson::Number(std::string(text_.substr(at_, size)));
    at_ += size;
    return true;
  }

  bool ReadArray(ExactJson* out, int depth) {
    *out = ExactJson::Array();
    ++at_;
    SkipSpace();
    if (Eat(']')) return true;
    do {
      out->items.emplace_back();
      if (!Value(&out->items.back(), depth + 1)) return false;
      SkipSpace();
    } while (Eat(','));
    return Eat(']') || Fail("expected , or ]");
  }

  bool ReadObject(ExactJson* out, int depth) {
    *out = ExactJson::Object();
    ++at_;
    SkipSpace();
    if (Eat('}')) return true;
    do {
      SkipSpace();
      if (at_ >= text_.size() || text_[at_] != '"') {
        return Fail("expected a key in double quotes");
      }
      out->members.emplace_back();
      if (!ReadString(&out->members.back().key)) return false;
      SkipSpace();
      if (!Eat(':')) return Fail("expected : after a key");
      if (!Value(&out->members.back().value, depth + 1)) return false;
      SkipSpace();
    } while (Eat(','));
    if (!Eat('}')) return Fail("expected , or }");
    MergeDuplicates(out);
    return true;
  }

  static void MergeDuplicates(ExactJson* object) {
    std::unordered_map<std::string_view, size_t> first;
    std::vector<bool> drop(object->members.size());
    bool any = false;
    for (size_t i = 0; i < object->members.size(); ++i) {
      auto [it, fresh] = first.emplace(object->members[i].key, i);
      if (fresh) continue;
      std::swap(object->members[it->second].value, object->members[i].value);
      drop[i] = any = true;
    }
    if (!any) return;
    std::vector<ExactJson::Member> kept;
    for (size_t i = 0; i < object->members.size(); ++i) {
      if (!drop[i]) kept.push_back(std::move(object->members[i]));
    }
    object->members = std::move(kept);
  }

  bool ReadString(std::string* out) {
    ++at_;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return true;
      }
      if (static_cast<unsigned char>(c) < 0x20) {
        return Fail("an unescaped control character in a string");
      }
      if (c == '\\') {
        if (!ReadEscape(out)) return false;
        continue;
      }
      const Utf8Char next = DecodeUtf8(text_.substr(at_));
      if (!next.valid) return Fail("invalid UTF-8");
      out->append(text_.substr(at_, next.size));
      at_ += next.size;
    }
    return Fail("an unclosed string");
  }

  bool ReadEscape(std::string* out) {
    if (at_ + 1 >= text_.size()) return Fail("an unclosed string");
    const char c = text_[at_ + 1];
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kValues = "\"\\/\b\f\n\r\t";
    if (const size_t i = kNames.find(c); i != kNames.npos) {
      out->push_back(kValues[i]);
      at_ += 2;
      return true;
    }
    char32_t code = 0;
    if (c != 'u' || !ReadHex(at_ + 2, &code)) return Fail("a bad escape");
    at_ += 6;
    char32_t low = 0;
    if (code >= 0xD800 && code < 0xDC00 && text_.substr(at_, 2) == "\\u" &&
        ReadHex(at_ + 2, &low) && low >= 0xDC00 && low < 0xE000) {
      at_ += 6;
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    AppendUtf8(code, out);
    return true;
  }

  bool ReadHex(size_t at, char32_t* code) const {
    if (at + 4 > text_.size()) return false;
    *code = 0;
    for (size_t i = at; i < at + 4; ++i) {
      const char c = text_[i];
      int digit = 0;
      if (IsDigit(c)) {
        digit = c - '0';
      } else if (c >= 'a' && c <= 'f') {
        digit = c - 'a' + 10;
      } else if (c >= 'A' && c <= 'F') {
        digit = c - 'A' + 10;
      } else {
        return false;
      }
      *code = *code * 16 + static_cast<char32_t>(digit);
    }
    return true;
  }

  std::string_view text_;
  int max_depth_;
  size_t at_ = 0;
  size_t failed_at_ = 0;
  const char* why_ = nullptr;
};

}  // namespace

ExactJson ExactJson::OfKind(Kind kind) {
  ExactJson value;
  value.kind = kind;
  return value;
}

ExactJson ExactJson::Array() { return OfKind(Kind::kArray); }

ExactJson ExactJson::Object() { return OfKind(Kind::kObject); }

ExactJson ExactJson::Bool(bool value) {
  ExactJson result = OfKind(Kind::kBool);
  result.flag = value;
  return result;
}

ExactJson ExactJson::Number(std::string digits) {
  ExactJson result = OfKind(Kind::kNumber);
  result.text = std::move(digits);
  return result;
}

ExactJson ExactJson::String(std::string value) {
  ExactJson result = OfKind(Kind::kString);
  result.text = std::move(value);
  return result;
}

const char* ExactJson::kind_name() const {
  switch (kind) {
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return "boolean";
    case Kind::kNumber:
      return "number";
    case Kind::kString:
      return "string";
    case Kind::kArray:
      return "array";
    case Kind::kObject:
      return "object";
  }
  return "null";
}

bool ExactJson::truthy() const {
  switch (kind) {
    case Kind::kNull:
      return false;
    case Kind::kBool:
      return flag;
    case Kind::kNumber: {
      const size_t end = text.find_first_of("eE");
      return text.substr(0, end).find_first_of("123456789") != text.npos;
    }
    case Kind::kString:
      return !text.empty();
    case Kind::kArray:
      return !items.empty();
    case Kind::kObject:
      return !members.empty();
  }
  return false;
}

const ExactJson* ExactJson::Find(std::string_view key) const {
  if (kind != Kind::kObject) return nullptr;
  for (const Member& member : members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

std::string_view ExactJson::StringAt(std::string_view key) const {
  const ExactJson* found = Find(key);
  if (found == nullptr || !found->is_string()) return {};
  return found->text;
}

void ExactJson::Set(std::string_view key, ExactJson value) {
  kind = Kind::kObject;
  for (Member& member : members) {
    if (member.key == key) {
      member.value = std::move(value);
      return;
    }
  }
  members.push_back({std::string(key), std::move(value)});
}

void ExactJson::Erase(std::string_view key) {
  std::erase_if(members, [&](const Member& m) { return m.key == key; });
}

Result<ExactJson> ExactJson::Parse(std::string_view text, int max_depth) {
  return Reader(text, max_depth).ReadAll();
}

std::string ExactJson::Dump() const {
  std::string out;
  DumpTo(&out);
  return out;
}

void ExactJson::DumpTo(std::string* out) const {
  switch (kind) {
    case Kind::kNull:
      *out += "null";
      return;
    case Kind::kBool:
      *out += flag ? "true" : "false";
      return;
    case Kind::kNumber:
      *out += text;
      return;
    case Kind::kString:
      *out += '"';
      AppendJsonEscaped(text, out);
      *out += '"';
      return;
    case Kind::kArray:
      *out += '[';
      for (size_t i = 0; i < items.size(); ++i) {
        if (i > 0) *out += ',';
        items[i].DumpTo(out);
      }
      *out += ']';
      return;
    case Kind::kObject:
      *out += '{';
      for (size_t i = 0; i < members.size(); ++i) {
        *out += i > 0 ? ",\"" : "\"";
        AppendJsonEscaped(members[i].key, out);
        *out += "\":";
        members[i].value.DumpTo(out);
      }
      *out += '}';
      return;
  }
}

bool ExactJson::operator==(const ExactJson& other) const {
  return kind == other.kind && flag == other.flag && text == other.text &&
         items == other.items && members == other.members;
}

bool IsJsonNumber(std::string_view text) {
  return !text.empty() && NumberLength(text) == text.size();
}

void AppendJsonEscaped(std::string_view text, std::string* out) {
  for (const char c : text) {
    switch (c) {
      case '"':
        *out += "\\\"";
        break;
      case '\\':
        *out += "\\\\";
        break;
      case '\n':
        *out += "\\n";
        break;
      case '\r':
        *out += "\\r";
        break;
      case '\t':
        *out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          *out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
        } else {
          *out += c;
        }
    }
  }
}

}  // namespace carat
