// Reading a request's JSON object member by member. The first wrong type is
// kept as an error that names the field; readers go on and check once at the
// end. Unknown members are ignored unless a protocol says otherwise.
#ifndef CARAT_API_FIELDS_H_
#define CARAT_API_FIELDS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace carat {

// A number without a fraction, 3.0 too: JSON knows no integers.
std::optional<int64_t> WholeNumber(const Json& value);

class Fields {
 public:
  enum class Style {
    kExact,
    // As proto3 JSON: "maxItems" is found as "max_items" too, and numbers may
    // come as strings.
    kProto,
  };
  // `where`: the object's own path for messages, "" at the top.
  Fields(const Json& object, std::string where, Style style = Style::kExact);

  // Null when absent or JSON null.
  const Json* Any(std::string_view name) const;
  bool Has(std::string_view name) const { return Any(name) != nullptr; }

  // Absent members give nothing; so do wrong types, with an error kept.
  std::optional<std::string> String(std::string_view name);
  std::optional<bool> Bool(std::string_view name);
  std::optional<double> Number(std::string_view name);
  // 3.0 is an integer, 3.5 an error.
  std::optional<int64_t> Int(std::string_view name);
  const Json* Array(std::string_view name);
  const Json* Object(std::string_view name);
  // A string alone or an array of strings.
  std::vector<std::string> Strings(std::string_view name);

  // "messages[2].content": for messages.
  std::string Path(std::string_view name) const;
  void Fail(std::string_view name, std::string_view expected);
  const Status& status() const { return status_; }

 private:
  const Json& object_;
  std::string where_;
  Style style_;
  Status status_;
};

}  // namespace carat

#endif  // CARAT_API_FIELDS_H_
