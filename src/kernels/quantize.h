// What the forms of Activations::Quantize share: see ActBlock in matmul.h.
#ifndef CARAT_KERNELS_QUANTIZE_H_
#define CARAT_KERNELS_QUANTIZE_H_

#include <cstdint>
#include <cstring>

#include "kernels/matmul.h"

namespace carat {

// |x| as ordered integers; NaN and infinity come out at or above this.
inline constexpr int32_t kNotFiniteBits = 0x7f800000;
// Blocks with no larger magnitude become all zero.
inline constexpr float kTinyActivation = 1e-30f;

// Asks for a cache line that is about to be written.
inline void RequestToWrite(const void* line) {
#if defined(__x86_64__)
  // Every CPU with AVX2 has it; compilers use it only when told so.
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(line)));
#else
  __builtin_prefetch(line, 1);
#endif
}

// Deals with blocks that have no scale, by the bits of their largest magnitude:
// all zero, or not a number. False for all others. `wide` (the block's 16-bit
// form) may be null.
inline bool SetIfNoScale(int32_t top_bits, ActBlock& out, int16_t* wide) {
  float top;
  std::memcpy(&top, &top_bits, 4);
  if (top_bits < kNotFiniteBits && top >= kTinyActivation) return false;
  std::memset(&out, 0, sizeof(out));
  if (wide != nullptr) std::memset(wide, 0, kActBlock * sizeof(*wide));
  if (top_bits >= kNotFiniteBits) {
    // A scale that is not a number makes every product not a number.
    out.scale = __builtin_nanf("");
    out.scaled_sum = out.scale;
  }
  return true;
}

// Fills in the scale and the sums that follow from the sums of the halves.
inline void SetScale(float top, ActBlock& out) {
  out.scale = top / 127.0f;
  out.neg_sum = out.neg_first + out.neg_second;
  out.scaled_sum = out.scale * static_cast<float>(-out.neg_sum);
}

// Whole blocks: x [blocks * kActBlock] to out [blocks] and, unless `wide` is
// null, their 16-bit forms [blocks * kActBlock].
void QuantizeBlocksAvx2(const float* x, int64_t blocks, ActBlock* out,
                        int16_t* wide);

}  // namespace carat

#endif  // CARAT_KERNELS_QUANTIZE_H_
