// F32x16 as one AVX-512 register. Include only between
// CARAT_TARGET_AVX512_BEGIN and CARAT_TARGET_END, after <immintrin.h>.
#ifndef CARAT_KERNELS_VEC_AVX512_H_
#define CARAT_KERNELS_VEC_AVX512_H_

namespace carat::avx512 {

struct F32x16 {
  __m512 v;
};

inline F32x16 Set(float x) { return {_mm512_set1_ps(x)}; }
inline F32x16 Load(const float* p) { return {_mm512_loadu_ps(p)}; }
inline F32x16 LoadHalf(const uint16_t* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)p))};
}
inline F32x16 LoadInts(const int8_t* p) {
  const __m128i bytes = _mm_loadu_si128((const __m128i*)p);
  return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes))};
}
inline void Store(F32x16 a, float* p) { _mm512_storeu_ps(p, a.v); }
inline void StoreHalf(F32x16 a, uint16_t* p) {
  _mm256_storeu_si256((__m256i*)p, _mm512_cvtps_ph(a.v, 0));
}
inline F32x16 Add(F32x16 a, F32x16 b) { return {_mm512_add_ps(a.v, b.v)}; }
inline F32x16 Sub(F32x16 a, F32x16 b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline F32x16 Mul(F32x16 a, F32x16 b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline F32x16 Div(F32x16 a, F32x16 b) { return {_mm512_div_ps(a.v, b.v)}; }
inline F32x16 Fma(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
inline F32x16 Fnma(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm512_fnmadd_ps(a.v, b.v, c.v)};
}
inline F32x16 Max(F32x16 a, F32x16 b) { return {_mm512_max_ps(a.v, b.v)}; }
inline F32x16 Min(F32x16 a, F32x16 b) { return {_mm512_min_ps(a.v, b.v)}; }
inline F32x16 Abs(F32x16 a) {
  return {_mm512_andnot_ps(_mm512_set1_ps(-0.0f), a.v)};
}
inline F32x16 CopySign(F32x16 a, F32x16 s) {
  const __m512 sign = _mm512_set1_ps(-0.0f);
  return {_mm512_or_ps(_mm512_andnot_ps(sign, a.v), _mm512_and_ps(sign, s.v))};
}
inline F32x16 Round(F32x16 a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT)};
}
inline F32x16 Pow2(F32x16 n) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(
      _mm512_add_epi32(_mm512_cvttps_epi32(n.v), _mm512_set1_epi32(127)), 23))};
}
inline F32x16 IfLess(F32x16 test, F32x16 limit, F32x16 x, F32x16 y) {
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(test.v, limit.v, _CMP_LT_OQ),
                               y.v, x.v)};
}
inline __m128 Fold(__m512 v, bool max) {
  const __m256 lo = _mm512_castps512_ps256(v);
  const __m256 hi = _mm512_extractf32x8_ps(v, 1);
  const __m256 s8 = max ? _mm256_max_ps(lo, hi) : _mm256_add_ps(lo, hi);
  const __m128 lo4 = _mm256_castps256_ps128(s8);
  const __m128 hi4 = _mm256_extractf128_ps(s8, 1);
  const __m128 s4 = max ? _mm_max_ps(lo4, hi4) : _mm_add_ps(lo4, hi4);
  const __m128 m = _mm_movehl_ps(s4, s4);
  const __m128 s2 = max ? _mm_max_ps(s4, m) : _mm_add_ps(s4, m);
  const __m128 t = _mm_shuffle_ps(s2, s2, 1);
  return max ? _mm_max_ss(s2, t) : _mm_add_ss(s2, t);
}
inline float Sum(F32x16 a) { return _mm_cvtss_f32(Fold(a.v, false)); }
inline float MaxOf(F32x16 a) { return _mm_cvtss_f32(Fold(a.v, true)); }

}  // namespace carat::avx512

#endif  // CARAT_KERNELS_VEC_AVX512_H_
