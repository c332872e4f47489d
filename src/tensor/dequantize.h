// Turns stored elements into f32, bit-equal to the reference Python package
// `gguf` (float32 arithmetic in the same order). Not fast: kernels have their
// own paths; this is the definition they are tested against, the reader of
// single embedding rows, and the widening step for rare types.
#ifndef CARAT_TENSOR_DEQUANTIZE_H_
#define CARAT_TENSOR_DEQUANTIZE_H_

#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace carat {

// data: DTypeBytes(type, elements) bytes; out: [elements].
// Precondition: elements is a multiple of the type's block.
void Dequantize(DType type, const uint8_t* data, size_t elements, float* out);

float HalfToFloat(uint16_t half);   // IEEE binary16, exact
uint16_t FloatToHalf(float value);  // round to nearest even
inline float Bf16ToFloat(uint16_t value) {
  const uint32_t bits = static_cast<uint32_t>(value) << 16;
  float out;
  __builtin_memcpy(&out, &bits, 4);
  return out;
}
uint16_t FloatToBf16(float value);  // round to nearest even
// `value` rounded to bf16 precision and back.
inline float RoundToBf16(float value) {
  return Bf16ToFloat(FloatToBf16(value));
}

}  // namespace carat

#endif  // CARAT_TENSOR_DEQUANTIZE_H_
