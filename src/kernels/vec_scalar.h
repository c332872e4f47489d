// F32x16 in plain C++: the reference that the other vector types must equal.
#ifndef CARAT_KERNELS_VEC_SCALAR_H_
#define CARAT_KERNELS_VEC_SCALAR_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "tensor/dequantize.h"

namespace carat::scalar {

struct F32x16 {
  float v[16];
};

#define CARAT_LANES(expr)                       \
  F32x16 r;                                     \
  for (int i = 0; i < 16; ++i) r.v[i] = (expr); \
  return r

inline F32x16 Set(float x) { CARAT_LANES(x); }
inline F32x16 Load(const float* p) { CARAT_LANES(p[i]); }
inline F32x16 LoadHalf(const uint16_t* p) { CARAT_LANES(HalfToFloat(p[i])); }
inline F32x16 LoadInts(const int8_t* p) {
  CARAT_LANES(static_cast<float>(p[i]));
}
inline void Store(F32x16 a, float* p) { std::memcpy(p, a.v, sizeof a.v); }
inline void StoreHalf(F32x16 a, uint16_t* p) {
  for (int i = 0; i < 16; ++i) p[i] = FloatToHalf(a.v[i]);
}
inline F32x16 Add(F32x16 a, F32x16 b) { CARAT_LANES(a.v[i] + b.v[i]); }
inline F32x16 Sub(F32x16 a, F32x16 b) { CARAT_LANES(a.v[i] - b.v[i]); }
inline F32x16 Mul(F32x16 a, F32x16 b) { CARAT_LANES(a.v[i] * b.v[i]); }
inline F32x16 Div(F32x16 a, F32x16 b) { CARAT_LANES(a.v[i] / b.v[i]); }
// a * b + c and c - a * b, rounded once.
inline F32x16 Fma(F32x16 a, F32x16 b, F32x16 c) {
  CARAT_LANES(std::fma(a.v[i], b.v[i], c.v[i]));
}
inline F32x16 Fnma(F32x16 a, F32x16 b, F32x16 c) {
  CARAT_LANES(std::fma(-a.v[i], b.v[i], c.v[i]));
}
// The second operand when either is NaN, as x86 does.
inline F32x16 Max(F32x16 a, F32x16 b) {
  CARAT_LANES(a.v[i] > b.v[i] ? a.v[i] : b.v[i]);
}
inline F32x16 Min(F32x16 a, F32x16 b) {
  CARAT_LANES(a.v[i] < b.v[i] ? a.v[i] : b.v[i]);
}
inline F32x16 Abs(F32x16 a) { CARAT_LANES(std::fabs(a.v[i])); }
inline F32x16 CopySign(F32x16 a, F32x16 sign) {
  CARAT_LANES(std::copysign(a.v[i], sign.v[i]));
}
inline F32x16 Round(F32x16 a) { CARAT_LANES(std::nearbyint(a.v[i])); }
// 2^n for integral n in [-126, 127].
inline F32x16 Pow2(F32x16 n) {
  F32x16 r;
  for (int i = 0; i < 16; ++i) {
    const int32_t bits = (static_cast<int32_t>(n.v[i]) + 127) << 23;
    std::memcpy(&r.v[i], &bits, 4);
  }
  return r;
}
// x where test < limit, else y.
inline F32x16 IfLess(F32x16 test, F32x16 limit, F32x16 x, F32x16 y) {
  CARAT_LANES(test.v[i] < limit.v[i] ? x.v[i] : y.v[i]);
}
// Fixed trees: 16 -> 8 -> 4 -> 2 -> 1, lane i with lane i + half.
inline float Sum(F32x16 a) {
  for (int half = 8; half >= 1; half /= 2) {
    for (int i = 0; i < half; ++i) a.v[i] = a.v[i] + a.v[i + half];
  }
  return a.v[0];
}
inline float MaxOf(F32x16 a) {
  for (int half = 8; half >= 1; half /= 2) {
    for (int i = 0; i < half; ++i) {
      a.v[i] = a.v[i] > a.v[i + half] ? a.v[i] : a.v[i + half];
    }
  }
  return a.v[0];
}

#undef CARAT_LANES

}  // namespace carat::scalar

#endif  // CARAT_KERNELS_VEC_SCALAR_H_
