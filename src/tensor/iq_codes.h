// The IQ1 to IQ3 types as what they are: sixteen small integers to choose from,
// small odd scales and one number for 256 elements. Serves dequantisation and
// the packing of weights.
#ifndef CARAT_TENSOR_IQ_CODES_H_
#define CARAT_TENSOR_IQ_CODES_H_

#include <cstdint>

#include "tensor/dtype.h"

namespace carat {

// Element i of a block is unit * scale[i / 16] * IqValues(type)[code[i]]; all
// products are exact in f32.
struct IqCodes {
  float unit;
  uint8_t scale[16];  // 1 .. 31
  uint8_t code[256];  // 0 .. 15
};

// Whether the type has that form.
bool HasIqCodes(DType type);

// [16], each within [-62, 62]. Precondition of both: HasIqCodes(type).
const int8_t* IqValues(DType type);
void ReadIqCodes(DType type, const uint8_t* block, IqCodes* out);

// 2^(exponent - 128): half of what the shared exponent of an MXFP4 block means,
// to go with twice the value of its elements.
float HalvedE8m0(uint8_t exponent);

}  // namespace carat

#endif  // CARAT_TENSOR_IQ_CODES_H_
