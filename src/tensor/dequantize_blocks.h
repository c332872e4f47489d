// Private to tensor/: one function per quantised type that turns one block of
// bytes into its elements. Field names and layouts are GGUF's.
#ifndef CARAT_TENSOR_DEQUANTIZE_BLOCKS_H_
#define CARAT_TENSOR_DEQUANTIZE_BLOCKS_H_

#include <cstdint>
#include <cstring>

#include "tensor/dequantize.h"

namespace carat::internal {

inline uint16_t LoadU16(const uint8_t* p) {
  uint16_t value;
  std::memcpy(&value, p, 2);
  return value;
}
inline uint32_t LoadU32(const uint8_t* p) {
  uint32_t value;
  std::memcpy(&value, p, 4);
  return value;
}
inline float LoadHalf(const uint8_t* p) { return HalfToFloat(LoadU16(p)); }

// out: 32 elements.
void BlockQ4_0(const uint8_t* block, float* out);
void BlockQ4_1(const uint8_t* block, float* out);
void BlockQ5_0(const uint8_t* block, float* out);
void BlockQ5_1(const uint8_t* block, float* out);
void BlockQ8_0(const uint8_t* block, float* out);
void BlockIQ4_NL(const uint8_t* block, float* out);
void BlockMXFP4(const uint8_t* block, float* out);

// out: 256 elements.
void BlockQ2_K(const uint8_t* block, float* out);
void BlockQ3_K(const uint8_t* block, float* out);
void BlockQ4_K(const uint8_t* block, float* out);
void BlockQ5_K(const uint8_t* block, float* out);
void BlockQ6_K(const uint8_t* block, float* out);
// Any of the types of iq_codes.h.
void BlockIqCodes(DType type, const uint8_t* block, float* out);
void BlockIQ4_XS(const uint8_t* block, float* out);

// The sixteen values a code of IQ4_NL and IQ4_XS stands for.
inline constexpr int8_t kIq4Values[16] = {
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

}  // namespace carat::internal

#endif  // CARAT_TENSOR_DEQUANTIZE_BLOCKS_H_
