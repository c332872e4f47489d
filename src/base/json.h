// JSON values whose objects keep the order of their members (schemas and tool
// declarations depend on it). The parser behind it is nlohmann's; it stays in
// json.cc. A Json owns its whole tree.
#ifndef CARAT_BASE_JSON_H_
#define CARAT_BASE_JSON_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/status.h"

namespace carat {

class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;  // in order of appearance

  Json() {}  // null
  // In json.cc: inlined everywhere they cost code and make GCC 12 warn.
  ~Json();
  Json(const Json& other);
  Json(Json&& other) noexcept;
  Json& operator=(const Json& other);
  Json& operator=(Json&& other) noexcept;

  Json(std::nullptr_t) {}
  Json(bool value) : value_(value) {}
  Json(int value) : value_(static_cast<int64_t>(value)) {}
  Json(unsigned value) : value_(static_cast<int64_t>(value)) {}
  Json(int64_t value) : value_(value) {}
  Json(uint64_t value);  // beyond int64 becomes a double
  Json(double value) : value_(value) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(std::string_view value) : value_(std::string(value)) {}
  Json(Array value) : value_(std::move(value)) {}
  Json(Object value) : value_(std::move(value)) {}
  static Json MakeArray() { return Json(Array{}); }
  static Json MakeObject() { return Json(Object{}); }

  bool is_null() const { return value_.index() == 0; }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  bool is_int() const { return std::holds_alternative<int64_t>(value_); }
  bool is_double() const { return std::holds_alternative<double>(value_); }
  bool is_number() const { return is_int() || is_double(); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }
  // "null", "boolean", "integer", "number", "string", "array" or "object".
  const char* type_name() const;

  // Precondition of each: the value has that type (as_double takes any number).
  bool as_bool() const { return std::get<bool>(value_); }
  int64_t as_int() const { return std::get<int64_t>(value_); }
  double as_double() const;
  const std::string& as_string() const { return std::get<std::string>(value_); }
  const Array& as_array() const { return std::get<Array>(value_); }
  Array& as_array() { return std::get<Array>(value_); }
  const Object& as_object() const { return std::get<Object>(value_); }
  Object& as_object() { return std::get<Object>(value_); }

  // The member named `key`, or null when this is no object or has none. With
  // duplicate keys the last wins.
  const Json* Find(std::string_view key) const;
  Json* Find(std::string_view key);
  // Sets or replaces a member. A null value becomes an object first.
  Json& Set(std::string_view key, Json value);
  // Removes a member if present.
  void Erase(std::string_view key);
  // Appends to an array. A null value becomes an array first.
  void Append(Json value);

  // Parses one JSON text (RFC 8259, valid UTF-8 only). Nesting deeper than
  // `max_depth` is an error, as is anything after the value. Errors name the
  // byte offset.
  static Result<Json> Parse(std::string_view text, int max_depth = 256);

  // Compact for indent < 0, else pretty with that many spaces. Doubles print
  // as the shortest text that reads back the same and always keep a '.' or
  // exponent; non-finite ones print as null.
  std::string Dump(int indent = -1) const;

  bool operator==(const Json& other) const = default;

 private:
  std::variant<std::monostate, bool, int64_t, double, std::string, Array,
               Object>
      value_;
};

// `text` as a quoted JSON string.
std::string JsonQuote(std::string_view text);

}  // namespace carat

#endif  // CARAT_BASE_JSON_H_
