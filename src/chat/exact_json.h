// A JSON value that keeps every number as it was written. Prompts spell
// arguments out, so "123456789012345678901234567890", "2.0" and "1e-07" must
// come out as they went in; a double in between would change them.
#ifndef CARAT_CHAT_EXACT_JSON_H_
#define CARAT_CHAT_EXACT_JSON_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace carat {

struct ExactJson {
  enum class Kind { kNull, kBool, kNumber, kString, kArray, kObject };
  struct Member;

  Kind kind = Kind::kNull;
  bool flag = false;             // kBool
  std::string text;              // kString; kNumber: the digits as written
  std::vector<ExactJson> items;  // kArray
  std::vector<Member> members;   // kObject, in order, keys unique

  static ExactJson Bool(bool value);
  // Precondition: `digits` is a JSON number.
  static ExactJson Number(std::string digits);
  static ExactJson String(std::string value);
  static ExactJson Array();
  static ExactJson Object();

  bool is_null() const { return kind == Kind::kNull; }
  bool is_bool() const { return kind == Kind::kBool; }
  bool is_number() const { return kind == Kind::kNumber; }
  bool is_string() const { return kind == Kind::kString; }
  bool is_array() const { return kind == Kind::kArray; }
  bool is_object() const { return kind == Kind::kObject; }
  const char* kind_name() const;

  // What Python calls true: not null, false, zero, "" or empty.
  bool truthy() const;

  // The member `key`, or null when this is no object or has none.
  const ExactJson* Find(std::string_view key) const;
  // The string member `key`; empty when absent or of another kind.
  std::string_view StringAt(std::string_view key) const;
  // Adds or replaces a member of an object.
  void Set(std::string_view key, ExactJson value);
  void Erase(std::string_view key);

  // RFC 8259, valid UTF-8 only; a lone surrogate escape becomes U+FFFD. Of
  // duplicate keys the last value counts, at the first one's place.
  static Result<ExactJson> Parse(std::string_view text, int max_depth = 128);
  // Compact text.
  std::string Dump() const;
  void DumpTo(std::string* out) const;

  bool operator==(const ExactJson& other) const;

 private:
  static ExactJson OfKind(Kind kind);
};

struct ExactJson::Member {
  std::string key;
  ExactJson value;
  bool operator==(const Member& other) const = default;
};

// True when `text` is exactly one JSON number.
bool IsJsonNumber(std::string_view text);
// Appends `text` as the inside of a JSON string, without the quotes.
void AppendJsonEscaped(std::string_view text, std::string* out);

}  // namespace carat

#endif  // CARAT_CHAT_EXACT_JSON_H_
