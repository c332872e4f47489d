// Activations to int8 with AVX2. The same rules and bits as the portable form
// in matmul_activations.cc.
#if defined(__x86_64__)
#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels/matmul.h"
#include "kernels/matmul_inline.h"
#include "kernels/quantize.h"
#include "kernels/target.h"

CARAT_TARGET_AVX2_BEGIN
namespace carat {
namespace {

// The largest |x| of a block as ordered bits; anything that is not a number is
// above infinity.
inline int32_t MaxAbsBits(const __m256 (&x)[4]) {
  const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
  __m256i top = _mm256_and_si256(_mm256_castps_si256(x[0]), magnitude);
  CARAT_UNROLL
  for (int i = 1; i < 4; ++i) {
    top = _mm256_max_epi32(
        top, _mm256_and_si256(_mm256_castps_si256(x[i]), magnitude));
  }
  __m128i four = _mm_max_epi32(_mm256_castsi256_si128(top),
                               _mm256_extracti128_si256(top, 1));
  four = _mm_max_epi32(four, _mm_shuffle_epi32(four, _MM_SHUFFLE(1, 0, 3, 2)));
  four = _mm_max_epi32(four, _mm_shuffle_epi32(four, 1));
  return _mm_cvtsi128_si32(four);
}

// a: eight columns per 128-bit lane half, [0-3, 8-11 | 4-7, 12-15]. Stores them
// in order, (0, 1, 2, 3) of each quad as (0, 2, 1, 3).
inline void StoreWide(__m256i a, int16_t* out) {
  constexpr int kOrder = _MM_SHUFFLE(3, 1, 2, 0);
  a = _mm256_permute4x64_epi64(a, kOrder);
  a = _mm256_shufflehi_epi16(_mm256_shufflelo_epi16(a, kOrder), kOrder);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), a);
}

// Adds up the negated columns 0, 1 and 2, 3 (mod 4) of 16 columns: in the even
// and in the odd 32-bit lanes of the result.
inline __m128i NegatedPairs(__m256i a) {
  const __m256i sums = _mm256_madd_epi16(a, _mm256_set1_epi16(-1));
  return _mm_add_epi32(_mm256_castsi256_si128(sums),
                       _mm256_extracti128_si256(sums, 1));
}

template <bool kWide>
inline void RoundBlock(const __m256 (&x)[4], float inverse, ActBlock& out,
                       int16_t* wide) {
  const __m256 factor = _mm256_set1_ps(inverse);
  __m256i q[4];
  CARAT_UNROLL
  for (int i = 0; i < 4; ++i) {
    q[i] = _mm256_cvtps_epi32(_mm256_mul_ps(x[i], factor));
  }
  // 16 bits: columns [0-3, 8-11 | 4-7, 12-15], and the same 16 later.
  const __m256i first = _mm256_packs_epi32(q[0], q[1]);
  const __m256i second = _mm256_packs_epi32(q[2], q[3]);
  if constexpr (kWide) {
    StoreWide(first, wide);
    StoreWide(second, wide + 16);
  }
  const __m256i bytes =
      _mm256_permutevar8x32_epi32(_mm256_packs_epi16(first, second),
                                  _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out.q), bytes);

  const __m128i a = NegatedPairs(first), b = NegatedPairs(second);
  // [first even, first odd, second even, second odd]
  const __m128i pairs =
      _mm_add_epi32(_mm_unpacklo_epi64(a, b), _mm_unpackhi_epi64(a, b));
  const __m128i halves = _mm_hadd_epi32(pairs, pairs);
  out.neg_first = _mm_cvtsi128_si32(halves);
  out.neg_second = _mm_extract_epi32(halves, 1);
  const __m128i lanes = _mm_packs_epi32(pairs, pairs);
  out.lanes_first = _mm_cvtsi128_si32(lanes);
  out.lanes_second = _mm_extract_epi32(lanes, 1);
  out.lanes =
      _mm_cvtsi128_si32(_mm_add_epi16(lanes, _mm_shuffle_epi32(lanes, 1)));
}

// Weights have pushed the lines of an earlier layer's activations out of the
// caches: without a request ahead every block waits for main memory.
constexpr int64_t kAheadBlocks = 12;

inline void RequestBlock(const float* x, const ActBlock* out,
                         const int16_t* wide) {
  _mm_prefetch(reinterpret_cast<const char*>(x), _MM_HINT_T0);
  _mm_prefetch(reinterpret_cast<const char*>(x + 16), _MM_HINT_T0);
  RequestToWrite(out);
  if (wide != nullptr) RequestToWrite(wide);
}

template <bool kWide>
void QuantizeBlocks(const float* x, int64_t blocks, ActBlock* out,
                    int16_t* wide) {
  const auto wide_of = [&](int64_t b) {
    return kWide ? wide + b * kActBlock : nullptr;
  };
  const int64_t first = blocks < kAheadBlocks ? blocks : kAheadBlocks;
  for (int64_t b = 0; b < first; ++b) {
    RequestBlock(x + b * kActBlock, out + b, wide_of(b));
  }
  for (int64_t b = 0; b < blocks; ++b, x += kActBlock) {
    if (b + kAheadBlocks < blocks) {
      RequestBlock(x + kAheadBlocks * kActBlock, out + b + kAheadBlocks,
                   wide_of(b + kAheadBlocks));
    }
    __m256 v[4];
    CARAT_UNROLL
    for (int i = 0; i < 4; ++i) v[i] = _mm256_loadu_ps(x + 8 * i);
    const int32_t top_bits = MaxAbsBits(v);
    if (SetIfNoScale(top_bits, out[b], wide_of(b))) continue;
    float top;
    std::memcpy(&top, &top_bits, 4);
    RoundBlock<kWide>(v, 127.0f / top, out[b], wide_of(b));
    SetScale(top, out[b]);
  }
}

}  // namespace

void QuantizeBlocksAvx2(const float* x, int64_t blocks, ActBlock* out,
                        int16_t* wide) {
  if (wide != nullptr) {
    QuantizeBlocks<true>(x, blocks, out, wide);
  } else {
    QuantizeBlocks<false>(x, blocks, out, wide);
  }
}

}  // namespace carat
CARAT_TARGET_END
#endif  // __x86_64__
