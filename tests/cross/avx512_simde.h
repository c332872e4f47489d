// AVX-512 on machines without it: Debian's libsimde-dev plus the five
// conversions that its version 0.7.4 lacks, as two AVX2 halves. Only for
// testing kernels; see kernels_selftest.cc.
#ifndef CARAT_TESTS_CROSS_AVX512_SIMDE_H_
#define CARAT_TESTS_CROSS_AVX512_SIMDE_H_

#include <immintrin.h>

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>

namespace carat::simde_gaps {

inline simde__m512i Join(__m256i low, __m256i high) {
  simde__m512i_private joined;
  joined.m256i[0] = low;
  joined.m256i[1] = high;
  return simde__m512i_from_private(joined);
}
inline simde__m512 Join(__m256 low, __m256 high) {
  simde__m512_private joined;
  joined.m256[0] = low;
  joined.m256[1] = high;
  return simde__m512_from_private(joined);
}
inline simde__m512i I8(__m128i a) {
  return Join(_mm256_cvtepi8_epi32(a),
              _mm256_cvtepi8_epi32(_mm_srli_si128(a, 8)));
}
inline simde__m512i U8(__m128i a) {
  return Join(_mm256_cvtepu8_epi32(a),
              _mm256_cvtepu8_epi32(_mm_srli_si128(a, 8)));
}
inline simde__m512i U16(__m256i a) {
  return Join(_mm256_cvtepu16_epi32(_mm256_castsi256_si128(a)),
              _mm256_cvtepu16_epi32(_mm256_extracti128_si256(a, 1)));
}
inline simde__m512 Halfs(__m256i a) {
  return Join(_mm256_cvtph_ps(_mm256_castsi256_si128(a)),
              _mm256_cvtph_ps(_mm256_extracti128_si256(a, 1)));
}
inline simde__m512 Floats(simde__m512i a) {
  const simde__m512i_private halves = simde__m512i_to_private(a);
  return Join(_mm256_cvtepi32_ps(halves.m256i[0]),
              _mm256_cvtepi32_ps(halves.m256i[1]));
}

}  // namespace carat::simde_gaps

#define _mm512_cvtepi8_epi32(a) carat::simde_gaps::I8(a)
#define _mm512_cvtepu8_epi32(a) carat::simde_gaps::U8(a)
#define _mm512_cvtepu16_epi32(a) carat::simde_gaps::U16(a)
#define _mm512_cvtph_ps(a) carat::simde_gaps::Halfs(a)
#define _mm512_cvtepi32_ps(a) carat::simde_gaps::Floats(a)

#endif  // CARAT_TESTS_CROSS_AVX512_SIMDE_H_
