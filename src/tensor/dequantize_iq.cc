// IQ types: see iq_codes.h for IQ1 to IQ3.
#include "tensor/dequantize_blocks.h"
#include "tensor/iq_codes.h"

namespace carat::internal {

void BlockIqCodes(DType type, const uint8_t* block, float* out) {
  IqCodes codes;
  ReadIqCodes(type, block, &codes);
  const int8_t* values = IqValues(type);
  for (int i = 0; i < 256; ++i) {
    const float scale = codes.unit * static_cast<float>(codes.scale[i / 16]);
    out[i] = scale * static_cast<float>(values[codes.code[i]]);
  }
}

// d f16, high scale bits 2, low scale nibbles 4, codes 128
void BlockIQ4_XS(const uint8_t* block, float* out) {
  const float d = LoadHalf(block);
  const uint16_t high = LoadU16(block + 2);
  for (int group = 0; group < 8; ++group) {
    const int top = high >> (2 * group) & 3;
    const int low = block[4 + group / 2] >> (group % 2 * 4) & 15;
    const int six = low | top << 4;
    const float scale = d * static_cast<float>(six - 32);
    const uint8_t* codes = block + 8 + group * 16;
    for (int i = 0; i < 32; ++i) {
      const int code = i < 16 ? codes[i] & 15 : codes[i - 16] >> 4;
      out[group * 32 + i] = scale * static_cast<float>(kIq4Values[code]);
    }
  }
}

}  // namespace carat::internal
