// Element types as stored in files. A quantised type packs kBlock consecutive
// elements of a row into one block of bytes; the layouts are those of GGUF.
#ifndef CARAT_TENSOR_DTYPE_H_
#define CARAT_TENSOR_DTYPE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace carat {

enum class DType : uint8_t {
  kF32,
  kF16,
  kBF16,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
  kQ2_K,
  kQ3_K,
  kQ4_K,
  kQ5_K,
  kQ6_K,
  kIQ1_S,
  kIQ1_M,
  kIQ2_XXS,
  kIQ2_XS,
  kIQ2_S,
  kIQ3_XXS,
  kIQ3_S,
  kIQ4_NL,
  kIQ4_XS,
  kMXFP4,
  kI8,
  kI16,
  kI32,
  kI64,
  kF64,
};
inline constexpr int kDTypeCount = static_cast<int>(DType::kF64) + 1;

struct DTypeInfo {
  const char* name;    // as GGUF tools print it: "Q4_K", "BF16"
  size_t block;        // elements per block
  size_t block_bytes;  // bytes per block
};
const DTypeInfo& GetDTypeInfo(DType type);
inline const char* DTypeName(DType type) { return GetDTypeInfo(type).name; }

// Bytes of `elements` consecutive elements. Precondition: a multiple of the
// block (parsers check that before they build a view).
inline size_t DTypeBytes(DType type, size_t elements) {
  const DTypeInfo& info = GetDTypeInfo(type);
  return elements / info.block * info.block_bytes;
}

// GGUF's numeric tensor type id -> DType; empty for ids that are unknown or
// that carat does not read.
std::optional<DType> DTypeFromGguf(uint32_t id);
// The inverse, for writers.
uint32_t GgufFromDType(DType type);
// "Q4_K" or, when the id is one that carat does not read, "34 (TQ1_0)" or "99".
std::string GgufTypeName(uint32_t id);

}  // namespace carat

#endif  // CARAT_TENSOR_DTYPE_H_
