// exp and log with the same bits on every platform: plain IEEE adds,
// multiplications and divisions in a fixed order, no libm. (The tree is built
// with -ffp-contract=off, so nothing is fused behind our back.) Inline and four
// wide: a whole vocabulary is exponentiated where kernels/vector.h offers one
// call per number.
#ifndef CARAT_SAMPLING_MATH_H_
#define CARAT_SAMPLING_MATH_H_

#include <bit>
#include <cstdint>
#include <limits>

namespace carat {

// Four floats side by side, in whatever vector unit the platform has: lanes
// never mix, so the unit does not matter.
typedef float Float4 __attribute__((vector_size(16)));
typedef int32_t Int4 __attribute__((vector_size(16)));

inline Float4 Splat(float x) { return Float4{x, x, x, x}; }

// exp(x) for x <= 0; x > 0 counts as 0. Relative error below 2e-7 for
// x >= -87; exactly 0 below that (the result would be near-denormal).
inline Float4 ExpNonPositive(Float4 x) {
  const Float4 min = Splat(-87.0f);
  const Int4 tiny = x < min;
  Float4 t = tiny ? min : x;
  t = t > Splat(0.0f) ? Splat(0.0f) : t;
  // t = n ln 2 + r, |r| <= ln 2 / 2, with ln 2 in two pieces so that n times
  // the first is exact. Adding 1.5 * 2^23 rounds to the nearest integer.
  const Float4 round = Splat(12582912.0f);
  const Float4 n = (t * Splat(1.44269504f) + round) - round;
  const Float4 r = (t - n * Splat(0.693359375f)) - n * Splat(-2.12194440e-4f);
  // Minimax polynomial of (exp(r) - 1 - r) / r^2 (Cephes, S. Moshier).
  Float4 p = Splat(1.9875691500e-4f);
  p = p * r + Splat(1.3981999507e-3f);
  p = p * r + Splat(8.3334519073e-3f);
  p = p * r + Splat(4.1665795894e-2f);
  p = p * r + Splat(1.6666665459e-1f);
  p = p * r + Splat(5.0000001201e-1f);
  const Float4 mantissa = p * (r * r) + r + Splat(1.0f);
  const Int4 bits = (__builtin_convertvector(n, Int4) + 127) << 23;
  const Float4 y = mantissa * reinterpret_cast<const Float4&>(bits);
  return tiny ? Splat(0.0f) : y;
}

inline float ExpNonPositive(float x) { return ExpNonPositive(Splat(x))[0]; }

// log(x) for finite x > 0, absolute error below 1e-14 for results up to 700;
// log(0) is -infinity.
inline double NaturalLog(double x) {
  if (!(x > 0.0)) return -std::numeric_limits<double>::infinity();
  int exponent = 0;
  if (x < 2.2250738585072014e-308) {  // denormal: scale up by 2^54
    x *= 18014398509481984.0;
    exponent = -54;
  }
  uint64_t bits = std::bit_cast<uint64_t>(x);
  exponent += static_cast<int>(bits >> 52) - 1023;
  bits = (bits & 0xfffffffffffffULL) | 0x3ff0000000000000ULL;
  double m = std::bit_cast<double>(bits);  // [1, 2)
  if (m > 1.4142135623730951) {
    m *= 0.5;
    ++exponent;
  }
  // log m = 2 atanh(s), s = (m - 1) / (m + 1), |s| <= 0.1716.
  const double s = (m - 1.0) / (m + 1.0);
  const double s2 = s * s;
  double series = 0.0;
  for (int k = 23; k >= 1; k -= 2) series = series * s2 + 1.0 / k;
  return 2.0 * s * series + exponent * 0.6931471805599453;
}

}  // namespace carat

#endif  // CARAT_SAMPLING_MATH_H_
