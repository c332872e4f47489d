#include "chat/argument_stream.h"

#include "chat/python_text.h"

namespace carat {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Bytes at the end of an unfinished string that a repair could still take
// back: what may turn out to be the call's closers.
size_t TakeBackSize(std::string_view text) {
  size_t size = 0;
  while (size < text.size()) {
    const char c = text[text.size() - 1 - size];
    if (!(IsSpace(c) || c == '}' || c == ']' || c == ')' || c == kCloseMark)) {
      break;
    }
    ++size;
  }
  return size;
}

}  // namespace

std::string ArgumentStream::Feed(std::string_view text) {
  const size_t before = given_.size();
  if (given_.empty()) given_ = "{";
  while (where_ != Where::kOff && Step(text)) {
  }
  return given_.substr(before);
}

bool ArgumentStream::Step(std::string_view text) {
  switch (where_) {
    case Where::kKey:
      return Key(text);
    case Where::kValue:
      return Value(text);
    case Where::kString:
      return String(text);
    case Where::kOther:
      return Other(text);
    case Where::kAfter:
      return After(text);
    case Where::kOff:
      break;
  }
  return false;
}

bool ArgumentStream::SkipSpace(std::string_view text) {
  while (at_ < text.size() && IsSpace(text[at_])) ++at_;
  return at_ < text.size();
}

bool ArgumentStream::Key(std::string_view text) {
  if (!SkipSpace(text)) return false;
  const size_t end = text.find_first_of(":=,{}[]\"\xFF\xFE", at_);
  if (end == text.npos) return false;
  const std::string_view key = PythonStrip(text.substr(at_, end - at_));
  if (text[end] != ':' || key.empty() || keys_.Find(key) != nullptr) {
    where_ = Where::kOff;  // the end "}", or something unusual
    return false;
  }
  key_ = key;
  keys_.Set(key, ExactJson());
  at_ = end + 1;
  where_ = Where::kValue;
  return true;
}

bool ArgumentStream::Value(std::string_view text) {
  if (!SkipSpace(text)) return false;
  const ExactJson* schema =
      schema_ == nullptr ? nullptr : PropertySchema(*schema_, schema_, key_);
  const bool may_change = HasType(schema, "integer") ||
                          HasType(schema, "number") ||
                          HasType(schema, "boolean");
  if (text[at_] == kQuoteMark && !may_change) {
    GiveKey();
    given_ += '"';
    ++at_;
    where_ = Where::kString;
    return true;
  }
  scan_ = at_;
  depth_ = 0;
  quoted_ = false;
  where_ = Where::kOther;
  return true;
}

void ArgumentStream::GiveKey() {
  if (given_.size() > 1) given_ += ',';
  given_ += '"';
  AppendJsonEscaped(key_, &given_);
  given_ += "\":";
}

bool ArgumentStream::String(std::string_view text) {
  const size_t end = text.find(kQuoteMark, at_);
  if (end == text.npos) {
    const std::string_view rest = text.substr(at_);
    const size_t sure = rest.size() - TakeBackSize(rest);
    AppendJsonEscaped(SpellMarks(rest.substr(0, sure), marks_), &given_);
    at_ += sure;
    return false;
  }
  // The closing quote is certain once the notation goes on behind it.
  size_t next = end + 1;
  while (next < text.size() && IsSpace(text[next])) ++next;
  if (next >= text.size()) return false;
  if (text[next] != ',' && text[next] != '}') {
    where_ = Where::kOff;
    return false;
  }
  AppendJsonEscaped(SpellMarks(text.substr(at_, end - at_), marks_), &given_);
  given_ += '"';
  at_ = next;
  where_ = Where::kAfter;
  return true;
}

bool ArgumentStream::Other(std::string_view text) {
  for (; scan_ < text.size(); ++scan_) {
    const char c = text[scan_];
    if (c == kQuoteMark) quoted_ = !quoted_;
    if (quoted_) continue;
    if (depth_ == 0 && (c == ',' || c == '}')) break;
    if (c == '{' || c == '[') ++depth_;
    if (c == '}' || c == ']') --depth_;
  }
  if (scan_ >= text.size()) return false;
  Result<ExactJson> value =
      ParseCallValue(text.substr(at_, scan_ - at_), marks_);
  // A word without delimiters may turn out to be the start of a longer text.
  if (!value.ok() || (value->is_string() && text[at_] != kQuoteMark)) {
    where_ = Where::kOff;
    return false;
  }
  if (schema_ != nullptr) {
    *value = FitToSchema(std::move(*value), *schema_,
                         PropertySchema(*schema_, schema_, key_));
  }
  GiveKey();
  value->DumpTo(&given_);
  at_ = scan_;
  where_ = Where::kAfter;
  return true;
}

bool ArgumentStream::After(std::string_view text) {
  if (!SkipSpace(text)) return false;
  where_ = text[at_] == ',' ? Where::kKey : Where::kOff;
  ++at_;
  return where_ == Where::kKey;
}

}  // namespace carat
