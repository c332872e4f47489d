// IQ types: blocks of 256 elements whose magnitudes come eight (or four) at a
// time from a codebook, with signs and group scales stored beside the index.
#include "tensor/dequantize_blocks.h"
#include "tensor/iq_tables.h"

namespace carat::internal {
namespace {

// Seven stored sign bits; the eighth makes the number of minus signs even.
uint8_t EvenSigns(uint32_t index) {
  const uint32_t seven = index & 0x7F;
  return static_cast<uint8_t>(seven | (__builtin_popcount(seven) & 1) << 7);
}

float WithSign(float value, uint8_t signs, int bit) {
  return signs >> bit & 1 ? -value : value;
}

// Eight elements of an IQ2 codebook entry.
void WriteIq2(uint16_t entry, uint8_t signs, float scale, float* out) {
  for (int i = 0; i < 8; ++i) {
    const float magnitude = kIq2Magnitudes[entry >> (2 * i) & 3];
    out[i] = WithSign(scale * magnitude, signs, i);
  }
}

// Eight elements of two IQ3_XXS codebook entries.
void WriteIq3Xxs(const uint8_t* index, uint8_t signs, float scale, float* out) {
  for (int i = 0; i < 8; ++i) {
    const uint16_t entry = kIq3XxsGrid[index[i / 4]];
    const float magnitude = kIq3XxsMagnitudes[entry >> (i % 4 * 3) & 7];
    out[i] = WithSign(scale * magnitude, signs, i);
  }
}

// Eight elements of an IQ1 codebook entry, each shifted by delta.
void WriteIq1(uint16_t entry, float delta, float scale, float* out) {
  for (int i = 0; i < 8; ++i) {
    const int digit = static_cast<int>(entry >> (2 * i) & 3) - 1;
    out[i] = scale * (static_cast<float>(digit) + delta);
  }
}

constexpr float kIq1Delta = 0.125f;

// Nibble j of an array of packed nibbles.
int NibbleOf(const uint8_t* bytes, int j) {
  return bytes[j / 2] >> (j % 2 * 4) & 15;
}

}  // namespace

// d f16, then per 32 elements: four 1-byte indices, and a word of four 7-bit
// sign indices with the scale in its top four bits
void BlockIQ2_XXS(const uint8_t* block, float* out) {
  const float d = LoadHalf(block);
  for (int group = 0; group < 8; ++group) {
    const uint8_t* index = block + 2 + group * 8;
    const uint32_t word = LoadU32(index + 4);
    const float scale = d * (0.5f + static_cast<float>(word >> 28)) * 0.25f;
    for (int k = 0; k < 4; ++k) {
      WriteIq2(kIq2XxsGrid[index[k]], EvenSigns(word >> (7 * k)), scale,
               out + group * 32 + k * 8);
    }
  }
}

// d f16, 32 words (9 bits index, 7 bits signs), 8 bytes of scale nibbles
void BlockIQ2_XS(const uint8_t* block, float* out) {
  const float d = LoadHalf(block);
  const uint8_t* scales = block + 66;
  for (int k = 0; k < 32; ++k) {
    const uint16_t word = LoadU16(block + 2 + 2 * k);
    const float scale =
        d * (0.5f + static_cast<float>(NibbleOf(scales, k / 2))) * 0.25f;
    WriteIq2(kIq2XsGrid[word & 511], EvenSigns(word >> 9), scale, out + k * 8);
  }
}

// d f16, 32 low index bytes, 32 sign bytes, 8 bytes of high index bits,
// 8 bytes of scale nibbles
void BlockIQ2_S(const uint8_t* block, float* out) {
  const float d = LoadHalf(block);
  const uint8_t* low = block + 2;
  const uint8_t* signs = block + 34;
  const uint8_t* high = block + 66;
  const uint8_t* scales = block + 74;
  for (int k = 0; k < 32; ++k) {
    const int top = high[k / 4] >> (k % 4 * 2) & 3;
    const float scale =
        d * (0.5f + static_cast<float>(NibbleOf(scales, k / 2))) * 0.25f;
    WriteIq2(kIq2SGrid[low[k] | top << 8], signs[k], scale, out + k * 8);
  }
}

// d f16, 64 index bytes, then per 32 elements a word of four 7-bit sign
// indices with the scale in its top four bits
void BlockIQ3_XXS(const uint8_t* block, float* out) {
  const float d = LoadHalf(block);
  for (int group = 0; group < 8; ++group) {
    const uint32_t word = LoadU32(block + 66 + 4 * group);
    const float scale = d * (0.5f + static_cast<float>(word >> 28)) * 0.5f;
    for (int k = 0; k < 4; ++k) {
      WriteIq3Xxs(block + 2 + group * 8 + k * 2, EvenSigns(word >> (7 * k)),
                  scale, out + group * 32 + k * 8);
    }
  }
}

// d f16, 64 low index bytes, 8 bytes of ninth index bits, 32 sign bytes,
// 4 bytes of scale nibbles
void BlockIQ3_S(const uint8_t* block, float* out) {
  const float d = LoadHalf(block);
  const uint8_t* low = block + 2;
  const uint8_t* high = block + 66;
  const uint8_t* signs = block + 74;
  const uint8_t* scales = block + 106;
  for (int i = 0; i < 256; ++i) {
    const int k = i / 4;
    const int ninth = high[k / 8] >> (k % 8) & 1;
    const uint16_t entry = kIq3SGrid[low[k] | ninth << 8];
    const int digit = entry >> (i % 4 * 3) & 7;
    const float scale =
        d * static_cast<float>(1 + 2 * NibbleOf(scales, i / 32));
    out[i] = WithSign(scale * static_cast<float>(2 * digit + 1), signs[i / 8],
                      i % 8);
  }
}

// d f16, 32 low index bytes, 8 words: four times 3 high index bits, 3 bits of
// scale, 1 bit for the sign of delta
void BlockIQ1_S(const uint8_t* block, float* out) {
  const float d = LoadHalf(block);
  const uint8_t* low = block + 2;
  for (int group = 0; group < 8; ++group) {
    const uint16_t word = LoadU16(block + 34 + 2 * group);
    const float scale = d * static_cast<float>(2 * (word >> 12 & 7) + 1);
    const float delta = word & 0x8000 ? -kIq1Delta : kIq1Delta;
    for (int k = 0; k < 4; ++k) {
      const int index = low[group * 4 + k] | (word >> (3 * k) & 7) << 8;
      WriteIq1(kIq1Grid[index], delta, scale, out + group * 32 + k * 8);
    }
  }
}

// 32 low index bytes, 16 bytes of nibbles (3 high index bits, 1 bit for the
// sign of delta), 4 words: four 3-bit scales, and one nibble of the f16 d each
void BlockIQ1_M(const uint8_t* block, float* out) {
  const uint8_t* high = block + 32;
  const uint8_t* scales = block + 48;
  uint16_t half = 0;
  for (int j = 0; j < 4; ++j) {
    half |= static_cast<uint16_t>((LoadU16(scales + 2 * j) >> 12) << (4 * j));
  }
  const float d = HalfToFloat(half);
  for (int k = 0; k < 32; ++k) {
    const int group = k / 2;  // of 16 elements
    const int three = LoadU16(scales + group / 4 * 2) >> (group % 4 * 3) & 7;
    const int nibble = NibbleOf(high, k);
    const float scale = d * static_cast<float>(2 * three + 1);
    const float delta = nibble & 8 ? -kIq1Delta : kIq1Delta;
    WriteIq1(kIq1Grid[block[k] | (nibble & 7) << 8], delta, scale, out + k * 8);
  }
}

// d f16, high scale bits 2, low scale nibbles 4, codes 128
void BlockIQ4_XS(const uint8_t* block, float* out) {
  const float d = LoadHalf(block);
  const uint16_t high = LoadU16(block + 2);
  for (int group = 0; group < 8; ++group) {
    const int top = high >> (2 * group) & 3;
    const int six = NibbleOf(block + 4, group) | top << 4;
    const float scale = d * static_cast<float>(six - 32);
    const uint8_t* codes = block + 8 + group * 16;
    for (int i = 0; i < 32; ++i) {
      const int code = i < 16 ? codes[i] & 15 : codes[i - 16] >> 4;
      out[group * 32 + i] = scale * static_cast<float>(kIq4Values[code]);
    }
  }
}

}  // namespace carat::internal
