// exp and log with the same bits on every platform: plain IEEE adds,
// multiplications and divisions in a fixed order, no libm. (The tree is built
// with -ffp-contract=off, so nothing is fused behind our back.)
#ifndef CARAT_SAMPLING_MATH_H_
#define CARAT_SAMPLING_MATH_H_

#include <bit>
#include <cstdint>
#include <limits>

namespace carat {

// exp(x) for x <= 0; x > 0 counts as 0. Relative error below 2e-7 for
// x >= -87; exactly 0 below that (the result would be near-denormal). NaN
// gives an unspecified number. Branch-free, so that loops vectorise.
inline float ExpNonPositive(float x) {
  constexpr float kMin = -87.0f;
  float t = x < kMin ? kMin : x;
  t = t > 0.0f ? 0.0f : t;
  // t = n ln 2 + r, |r| <= ln 2 / 2, with ln 2 in two pieces so that n times
  // the first is exact. Adding 1.5 * 2^23 rounds to the nearest integer.
  constexpr float kRound = 12582912.0f;
  const float n = (t * 1.44269504f + kRound) - kRound;
  const float r = (t - n * 0.693359375f) - n * -2.12194440e-4f;
  // Minimax polynomial of (exp(r) - 1 - r) / r^2 (Cephes, S. Moshier).
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const float mantissa = p * (r * r) + r + 1.0f;
  const int32_t bits = (static_cast<int32_t>(n) + 127) << 23;
  const float y = mantissa * std::bit_cast<float>(bits);
  return x < kMin ? 0.0f : y;
}

// log(x) for finite x > 0, absolute error below 1e-14 for results up to 700;
// log(0) is -infinity.
inline double Log(double x) {
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
