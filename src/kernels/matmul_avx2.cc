// AVX2 matrix kernels. Without an integer dot product instruction, unsigned
// codes of up to six bits go through vpmaddubsw into 16-bit lanes. Each lane
// starts at minus offset times its activations' sum: additions wrap, and the
// final value, the sum of (code - offset) * q over at most 16 products (8 for
// six bits), fits 16 bits again. Eight-bit codes are split into even and odd
// columns and multiplied as 16-bit numbers.
#if defined(__x86_64__)

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/matmul_inline.h"
#include "kernels/matmul_task.h"
#include "kernels/pack_layout.h"
#include "kernels/target.h"

CARAT_TARGET_AVX2_BEGIN
namespace carat::matmul_avx2 {

#include "kernels/matmul_avx2-inl.h"

constexpr int kPassRows = 4;
constexpr int kFloatRows = 6;

// True for layouts whose codes, offset included, need eight bits.
template <PackedLayout L>
constexpr bool kIsWide = SpecOf(L).offset == 128;

// What sixteen registers hold: two accumulators per row, two of weights (four
// when split into columns), one or two of activations.
template <PackedLayout L>
constexpr int kTileRowsOf = kIsWide<L> ? 4 : 6;

// Above so many rows a panel is decoded first. Plain bytes need no decoding.
template <PackedLayout L>
constexpr int kDirectRowsOf = SpecOf(L).bits == 8 ? kMaxTaskRows : 8;

struct Quad {
  __m256i even, odd;  // wide: columns 4j, 4j + 2; and 4j + 1, 4j + 3
};

template <PackedLayout L, int J>
CARAT_INLINE Quad LoadQuad(const uint8_t* x, ptrdiff_t wide) {
  if constexpr (kIsWide<L>) {
    const int32_t* p = reinterpret_cast<const int32_t*>(x + wide) + 2 * J;
    return {_mm256_set1_epi32(p[0]), _mm256_set1_epi32(p[1])};
  } else {
    const __m256i q = _mm256_set1_epi32(reinterpret_cast<const int32_t*>(x)[J]);
    return {q, q};
  }
}

template <PackedLayout L, int kHalf>
CARAT_INLINE I32 Start(const uint8_t* x) {
  constexpr LayoutSpec kSpec = SpecOf(L);
  const ActBlock* block = reinterpret_cast<const ActBlock*>(x);
  if constexpr (kSpec.offset == 0) {
    // Five bits without an offset would not fit 16 bits; see Finish.
    if constexpr (kSpec.bits == 5) {
      return _mm256_slli_epi16(SetI32(&block->lanes), 4);
    }
    return _mm256_setzero_si256();
  } else if constexpr (kIsWide<L>) {
    const int32_t* sum = !IsPair(kSpec) ? &block->neg_sum
                         : kHalf == 0   ? &block->neg_first
                                        : &block->neg_second;
    return _mm256_slli_epi32(SetI32(sum), 7);
  } else {
    const int32_t* lanes = !IsPair(kSpec) ? &block->lanes
                           : kHalf == 0   ? &block->lanes_first
                                          : &block->lanes_second;
    return _mm256_slli_epi16(SetI32(lanes), OffsetShift(kSpec));
  }
}

template <PackedLayout L, int J>
CARAT_INLINE I32 Step(I32 acc, U8 code, const Quad& x) {
  if constexpr (kIsWide<L>) {
    const __m256i even = _mm256_and_si256(code, _mm256_set1_epi16(0x00ff));
    const __m256i odd = _mm256_srli_epi16(code, 8);
    acc = _mm256_add_epi32(acc, _mm256_madd_epi16(even, x.even));
    CARAT_KEEP(acc);
    acc = _mm256_add_epi32(acc, _mm256_madd_epi16(odd, x.odd));
  } else {
    acc = _mm256_add_epi16(acc, _mm256_maddubs_epi16(code, x.even));
  }
  CARAT_KEEP(acc);
  return acc;
}

template <PackedLayout L>
CARAT_INLINE I32 Finish(I32 acc, const uint8_t* x) {
  constexpr LayoutSpec kSpec = SpecOf(L);
  if constexpr (kIsWide<L>) return acc;
  const __m256i sum = _mm256_madd_epi16(acc, _mm256_set1_epi16(1));
  if constexpr (kSpec.bits == 5 && kSpec.offset == 0) {
    // Start took 16 times the sum away to fit 16 bits.
    const ActBlock* block = reinterpret_cast<const ActBlock*>(x);
    return _mm256_sub_epi32(sum, _mm256_slli_epi32(SetI32(&block->neg_sum), 4));
  }
  return sum;
}

// 16-bit sums are multiplied by sub-scales as pairs of equal 16-bit numbers, so
// that one multiplication sums a lane pair and scales it.
template <PackedLayout L>
CARAT_INLINE I32 FinishPair(I32 acc, I32 sub) {
  if constexpr (kIsWide<L>) return _mm256_mullo_epi32(acc, sub);
  const __m256i twice =
      _mm256_setr_epi8(0, 1, 0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13, 0, 1,
                       0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13);
  return _mm256_madd_epi16(acc, _mm256_shuffle_epi8(sub, twice));
}

#include "kernels/matmul_kernels-inl.h"

}  // namespace carat::matmul_avx2
CARAT_TARGET_END

namespace carat {
MatMulTaskFn Avx2MatMul(PackedLayout layout) {
  return matmul_avx2::KernelOf(layout);
}
}  // namespace carat

#else

#include "kernels/matmul_task.h"

namespace carat {
MatMulTaskFn Avx2MatMul(PackedLayout) { return nullptr; }
}  // namespace carat

#endif
