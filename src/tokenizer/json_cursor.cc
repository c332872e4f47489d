#include "tokenizer/json_cursor.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <vector>

#include "base/utf8.h"

namespace carat {

void JsonCursor::SkipSpace() {
  while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' ||
                                text_[at_] == '\t' || text_[at_] == '\r')) {
    ++at_;
  }
}

char JsonCursor::Peek() {
  SkipSpace();
  return at_ < text_.size() ? text_[at_] : '\0';
}

bool JsonCursor::Fail(std::string_view expected) {
  if (status_.ok()) {
    status_ = Malformed(
        at_ < text_.size()
            ? fmt::format("The JSON text needs {} at byte {}, but has {}.",
                          expected, at_, QuoteForMessage(text_.substr(at_, 12)))
            : fmt::format("The JSON text ends where it needs {}.", expected));
  }
  at_ = text_.size();
  return false;
}

bool JsonCursor::Enter(char open) {
  if (Peek() != open) {
    return Fail(open == '{' ? "an object" : "an array");
  }
  ++at_;
  first_ = true;
  return true;
}

bool JsonCursor::Next(char close) {
  if (!ok()) return false;
  const char c = Peek();
  if (c == close) {
    ++at_;
    first_ = false;
    return false;
  }
  if (!first_) {
    if (c != ',') return Fail("',' or a closing bracket");
    ++at_;
    if (Peek() == close) return Fail("a value after ','");
  }
  first_ = false;
  return true;
}

bool JsonCursor::NextKey(std::string_view* key) {
  if (!Next('}')) return false;
  if (!String(key)) return false;
  if (Peek() != ':') return Fail("':'");
  ++at_;
  return true;
}

bool JsonCursor::String(std::string_view* value) {
  if (Peek() != '"') return Fail("a string");
  const size_t begin = ++at_;
  while (at_ < text_.size()) {
    const unsigned char c = static_cast<unsigned char>(text_[at_]);
    if (c == '"') {
      *value = text_.substr(begin, at_++ - begin);
      return true;
    }
    if (c == '\\') {
      std::string& out =
          unescaped_.emplace_back(text_.substr(begin, at_ - begin));
      if (!Unescape(&out)) return false;
      *value = out;
      return true;
    }
    if (c < 0x20) return Fail("an escape instead of a control character");
    ++at_;
  }
  return Fail("'\"'");
}

// Appends the rest of a string, from an escape to behind the closing quote.
bool JsonCursor::Unescape(std::string* out) {
  static constexpr std::string_view kFrom = "\"\\/bfnrt";
  static constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (static_cast<unsigned char>(c) < 0x20) {
      return Fail("an escape instead of a control character");
    }
    ++at_;
    if (c == '"') return true;
    if (c != '\\') {
      *out += c;
      continue;
    }
    if (at_ == text_.size()) break;
    const char escape = text_[at_];
    if (const size_t index = kFrom.find(escape);
        index != std::string_view::npos) {
      ++at_;
      *out += kTo[index];
      continue;
    }
    if (escape != 'u') return Fail("a known escape");
    ++at_;
    uint32_t code;
    if (!Hex4(&code)) return false;
    if (code >= 0xD800 && code < 0xDC00 &&
        text_.substr(at_).starts_with("\\u")) {
      at_ += 2;
      uint32_t low;
      if (!Hex4(&low)) return false;
      if (low < 0xDC00 || low > 0xDFFF) return Fail("a low surrogate");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    AppendUtf8(code, out);
  }
  return Fail("'\"'");
}

bool JsonCursor::Hex4(uint32_t* code) {
  *code = 0;
  if (text_.size() - at_ < 4) return Fail("four hexadecimal digits");
  const char* begin = text_.data() + at_;
  const auto [end, error] = std::from_chars(begin, begin + 4, *code, 16);
  if (error != std::errc() || end != begin + 4) {
    return Fail("four hexadecimal digits");
  }
  at_ += 4;
  return true;
}

bool JsonCursor::Int(int64_t* value) {
  Peek();
  const char* begin = text_.data() + at_;
  const char* last = text_.data() + text_.size();
  const auto [end, error] = std::from_chars(begin, last, *value);
  const bool fraction =
      end < last && (*end == '.' || *end == 'e' || *end == 'E');
  if (error != std::errc() || fraction) return Fail("an integer");
  at_ += static_cast<size_t>(end - begin);
  return true;
}

bool JsonCursor::Bool(bool* value) {
  Peek();
  for (const bool candidate : {false, true}) {
    const std::string_view name = candidate ? "true" : "false";
    if (text_.substr(at_).starts_with(name)) {
      at_ += name.size();
      *value = candidate;
      return true;
    }
  }
  return Fail("true or false");
}

bool JsonCursor::SkipScalar() {
  const char c = Peek();
  if (c == '"') {
    std::string_view ignored;
    const size_t kept = unescaped_.size();
    if (!String(&ignored)) return false;
    if (unescaped_.size() > kept) unescaped_.pop_back();
    return true;
  }
  const size_t begin = at_;
  while (at_ < text_.size() &&
         (std::strchr("+-.", text_[at_]) != nullptr ||
          (text_[at_] >= '0' && text_[at_] <= '9') ||
          (text_[at_] >= 'a' && text_[at_] <= 'z') || text_[at_] == 'E')) {
    if (text_[at_] == '\0') break;
    ++at_;
  }
  return at_ > begin || Fail("a value");
}

bool JsonCursor::Skip() {
  std::vector<char> closing;  // brackets still open
  bool value_due = true;
  do {
    const char c = Peek();
    if (!closing.empty() && c == closing.back()) {
      closing.pop_back();
      value_due = false;
      first_ = false;
      ++at_;
      continue;
    }
    if (!value_due) {
      if (c != ',') return Fail("',' or a closing bracket");
      ++at_;
    }
    if (!closing.empty() && closing.back() == '}') {
      std::string_view key;
      if (!String(&key)) return false;
      if (Peek() != ':') return Fail("':'");
      ++at_;
    }
    const char value = Peek();
    if (value == '{' || value == '[') {
      if (closing.size() == kMaxDepth) return Fail("less nesting");
      closing.push_back(value == '{' ? '}' : ']');
      ++at_;
      value_due = true;
      continue;
    }
    if (!SkipScalar()) return false;
    value_due = false;
  } while (!closing.empty());
  return true;
}

}  // namespace carat
