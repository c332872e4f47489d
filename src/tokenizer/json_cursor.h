// A forward-only reader of large JSON texts. tokenizer.json has a million
// strings; this reads them in place, without building a tree. Strings without
// escapes are views into the text, the others live in the cursor. The first
// error sticks and names its byte offset.
#ifndef CARAT_TOKENIZER_JSON_CURSOR_H_
#define CARAT_TOKENIZER_JSON_CURSOR_H_

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "base/status.h"

namespace carat {

class JsonCursor {
 public:
  // `text` must outlive the cursor and the views it gives out.
  explicit JsonCursor(std::string_view text) : text_(text) {}
  JsonCursor(const JsonCursor&) = delete;
  JsonCursor& operator=(const JsonCursor&) = delete;

  // The first character of the next value: { [ " t f n - or a digit; 0 at the
  // end of the text.
  char Peek();

  // Walks `{"key": value, ...}`: call EnterObject once, then NextKey until it
  // is false, reading or skipping one value each time. Likewise for arrays.
  bool EnterObject() { return Enter('{'); }
  bool NextKey(std::string_view* key);
  bool EnterArray() { return Enter('['); }
  bool NextElement() { return Next(']'); }

  bool String(std::string_view* value);
  bool Int(int64_t* value);
  bool Bool(bool* value);
  // Steps over a value of any type.
  bool Skip();

  // True when only white space is left.
  bool AtEnd() { return Peek() == 0; }
  bool ok() const { return status_.ok(); }
  const Status& status() const { return status_; }
  // Records `expected` as what should have stood here; always false.
  bool Fail(std::string_view expected);

 private:
  static constexpr int kMaxDepth = 256;

  bool Enter(char open);
  bool Next(char close);
  void SkipSpace();
  bool SkipScalar();
  bool Unescape(std::string* out);
  bool Hex4(uint32_t* code);

  std::string_view text_;
  size_t at_ = 0;
  bool first_ = false;  // right behind an opening bracket
  std::deque<std::string> unescaped_;
  Status status_;
};

}  // namespace carat

#endif  // CARAT_TOKENIZER_JSON_CURSOR_H_
