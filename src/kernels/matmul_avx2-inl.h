// The vocabulary of matmul_kernels-inl.h in 256-bit registers, shared by AVX2
// and AVX-VNNI; the integer dot products are their own (matmul_avx2.cc,
// matmul_avxvnni.cc). Included inside a namespace and target region.

using U8 = __m256i;
using I32 = __m256i;
using F32 = __m256;
constexpr int kLanes = 8;
constexpr int kTileGroups = 1;

CARAT_INLINE U8 LoadBytes(const uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
CARAT_INLINE void StoreBytes(U8 a, uint8_t* p) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a);
}
CARAT_INLINE U8 SetByte(int b) {
  return _mm256_set1_epi8(static_cast<char>(b));
}
CARAT_INLINE U8 And(U8 a, U8 b) { return _mm256_and_si256(a, b); }
CARAT_INLINE U8 Or(U8 a, U8 b) { return _mm256_or_si256(a, b); }
// Bits cross from byte to byte; callers mask.
template <int N>
CARAT_INLINE U8 Shr(U8 a) {
  return _mm256_srli_epi16(a, N);
}
// Bit kFrom of every byte to bit kTo.
template <int kFrom, int kTo>
CARAT_INLINE U8 MoveBit(U8 a) {
  if constexpr (kFrom < kTo) return _mm256_slli_epi16(a, kTo - kFrom);
  if constexpr (kFrom > kTo) return _mm256_srli_epi16(a, kFrom - kTo);
  return a;
}
CARAT_INLINE U8 LookUp(const uint8_t* table, U8 code) {
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_loadu_si128(
                                 reinterpret_cast<const __m128i*>(table))),
                             code);
}

CARAT_INLINE I32 LoadI32(const int32_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
CARAT_INLINE void StoreI32(I32 a, int32_t* p) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), a);
}
CARAT_INLINE I32 AddI32(I32 a, I32 b) { return _mm256_add_epi32(a, b); }
CARAT_INLINE I32 SetI32(const int32_t* p) { return _mm256_set1_epi32(*p); }
CARAT_INLINE I32 MulI32(I32 a, I32 b) { return _mm256_mullo_epi32(a, b); }
CARAT_INLINE I32 AndI32(I32 a, int b) {
  return _mm256_and_si256(a, _mm256_set1_epi32(b));
}
template <int N>
CARAT_INLINE I32 ShrI32(I32 a) {
  return _mm256_srli_epi32(a, N);
}

CARAT_INLINE F32 LoadF32(const float* p) { return _mm256_loadu_ps(p); }
CARAT_INLINE void StoreF32(F32 a, float* p) { _mm256_storeu_ps(p, a); }
CARAT_INLINE F32 ZeroF32() { return _mm256_setzero_ps(); }
CARAT_INLINE F32 SetF32(const float* p) { return _mm256_broadcast_ss(p); }
CARAT_INLINE F32 ToF32(I32 a) { return _mm256_cvtepi32_ps(a); }
CARAT_INLINE F32 Mul(F32 a, F32 b) { return _mm256_mul_ps(a, b); }
CARAT_INLINE F32 Fma(F32 a, F32 b, F32 c) { return _mm256_fmadd_ps(a, b, c); }
CARAT_INLINE F32 Negate(F32 a) {
  return _mm256_xor_ps(a, _mm256_set1_ps(-0.0f));
}
CARAT_INLINE F32 LoadHalfs(const uint8_t* p) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
CARAT_INLINE __m128i Load8Bytes(const uint8_t* p) {
  return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
}
CARAT_INLINE I32 LoadSub(const uint8_t* p) {
  return _mm256_cvtepi8_epi32(Load8Bytes(p));
}
CARAT_INLINE F32 LoadU8AsF32(const uint8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(Load8Bytes(p)));
}
CARAT_INLINE F32 LoadI8AsF32(const uint8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(Load8Bytes(p)));
}
template <PackedLayout L>
CARAT_INLINE F32 LoadWeights(const uint8_t* p) {
  if constexpr (L == PackedLayout::kF32) {
    return _mm256_loadu_ps(reinterpret_cast<const float*>(p));
  } else if constexpr (L == PackedLayout::kF16) {
    return LoadHalfs(p);
  } else {
    const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_castsi256_ps(
        _mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
  }
}
