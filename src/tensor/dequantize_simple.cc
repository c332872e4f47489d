// Blocks of 32 elements: one or two f16 numbers (or a power of two) and one
// code per element. Low nibbles are elements 0 to 15, high ones 16 to 31.
#include "tensor/dequantize_blocks.h"
#include "tensor/iq_codes.h"

namespace carat::internal {
namespace {

// Code i of 16 bytes of nibbles.
int Nibble(const uint8_t* codes, int i) {
  return i < 16 ? codes[i] & 15 : codes[i - 16] >> 4;
}

// Code i of a 5-bit block: the fifth bits are in one little-endian word.
int FiveBits(const uint8_t* high, const uint8_t* low, int i) {
  return Nibble(low, i) | static_cast<int>(LoadU32(high) >> i & 1) << 4;
}

// The FP4 (E2M1) numbers, doubled.
constexpr int8_t kFp4Doubled[16] = {0, 1,  2,  3,  4,  6,  8,  12,
                                    0, -1, -2, -3, -4, -6, -8, -12};

}  // namespace

// d f16, 16 bytes of codes: d * (q - 8)
void BlockQ4_0(const uint8_t* block, float* out) {
  const float d = LoadHalf(block);
  for (int i = 0; i < 32; ++i) {
    out[i] = d * static_cast<float>(Nibble(block + 2, i) - 8);
  }
}

// d, m f16, 16 bytes of codes: d * q + m
void BlockQ4_1(const uint8_t* block, float* out) {
  const float d = LoadHalf(block);
  const float m = LoadHalf(block + 2);
  for (int i = 0; i < 32; ++i) {
    out[i] = d * static_cast<float>(Nibble(block + 4, i)) + m;
  }
}

// d f16, 4 bytes of fifth bits, 16 bytes of codes: d * (q - 16)
void BlockQ5_0(const uint8_t* block, float* out) {
  const float d = LoadHalf(block);
  for (int i = 0; i < 32; ++i) {
    out[i] = d * static_cast<float>(FiveBits(block + 2, block + 6, i) - 16);
  }
}

// d, m f16, 4 bytes of fifth bits, 16 bytes of codes: d * q + m
void BlockQ5_1(const uint8_t* block, float* out) {
  const float d = LoadHalf(block);
  const float m = LoadHalf(block + 2);
  for (int i = 0; i < 32; ++i) {
    out[i] = d * static_cast<float>(FiveBits(block + 4, block + 8, i)) + m;
  }
}

// d f16, 32 signed bytes: d * q
void BlockQ8_0(const uint8_t* block, float* out) {
  const float d = LoadHalf(block);
  for (int i = 0; i < 32; ++i) {
    out[i] = d * static_cast<float>(static_cast<int8_t>(block[2 + i]));
  }
}

// d f16, 16 bytes of codes: d * value[q]
void BlockIQ4_NL(const uint8_t* block, float* out) {
  const float d = LoadHalf(block);
  for (int i = 0; i < 32; ++i) {
    out[i] = d * static_cast<float>(kIq4Values[Nibble(block + 2, i)]);
  }
}

// exponent E8M0, 16 bytes of FP4 codes
void BlockMXFP4(const uint8_t* block, float* out) {
  const float d = HalvedE8m0(block[0]);
  for (int i = 0; i < 32; ++i) {
    out[i] = d * static_cast<float>(kFp4Doubled[Nibble(block + 1, i)]);
  }
}

}  // namespace carat::internal

namespace carat {

float HalvedE8m0(uint8_t exponent) {
  const uint32_t bits = exponent < 2
                            ? 0x00200000u << exponent
                            : (static_cast<uint32_t>(exponent) - 1) << 23;
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

}  // namespace carat
