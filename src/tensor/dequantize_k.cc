// K-quants: blocks of 256 elements in groups of 16 or 32, each group with its
// own small integer scale (and minimum) on top of the block's f16 numbers.
#include "tensor/dequantize_blocks.h"

namespace carat::internal {
namespace {

// The eight 6-bit scales and minimums that Q4_K and Q5_K pack into 12 bytes:
// the first four of each lie in the low six bits of bytes 0-3 and 4-7; of the
// others, bytes 8-11 hold the low nibbles and the top two bits sit above those.
struct ScalesAndMins {
  uint8_t scale[8];
  uint8_t min[8];
};

ScalesAndMins Unpack6Bit(const uint8_t* packed) {
  ScalesAndMins result;
  for (int i = 0; i < 4; ++i) {
    const uint8_t s = packed[i];
    const uint8_t m = packed[4 + i];
    const uint8_t both = packed[8 + i];
    result.scale[i] = s & 0x3F;
    result.min[i] = m & 0x3F;
    result.scale[4 + i] = (both & 0x0F) | (s >> 2 & 0x30);
    result.min[4 + i] = both >> 4 | (m >> 2 & 0x30);
  }
  return result;
}

// Two-bit code i: four runs of 32 share 32 bytes, two bits each.
int TwoBits(const uint8_t* codes, int i) {
  return codes[i / 128 * 32 + i % 32] >> (i / 32 % 4 * 2) & 3;
}

// Four-bit code i: two runs of 32 share 32 bytes.
int FourBits(const uint8_t* codes, int i) {
  return codes[i / 64 * 32 + i % 32] >> (i / 32 % 2 * 4) & 15;
}

}  // namespace

// scales 16 (nibbles: scale, min), codes 64, d, dmin f16
void BlockQ2_K(const uint8_t* block, float* out) {
  const uint8_t* codes = block + 16;
  const float d = LoadHalf(block + 80);
  const float dmin = LoadHalf(block + 82);
  for (int i = 0; i < 256; ++i) {
    const uint8_t packed = block[i / 16];
    const float scale = d * static_cast<float>(packed & 15);
    const float min = dmin * static_cast<float>(packed >> 4);
    out[i] = scale * static_cast<float>(TwoBits(codes, i)) - min;
  }
}

// third bits 32, codes 64, scales 12 (6 bit, minus 32), d f16
void BlockQ3_K(const uint8_t* block, float* out) {
  const uint8_t* codes = block + 32;
  const uint8_t* packed = block + 96;
  const float d = LoadHalf(block + 108);
  float scales[16];
  for (int j = 0; j < 16; ++j) {
    const int low = j < 8 ? packed[j] & 15 : packed[j - 8] >> 4;
    const int high = packed[8 + j % 4] >> (j / 4 * 2) & 3;
    scales[j] = d * static_cast<float>((low | high << 4) - 32);
  }
  for (int i = 0; i < 256; ++i) {
    // A set third bit means "do not subtract four".
    const int third = block[i % 32] >> (i / 32) & 1;
    const int code = TwoBits(codes, i) - (third ? 0 : 4);
    out[i] = scales[i / 16] * static_cast<float>(code);
  }
}

// d, dmin f16, scales 12, codes 128
void BlockQ4_K(const uint8_t* block, float* out) {
  const float d = LoadHalf(block);
  const float dmin = LoadHalf(block + 2);
  const ScalesAndMins packed = Unpack6Bit(block + 4);
  for (int i = 0; i < 256; ++i) {
    const float scale = d * static_cast<float>(packed.scale[i / 32]);
    const float min = dmin * static_cast<float>(packed.min[i / 32]);
    out[i] = scale * static_cast<float>(FourBits(block + 16, i)) - min;
  }
}

// d, dmin f16, scales 12, fifth bits 32, codes 128
void BlockQ5_K(const uint8_t* block, float* out) {
  const float d = LoadHalf(block);
  const float dmin = LoadHalf(block + 2);
  const ScalesAndMins packed = Unpack6Bit(block + 4);
  const uint8_t* high = block + 16;
  for (int i = 0; i < 256; ++i) {
    const float scale = d * static_cast<float>(packed.scale[i / 32]);
    const float min = dmin * static_cast<float>(packed.min[i / 32]);
    const int fifth = high[i % 32] >> (i / 32) & 1;
    const int code = FourBits(block + 48, i) | fifth << 4;
    out[i] = scale * static_cast<float>(code) - min;
  }
}

// low nibbles 128, high two bits 64, scales 16 (int8), d f16
void BlockQ6_K(const uint8_t* block, float* out) {
  const uint8_t* high = block + 128;
  const float d = LoadHalf(block + 208);
  for (int i = 0; i < 256; ++i) {
    const float scale =
        d * static_cast<float>(static_cast<int8_t>(block[192 + i / 16]));
    // Low nibbles: two runs of 64 share 64 bytes.
    const int low = block[i / 128 * 64 + i % 64] >> (i / 64 % 2 * 4) & 15;
    const int code = (low | TwoBits(high, i) << 4) - 32;
    out[i] = scale * static_cast<float>(code);
  }
}

}  // namespace carat::internal
