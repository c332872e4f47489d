// Conversions between f32 and the two 16-bit formats, in integer arithmetic so
// that they are the same on every machine and compiler.
#include <cstdint>
#include <cstring>

#include "tensor/dequantize.h"

namespace carat {
namespace {

float FloatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

uint32_t BitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}

}  // namespace

float HalfToFloat(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t exponent = half >> 10 & 0x1F;
  const uint32_t mantissa = half & 0x3FF;
  if (exponent == 0x1F) return FloatOf(sign | 0x7F800000 | mantissa << 13);
  if (exponent != 0) {
    return FloatOf(sign | (exponent + 127 - 15) << 23 | mantissa << 13);
  }
  // Zero or subnormal: mantissa * 2^-24, which f32 holds exactly.
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
  return FloatOf(sign | BitsOf(magnitude));
}

uint16_t FloatToHalf(float value) {
  const uint32_t bits = BitsOf(value);
  const uint16_t sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
  const uint32_t magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000) {  // NaN: quiet, payload cut
    return static_cast<uint16_t>(sign | 0x7E00 | (magnitude >> 13 & 0x1FF));
  }
  if (magnitude >= 0x47800000) return sign | 0x7C00;  // 2^16 and more
  if (magnitude < 0x38800000) {               // below 2^-14: subnormal or zero
    if (magnitude < 0x33000000) return sign;  // below 2^-25
    const uint32_t exponent = magnitude >> 23;
    const uint32_t mantissa = (magnitude & 0x7FFFFF) | 0x800000;
    const uint32_t shift = 126 - exponent;  // 14 to 24
    const uint32_t half = mantissa >> shift;
    const uint32_t rest = mantissa & ((1u << shift) - 1);
    const uint32_t middle = 1u << (shift - 1);
    const bool up = rest > middle || (rest == middle && (half & 1));
    return static_cast<uint16_t>(sign | (half + up));
  }
  // Rounding may carry into the exponent and to infinity; both are right.
  const uint32_t rebiased = magnitude - ((127 - 15) << 23);
  const uint32_t rounded = rebiased + 0xFFF + (rebiased >> 13 & 1);
  return static_cast<uint16_t>(sign | rounded >> 13);
}

uint16_t FloatToBf16(float value) {
  const uint32_t bits = BitsOf(value);
  if ((bits & 0x7FFFFFFF) > 0x7F800000) {  // NaN: quiet, payload cut
    return static_cast<uint16_t>(bits >> 16 | 0x40);
  }
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

}  // namespace carat
