#include "tensor/dequantize.h"

#include <cstring>

#include "base/check.h"
#include "tensor/dequantize_blocks.h"

namespace carat {
namespace {

using BlockFunction = void (*)(const uint8_t* block, float* out);

template <DType kType>
void IqBlock(const uint8_t* block, float* out) {
  internal::BlockIqCodes(kType, block, out);
}

BlockFunction BlockFunctionOf(DType type) {
  switch (type) {
    case DType::kQ4_0:
      return internal::BlockQ4_0;
    case DType::kQ4_1:
      return internal::BlockQ4_1;
    case DType::kQ5_0:
      return internal::BlockQ5_0;
    case DType::kQ5_1:
      return internal::BlockQ5_1;
    case DType::kQ8_0:
      return internal::BlockQ8_0;
    case DType::kQ2_K:
      return internal::BlockQ2_K;
    case DType::kQ3_K:
      return internal::BlockQ3_K;
    case DType::kQ4_K:
      return internal::BlockQ4_K;
    case DType::kQ5_K:
      return internal::BlockQ5_K;
    case DType::kQ6_K:
      return internal::BlockQ6_K;
    case DType::kIQ1_S:
      return IqBlock<DType::kIQ1_S>;
    case DType::kIQ1_M:
      return IqBlock<DType::kIQ1_M>;
    case DType::kIQ2_XXS:
      return IqBlock<DType::kIQ2_XXS>;
    case DType::kIQ2_XS:
      return IqBlock<DType::kIQ2_XS>;
    case DType::kIQ2_S:
      return IqBlock<DType::kIQ2_S>;
    case DType::kIQ3_XXS:
      return IqBlock<DType::kIQ3_XXS>;
    case DType::kIQ3_S:
      return IqBlock<DType::kIQ3_S>;
    case DType::kIQ4_NL:
      return internal::BlockIQ4_NL;
    case DType::kIQ4_XS:
      return internal::BlockIQ4_XS;
    case DType::kMXFP4:
      return internal::BlockMXFP4;
    default:
      return nullptr;
  }
}

// Elements of a plain type, which may lie at any address.
template <typename T, typename Convert>
void EachOf(const uint8_t* data, size_t elements, float* out, Convert convert) {
  for (size_t i = 0; i < elements; ++i) {
    T value;
    std::memcpy(&value, data + i * sizeof(T), sizeof(T));
    out[i] = convert(value);
  }
}

template <typename T>
void Cast(const uint8_t* data, size_t elements, float* out) {
  EachOf<T>(data, elements, out, [](T v) { return static_cast<float>(v); });
}

}  // namespace

void Dequantize(DType type, const uint8_t* data, size_t elements, float* out) {
  const DTypeInfo& info = GetDTypeInfo(type);
  CARAT_CHECK(elements % info.block == 0);
  if (const BlockFunction block_function = BlockFunctionOf(type)) {
    for (size_t i = 0; i < elements / info.block; ++i) {
      block_function(data + i * info.block_bytes, out + i * info.block);
    }
    return;
  }
  switch (type) {
    case DType::kF32:
      if (elements > 0) std::memcpy(out, data, elements * sizeof(float));
      return;
    case DType::kF16:
      return EachOf<uint16_t>(data, elements, out, HalfToFloat);
    case DType::kBF16:
      return EachOf<uint16_t>(data, elements, out, Bf16ToFloat);
    case DType::kI8:
      return Cast<int8_t>(data, elements, out);
    case DType::kI16:
      return Cast<int16_t>(data, elements, out);
    case DType::kI32:
      return Cast<int32_t>(data, elements, out);
    case DType::kI64:
      return Cast<int64_t>(data, elements, out);
    case DType::kF64:
      return Cast<double>(data, elements, out);
    default:
      CARAT_CHECK(false);
  }
}

}  // namespace carat
