// AVX-512 VNNI matrix kernels: one register holds a group's 16 rows. Tiles are
// two groups wide, so that a load of activations serves two dot products.
//
// CARAT_SIMDE compiles the same code to the portable emulation of Debian's
// libsimde-dev: the only way to test it on a machine without AVX-512.
#if defined(__x86_64__)

#if defined(CARAT_SIMDE)
#include <avx512_simde.h>  // in tests/cross
#else
#include <immintrin.h>
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/matmul_inline.h"
#include "kernels/matmul_task.h"
#include "kernels/pack_layout.h"
#include "kernels/target.h"

#if defined(__GNUC__) && !defined(__clang__)
// GCC 12's own header leaves "undefined" vectors uninitialised on purpose.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#if !defined(CARAT_SIMDE)
CARAT_TARGET_AVX512_BEGIN
#endif
namespace carat::matmul_avx512 {

using U8 = __m512i;
using I32 = __m512i;
using F32 = __m512;
constexpr int kLanes = 16;
constexpr int kTileGroups = 2;
constexpr int kPassRows = 8;
constexpr int kFloatRows = 8;
template <PackedLayout L>
constexpr int kTileRowsOf = 6;
template <PackedLayout L>
constexpr int kDirectRowsOf = 8;

CARAT_INLINE U8 LoadBytes(const uint8_t* p) { return _mm512_loadu_si512(p); }
CARAT_INLINE void StoreBytes(U8 a, uint8_t* p) { _mm512_storeu_si512(p, a); }
CARAT_INLINE U8 SetByte(int b) { return _mm512_set1_epi32(b * 0x01010101); }
CARAT_INLINE U8 And(U8 a, U8 b) { return _mm512_and_si512(a, b); }
CARAT_INLINE U8 Or(U8 a, U8 b) { return _mm512_or_si512(a, b); }
// Bits cross from byte to byte; callers mask.
template <int N>
CARAT_INLINE U8 Shr(U8 a) {
  return _mm512_srli_epi16(a, N);
}
// Bit kFrom of every byte to bit kTo.
template <int kFrom, int kTo>
CARAT_INLINE U8 MoveBit(U8 a) {
  if constexpr (kFrom < kTo) return _mm512_slli_epi16(a, kTo - kFrom);
  if constexpr (kFrom > kTo) return _mm512_srli_epi16(a, kFrom - kTo);
  return a;
}
CARAT_INLINE U8 LookUp(const uint8_t* table, U8 code) {
  return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128(
                                 reinterpret_cast<const __m128i*>(table))),
                             code);
}

CARAT_INLINE I32 LoadI32(const int32_t* p) { return _mm512_loadu_si512(p); }
CARAT_INLINE void StoreI32(I32 a, int32_t* p) { _mm512_storeu_si512(p, a); }
CARAT_INLINE I32 AddI32(I32 a, I32 b) { return _mm512_add_epi32(a, b); }
CARAT_INLINE I32 SetI32(const int32_t* p) { return _mm512_set1_epi32(*p); }
CARAT_INLINE I32 ZeroI32() { return _mm512_setzero_si512(); }
template <int N>
CARAT_INLINE I32 ShlI32(I32 a) {
  return _mm512_slli_epi32(a, N);
}
CARAT_INLINE I32 MulI32(I32 a, I32 b) { return _mm512_mullo_epi32(a, b); }
CARAT_INLINE I32 AndI32(I32 a, int b) {
  return _mm512_and_si512(a, _mm512_set1_epi32(b));
}
template <int N>
CARAT_INLINE I32 ShrI32(I32 a) {
  return _mm512_srli_epi32(a, N);
}
CARAT_INLINE I32 DotBytes(I32 acc, U8 code, I32 x) {
  return _mm512_dpbusd_epi32(acc, code, x);
}

CARAT_INLINE F32 LoadF32(const float* p) { return _mm512_loadu_ps(p); }
CARAT_INLINE void StoreF32(F32 a, float* p) { _mm512_storeu_ps(p, a); }
CARAT_INLINE F32 ZeroF32() { return _mm512_setzero_ps(); }
CARAT_INLINE F32 SetF32(const float* p) { return _mm512_set1_ps(*p); }
CARAT_INLINE F32 ToF32(I32 a) { return _mm512_cvtepi32_ps(a); }
CARAT_INLINE F32 Mul(F32 a, F32 b) { return _mm512_mul_ps(a, b); }
CARAT_INLINE F32 Fma(F32 a, F32 b, F32 c) { return _mm512_fmadd_ps(a, b, c); }
CARAT_INLINE F32 Negate(F32 a) {
  return _mm512_xor_ps(a, _mm512_set1_ps(-0.0f));
}
CARAT_INLINE __m128i Load16Bytes(const uint8_t* p) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
CARAT_INLINE F32 LoadHalfs(const uint8_t* p) {
  return _mm512_cvtph_ps(
      _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
CARAT_INLINE F32 LoadU8AsF32(const uint8_t* p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(Load16Bytes(p)));
}
CARAT_INLINE I32 LoadSub(const uint8_t* p) {
  return _mm512_cvtepi8_epi32(Load16Bytes(p));
}
CARAT_INLINE F32 LoadI8AsF32(const uint8_t* p) {
  return _mm512_cvtepi32_ps(LoadSub(p));
}
template <PackedLayout L>
CARAT_INLINE F32 LoadWeights(const uint8_t* p) {
  if constexpr (L == PackedLayout::kF32) {
    return _mm512_loadu_ps(reinterpret_cast<const float*>(p));
  } else if constexpr (L == PackedLayout::kF16) {
    return LoadHalfs(p);
  } else {
    const __m256i bits =
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm512_castsi512_ps(
        _mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
  }
}

#include "kernels/matmul_vnni-inl.h"

}  // namespace carat::matmul_avx512
#if !defined(CARAT_SIMDE)
CARAT_TARGET_END
#endif

namespace carat {
MatMulTaskFn Avx512MatMul(PackedLayout layout) {
  return matmul_avx512::KernelOf(layout);
}
}  // namespace carat

#else

#include "kernels/matmul_task.h"

namespace carat {
MatMulTaskFn Avx512MatMul(PackedLayout) { return nullptr; }
}  // namespace carat

#endif
