// Typed key/value metadata of a GGUF file. Values view the file's mapping;
// they live as long as the ModelFile that owns it.
#ifndef CARAT_FORMATS_METADATA_H_
#define CARAT_FORMATS_METADATA_H_

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"

namespace carat {

// Element types of GGUF metadata, by their ids in the file.
enum class MetaType : uint32_t {
  kU8 = 0,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64,
};

// An array of fixed-size numbers (raw little-endian bytes) or of strings.
// Nested arrays are refused by the parser.
struct MetaArray {
  MetaType type = MetaType::kU8;
  size_t count = 0;
  const uint8_t* raw = nullptr;           // numbers: count elements
  std::vector<std::string_view> strings;  // strings: count views
  // Element i of a numeric or bool array. Precondition: i < count.
  int64_t IntAt(size_t i) const;
  double DoubleAt(size_t i) const;
};

using MetaValue =
    std::variant<int64_t, uint64_t, double, bool, std::string_view, MetaArray>;

class Metadata {
 public:
  const MetaValue* Find(std::string_view key) const;
  bool Has(std::string_view key) const { return Find(key) != nullptr; }

  // Typed look-ups: empty when the key is absent; an error naming the key,
  // the type expected and the type found when it has another type. Integers
  // of any width and sign are accepted where they fit.
  Result<std::optional<int64_t>> Int(std::string_view key) const;
  Result<std::optional<double>> Double(std::string_view key) const;
  Result<std::optional<bool>> Bool(std::string_view key) const;
  Result<std::optional<std::string_view>> String(std::string_view key) const;
  // Null when absent.
  Result<const MetaArray*> Array(std::string_view key) const;
  // A number, or one number per element of an array, as int64.
  // Empty when absent.
  Result<std::vector<int64_t>> Ints(std::string_view key) const;

  const std::map<std::string, MetaValue, std::less<>>& all() const {
    return values_;
  }
  void Set(std::string key, MetaValue value);

 private:
  std::map<std::string, MetaValue, std::less<>> values_;
};

}  // namespace carat

#endif  // CARAT_FORMATS_METADATA_H_
