#include "formats/metadata.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "base/utf8.h"

namespace carat {
namespace {

constexpr int64_t kLargest = std::numeric_limits<int64_t>::max();

template <typename T>
T LoadAt(const uint8_t* raw, size_t i) {
  T value;
  std::memcpy(&value, raw + i * sizeof(T), sizeof(T));
  return value;
}

// Nearest int64 towards zero; 0 for NaN.
int64_t Truncate(double value) {
  if (std::isnan(value)) return 0;
  if (value >= 0x1p63) return kLargest;
  if (value < -0x1p63) return std::numeric_limits<int64_t>::min();
  return static_cast<int64_t>(value);
}

const char* KindName(const MetaValue& value) {
  static constexpr const char* kNames[] = {"an integer", "an integer",
                                           "a float",    "a boolean",
                                           "a string",   "an array"};
  return kNames[value.index()];
}

Status WrongType(std::string_view key, const char* expected,
                 const MetaValue& found) {
  return Malformed(fmt::format("the metadata key {} should be {} but is {}",
                               QuoteForMessage(key), expected,
                               KindName(found)));
}

Status TooLarge(std::string_view key, uint64_t value) {
  return Malformed(fmt::format(
      "the metadata key {} has the value {}, which is beyond any sensible size",
      QuoteForMessage(key), value));
}

}  // namespace

int64_t MetaArray::IntAt(size_t i) const {
  CARAT_CHECK(i < count && raw != nullptr);
  switch (type) {
    case MetaType::kU8:
      return LoadAt<uint8_t>(raw, i);
    case MetaType::kI8:
      return LoadAt<int8_t>(raw, i);
    case MetaType::kU16:
      return LoadAt<uint16_t>(raw, i);
    case MetaType::kI16:
      return LoadAt<int16_t>(raw, i);
    case MetaType::kU32:
      return LoadAt<uint32_t>(raw, i);
    case MetaType::kI32:
      return LoadAt<int32_t>(raw, i);
    case MetaType::kF32:
      return Truncate(LoadAt<float>(raw, i));
    case MetaType::kBool:
      return LoadAt<uint8_t>(raw, i) != 0;
    case MetaType::kU64:
      return static_cast<int64_t>(LoadAt<uint64_t>(raw, i));
    case MetaType::kI64:
      return LoadAt<int64_t>(raw, i);
    case MetaType::kF64:
      return Truncate(LoadAt<double>(raw, i));
    case MetaType::kString:
    case MetaType::kArray:
      break;
  }
  CARAT_CHECK(false);
}

double MetaArray::DoubleAt(size_t i) const {
  CARAT_CHECK(i < count && raw != nullptr);
  if (type == MetaType::kF32) return LoadAt<float>(raw, i);
  if (type == MetaType::kF64) return LoadAt<double>(raw, i);
  if (type == MetaType::kU64) {
    return static_cast<double>(LoadAt<uint64_t>(raw, i));
  }
  return static_cast<double>(IntAt(i));
}

const MetaValue* Metadata::Find(std::string_view key) const {
  const auto it = values_.find(key);
  return it == values_.end() ? nullptr : &it->second;
}

void Metadata::Set(std::string key, MetaValue value) {
  values_.insert_or_assign(std::move(key), std::move(value));
}

Result<std::optional<int64_t>> Metadata::Int(std::string_view key) const {
  const MetaValue* value = Find(key);
  if (value == nullptr) return std::optional<int64_t>();
  if (const int64_t* i = std::get_if<int64_t>(value)) return std::optional(*i);
  if (const uint64_t* u = std::get_if<uint64_t>(value)) {
    if (*u > static_cast<uint64_t>(kLargest)) return TooLarge(key, *u);
    return std::optional(static_cast<int64_t>(*u));
  }
  return WrongType(key, "an integer", *value);
}

Result<std::optional<double>> Metadata::Double(std::string_view key) const {
  const MetaValue* value = Find(key);
  if (value == nullptr) return std::optional<double>();
  if (const double* d = std::get_if<double>(value)) return std::optional(*d);
  if (const int64_t* i = std::get_if<int64_t>(value)) {
    return std::optional(static_cast<double>(*i));
  }
  if (const uint64_t* u = std::get_if<uint64_t>(value)) {
    return std::optional(static_cast<double>(*u));
  }
  return WrongType(key, "a number", *value);
}

Result<std::optional<bool>> Metadata::Bool(std::string_view key) const {
  const MetaValue* value = Find(key);
  if (value == nullptr) return std::optional<bool>();
  if (const bool* b = std::get_if<bool>(value)) return std::optional(*b);
  return WrongType(key, "a boolean", *value);
}

Result<std::optional<std::string_view>> Metadata::String(
    std::string_view key) const {
  const MetaValue* value = Find(key);
  if (value == nullptr) return std::optional<std::string_view>();
  if (const auto* s = std::get_if<std::string_view>(value)) {
    return std::optional(*s);
  }
  return WrongType(key, "a string", *value);
}

Result<const MetaArray*> Metadata::Array(std::string_view key) const {
  const MetaValue* value = Find(key);
  if (value == nullptr) return static_cast<const MetaArray*>(nullptr);
  if (const auto* a = std::get_if<MetaArray>(value)) return a;
  return WrongType(key, "an array", *value);
}

Result<std::vector<int64_t>> Metadata::Ints(std::string_view key) const {
  const MetaValue* value = Find(key);
  if (value == nullptr) return std::vector<int64_t>();
  const MetaArray* array = std::get_if<MetaArray>(value);
  if (array == nullptr) {
    if (const bool* b = std::get_if<bool>(value)) {
      return std::vector<int64_t>{*b ? 1 : 0};
    }
    CARAT_ASSIGN_OR_RETURN(const std::optional<int64_t> one, Int(key));
    return std::vector<int64_t>{*one};
  }
  switch (array->type) {
    case MetaType::kString:
    case MetaType::kArray:
    case MetaType::kF32:
    case MetaType::kF64:
      return Malformed(fmt::format(
          "the metadata key {} should be an array of integers but holds {}",
          QuoteForMessage(key),
          array->type == MetaType::kString ? "strings" : "floats"));
    default:
      break;
  }
  std::vector<int64_t> result(array->count);
  for (size_t i = 0; i < array->count; ++i) {
    result[i] = array->IntAt(i);
    if (array->type == MetaType::kU64 && result[i] < 0) {
      return TooLarge(key, static_cast<uint64_t>(result[i]));
    }
  }
  return result;
}

}  // namespace carat
