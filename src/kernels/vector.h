// Everything elementwise or row-wise: norms, activations, softmax, rotary
// embedding. One source (vector_ops-inl.h) over a 16-lane vector type is
// compiled for each instruction set, every reduction follows one fixed tree and
// exp/tanh are our own, so results are bit-equal on all of them.
#ifndef CARAT_KERNELS_VECTOR_H_
#define CARAT_KERNELS_VECTOR_H_

#include <cstdint>

#include "kernels/cpu.h"

namespace carat {

// e^x. Relative error below 2e-7 on [-87, 88]; 0 below -87.3, the value at
// 88 above it. NaN is not preserved.
float Exp(float x);

// The table that one instruction set provides. Lengths need not be multiples
// of 16; pointers need no alignment; out may equal an input.
struct VectorOps {
  // out = x * rsqrt(mean(x^2) + eps) * weight; weight null: no weight.
  void (*rms_norm)(const float* x, const float* weight, int64_t n, float eps,
                   float* out);
  // out = gelu_tanh(gate) * up, gelu_tanh(x) = x / (1 + exp(-2u)),
  // u = sqrt(2/pi) (x + 0.044715 x^3).
  void (*gated_gelu)(const float* gate, const float* up, int64_t n, float* out);
  // y += x
  void (*add)(const float* x, int64_t n, float* y);
  // y += scale * x (fused)
  void (*add_scaled)(const float* x, float scale, int64_t n, float* y);
  // y *= scale
  void (*scale)(float scale, int64_t n, float* y);
  // y = (x + y) * scale
  void (*add_then_scale)(const float* x, float scale, int64_t n, float* y);
  // y = cap * tanh(y / cap)
  void (*softcap)(float cap, int64_t n, float* y);
  // y = exp(y - max y) / sum
  void (*softmax)(int64_t n, float* y);
  // Rotates pairs (i, i + half) of one head in place, i in [0, half):
  // (a, b) -> (a cos - b sin, b cos + a sin). cos, sin: [half].
  void (*rope)(const float* cos, const float* sin, int64_t half, float* x);
  // f32 -> binary16, round to nearest even.
  void (*to_half)(const float* x, int64_t n, uint16_t* out);
  float (*exp)(float x);
};

// For the active instruction set, or a given one (must be supported).
const VectorOps& Vector();
const VectorOps& VectorFor(Isa isa);

inline void GatedGelu(const float* gate, const float* up, int64_t n,
                      float* out) {
  Vector().gated_gelu(gate, up, n, out);
}

// cos and sin of `angle` (|angle| < 2^22), computed in double and rounded
// once; the same bits on every platform.
void CosSin(float angle, float* cos, float* sin);

}  // namespace carat

#endif  // CARAT_KERNELS_VECTOR_H_
