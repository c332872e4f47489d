// IQ1 to IQ3: blocks of 256 elements whose magnitudes come eight (or four) at a
// time from a codebook, with signs and group scales stored beside the index.
#include "tensor/iq_codes.h"

#include "base/check.h"
#include "tensor/dequantize_blocks.h"
#include "tensor/iq_tables.h"

namespace carat {
namespace {

using internal::LoadHalf;
using internal::LoadU16;
using internal::LoadU32;

// Codes: a digit of the codebook in the low three bits, above it the sign, or
// for IQ1 the direction of the shift by an eighth.
constexpr int kSign = 8;

// 8 * (digit - 1 + 1/8) and 8 * (digit - 1 - 1/8).
constexpr int8_t kIq1Values[16] = {-7, 1,  9, 0, 0, 0, 0, 0,
                                   -9, -1, 7, 0, 0, 0, 0, 0};
constexpr int8_t kIq2Values[16] = {8,  25,  43,  0, 0, 0, 0, 0,
                                   -8, -25, -43, 0, 0, 0, 0, 0};
constexpr int8_t kIq3XxsValues[16] = {4,  12,  20,  28,  36,  44,  52,  62,
                                      -4, -12, -20, -28, -36, -44, -52, -62};
constexpr int8_t kIq3SValues[16] = {1,  3,  5,  7,  9,  11,  13,  15,
                                    -1, -3, -5, -7, -9, -11, -13, -15};

// Seven stored sign bits; the eighth makes the number of minus signs even.
uint32_t EvenSigns(uint32_t index) {
  const uint32_t seven = index & 0x7F;
  return seven | (static_cast<uint32_t>(__builtin_popcount(seven)) & 1) << 7;
}

// Nibble j of an array of packed nibbles.
int NibbleOf(const uint8_t* bytes, int j) {
  return bytes[j / 2] >> (j % 2 * 4) & 15;
}

uint8_t OddScale(uint32_t n) { return static_cast<uint8_t>(2 * n + 1); }

// Eight elements of a codebook entry of 2-bit digits.
void WriteDigits2(uint16_t entry, uint32_t signs, uint8_t* code) {
  for (int i = 0; i < 8; ++i) {
    code[i] = static_cast<uint8_t>((entry >> (2 * i) & 3) |
                                   ((signs >> i & 1) != 0 ? kSign : 0));
  }
}

// Four elements of a codebook entry of 3-bit digits.
void WriteDigits3(uint16_t entry, uint32_t signs, uint8_t* code) {
  for (int i = 0; i < 4; ++i) {
    code[i] = static_cast<uint8_t>((entry >> (3 * i) & 7) |
                                   ((signs >> i & 1) != 0 ? kSign : 0));
  }
}

// d f16, then per 32 elements: four 1-byte indices, and a word of four 7-bit
// sign indices with the scale in its top four bits
void ReadIQ2_XXS(const uint8_t* block, IqCodes* out) {
  out->unit = LoadHalf(block) * 0.125f;
  for (int group = 0; group < 8; ++group) {
    const uint8_t* index = block + 2 + group * 8;
    const uint32_t word = LoadU32(index + 4);
    out->scale[2 * group] = out->scale[2 * group + 1] = OddScale(word >> 28);
    for (int k = 0; k < 4; ++k) {
      WriteDigits2(internal::kIq2XxsGrid[index[k]], EvenSigns(word >> (7 * k)),
                   out->code + group * 32 + k * 8);
    }
  }
}

// d f16, 32 words (9 bits index, 7 bits signs), 8 bytes of scale nibbles
void ReadIQ2_XS(const uint8_t* block, IqCodes* out) {
  out->unit = LoadHalf(block) * 0.125f;
  for (int k = 0; k < 32; ++k) {
    const uint16_t word = LoadU16(block + 2 + 2 * k);
    out->scale[k / 2] =
        OddScale(static_cast<uint32_t>(NibbleOf(block + 66, k / 2)));
    WriteDigits2(internal::kIq2XsGrid[word & 511], EvenSigns(word >> 9),
                 out->code + k * 8);
  }
}

// d f16, 32 low index bytes, 32 sign bytes, 8 bytes of high index bits,
// 8 bytes of scale nibbles
void ReadIQ2_S(const uint8_t* block, IqCodes* out) {
  out->unit = LoadHalf(block) * 0.125f;
  const uint8_t* low = block + 2;
  const uint8_t* signs = block + 34;
  const uint8_t* high = block + 66;
  for (int k = 0; k < 32; ++k) {
    const int top = high[k / 4] >> (k % 4 * 2) & 3;
    out->scale[k / 2] =
        OddScale(static_cast<uint32_t>(NibbleOf(block + 74, k / 2)));
    WriteDigits2(internal::kIq2SGrid[low[k] | top << 8], signs[k],
                 out->code + k * 8);
  }
}

// d f16, 64 index bytes, then per 32 elements a word of four 7-bit sign
// indices with the scale in its top four bits
void ReadIQ3_XXS(const uint8_t* block, IqCodes* out) {
  out->unit = LoadHalf(block) * 0.25f;
  for (int group = 0; group < 8; ++group) {
    const uint32_t word = LoadU32(block + 66 + 4 * group);
    out->scale[2 * group] = out->scale[2 * group + 1] = OddScale(word >> 28);
    for (int k = 0; k < 8; ++k) {
      const uint32_t signs = EvenSigns(word >> (7 * (k / 2))) >> (k % 2 * 4);
      WriteDigits3(internal::kIq3XxsGrid[block[2 + group * 8 + k]], signs,
                   out->code + group * 32 + k * 4);
    }
  }
}

// d f16, 64 low index bytes, 8 bytes of ninth index bits, 32 sign bytes,
// 4 bytes of scale nibbles
void ReadIQ3_S(const uint8_t* block, IqCodes* out) {
  out->unit = LoadHalf(block);
  const uint8_t* low = block + 2;
  const uint8_t* high = block + 66;
  const uint8_t* signs = block + 74;
  for (int j = 0; j < 16; ++j) {
    out->scale[j] =
        OddScale(static_cast<uint32_t>(NibbleOf(block + 106, j / 2)));
  }
  for (int k = 0; k < 64; ++k) {
    const int ninth = high[k / 8] >> (k % 8) & 1;
    WriteDigits3(internal::kIq3SGrid[low[k] | ninth << 8],
                 static_cast<uint32_t>(signs[k / 2]) >> (k % 2 * 4),
                 out->code + k * 4);
  }
}

// d f16, 32 low index bytes, 8 words: four times 3 high index bits, 3 bits of
// scale, 1 bit for the sign of the shift
void ReadIQ1_S(const uint8_t* block, IqCodes* out) {
  out->unit = LoadHalf(block) * 0.125f;
  const uint8_t* low = block + 2;
  for (int group = 0; group < 8; ++group) {
    const uint16_t word = LoadU16(block + 34 + 2 * group);
    out->scale[2 * group] = out->scale[2 * group + 1] =
        OddScale(word >> 12 & 7);
    for (int k = 0; k < 4; ++k) {
      const int index = low[group * 4 + k] | (word >> (3 * k) & 7) << 8;
      WriteDigits2(internal::kIq1Grid[index], (word & 0x8000) != 0 ? 0xFF : 0,
                   out->code + group * 32 + k * 8);
    }
  }
}

// 32 low index bytes, 16 bytes of nibbles (3 high index bits, 1 bit for the
// sign of the shift), 4 words: four 3-bit scales, and one nibble of the f16 d
// each
void ReadIQ1_M(const uint8_t* block, IqCodes* out) {
  const uint8_t* high = block + 32;
  const uint8_t* scales = block + 48;
  uint16_t half = 0;
  for (int j = 0; j < 4; ++j) {
    half |= static_cast<uint16_t>((LoadU16(scales + 2 * j) >> 12) << (4 * j));
  }
  out->unit = HalfToFloat(half) * 0.125f;
  for (int k = 0; k < 32; ++k) {
    const int group = k / 2;  // of 16 elements
    const uint32_t word = LoadU16(scales + group / 4 * 2);
    out->scale[group] = OddScale(word >> (group % 4 * 3) & 7);
    const int nibble = NibbleOf(high, k);
    WriteDigits2(internal::kIq1Grid[block[k] | (nibble & 7) << 8],
                 (nibble & 8) != 0 ? 0xFF : 0, out->code + k * 8);
  }
}

struct IqType {
  void (*read)(const uint8_t* block, IqCodes* out);
  const int8_t* values;
};

IqType IqTypeOf(DType type) {
  switch (type) {
    case DType::kIQ1_S:
      return {ReadIQ1_S, kIq1Values};
    case DType::kIQ1_M:
      return {ReadIQ1_M, kIq1Values};
    case DType::kIQ2_XXS:
      return {ReadIQ2_XXS, kIq2Values};
    case DType::kIQ2_XS:
      return {ReadIQ2_XS, kIq2Values};
    case DType::kIQ2_S:
      return {ReadIQ2_S, kIq2Values};
    case DType::kIQ3_XXS:
      return {ReadIQ3_XXS, kIq3XxsValues};
    case DType::kIQ3_S:
      return {ReadIQ3_S, kIq3SValues};
    default:
      return {nullptr, nullptr};
  }
}

}  // namespace

bool HasIqCodes(DType type) { return IqTypeOf(type).read != nullptr; }

const int8_t* IqValues(DType type) {
  CARAT_CHECK(HasIqCodes(type));
  return IqTypeOf(type).values;
}

void ReadIqCodes(DType type, const uint8_t* block, IqCodes* out) {
  CARAT_CHECK(HasIqCodes(type));
  IqTypeOf(type).read(block, out);
}

}  // namespace carat
