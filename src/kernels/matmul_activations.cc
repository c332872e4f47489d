#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#include "kernels/matmul.h"
#include "kernels/quantize.h"

namespace carat {
namespace {

constexpr int64_t kLineFloats = 16;  // a 64-byte cache line

// Row strides are an odd number of cache lines, so that the same column of
// many rows does not fall into the same cache set.
int64_t FloatStride(int64_t cols) {
  return ((cols + kLineFloats - 1) / kLineFloats | 1) * kLineFloats;
}
int64_t Blocks(int64_t cols) { return (cols + kActBlock - 1) / kActBlock; }
// Whether an instruction set's kernels read the 16-bit form.
bool ReadsWide(Isa isa) { return isa == Isa::kAvx2; }
int64_t QuantizedStride(Isa isa, int64_t cols) {
  return Blocks(cols) * (ReadsWide(isa) ? 2 : 1) | 1;
}

#if defined(__x86_64__)

// With SSE2, which every x86-64 has; the portable form below says the same.

int32_t MaxAbsBits(const float* x) {
  const __m128 magnitude = _mm_castsi128_ps(_mm_set1_epi32(0x7fffffff));
  __m128 top = _mm_setzero_ps(), unordered = _mm_setzero_ps();
  for (int k = 0; k < kActBlock; k += 4) {
    const __m128 v = _mm_loadu_ps(x + k);
    top = _mm_max_ps(top, _mm_and_ps(v, magnitude));
    unordered = _mm_or_ps(unordered, _mm_cmpunord_ps(v, v));
  }
  if (_mm_movemask_ps(unordered) != 0) return kNotFiniteBits + 1;
  top = _mm_max_ps(top, _mm_movehl_ps(top, top));
  top = _mm_max_ss(top, _mm_shuffle_ps(top, top, 1));
  return _mm_cvtsi128_si32(_mm_castps_si128(top));
}

// Sums of columns 0, 1 and of 2, 3 (mod 4), negated, in the low two lanes.
__m128i NegatedPairs(__m128i a, __m128i b) {
  const __m128i minus = _mm_set1_epi16(-1);
  const __m128i sums =
      _mm_add_epi32(_mm_madd_epi16(a, minus), _mm_madd_epi16(b, minus));
  return _mm_add_epi32(sums, _mm_unpackhi_epi64(sums, sums));
}
int32_t SumOfPair(__m128i pair) {
  return _mm_cvtsi128_si32(_mm_add_epi32(pair, _mm_shuffle_epi32(pair, 1)));
}
int32_t PackPair(__m128i pair) {
  return _mm_cvtsi128_si32(_mm_shufflelo_epi16(pair, _MM_SHUFFLE(3, 1, 2, 0)));
}

// Columns (0, 1, 2, 3) of each quad to (0, 2, 1, 3).
void StoreWide(__m128i a, int16_t* out) {
  constexpr int kOrder = _MM_SHUFFLE(3, 1, 2, 0);
  a = _mm_shufflehi_epi16(_mm_shufflelo_epi16(a, kOrder), kOrder);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), a);
}

void RoundBlock(const float* x, float inverse, ActBlock& out, int16_t* wide) {
  __m128i q[4];  // eight 16-bit values each
  const __m128 factor = _mm_set1_ps(inverse);
  for (int i = 0; i < 4; ++i) {
    const __m128 low = _mm_mul_ps(_mm_loadu_ps(x + 8 * i), factor);
    const __m128 high = _mm_mul_ps(_mm_loadu_ps(x + 8 * i + 4), factor);
    q[i] = _mm_packs_epi32(_mm_cvtps_epi32(low), _mm_cvtps_epi32(high));
    if (wide != nullptr) StoreWide(q[i], wide + 8 * i);
  }
  for (int i = 0; i < 2; ++i) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out.q + 16 * i),
                     _mm_packs_epi16(q[2 * i], q[2 * i + 1]));
  }
  const __m128i first = NegatedPairs(q[0], q[1]);
  const __m128i second = NegatedPairs(q[2], q[3]);
  out.neg_first = SumOfPair(first);
  out.neg_second = SumOfPair(second);
  out.lanes_first = PackPair(first);
  out.lanes_second = PackPair(second);
  out.lanes = PackPair(_mm_add_epi32(first, second));
}

#else

int32_t MaxAbsBits(const float* x) {
  int32_t top = 0;
  for (int k = 0; k < kActBlock; ++k) {
    int32_t bits;
    std::memcpy(&bits, x + k, 4);
    bits &= 0x7fffffff;
    top = bits > top ? bits : top;
  }
  return top;
}

// Adding 1.5 * 2^23 rounds to nearest even and leaves the integer in the low
// bits. Precondition: |x| < 2^22.
int32_t RoundToInt(float x) {
  const float shifted = x + 12582912.0f;
  int32_t bits;
  std::memcpy(&bits, &shifted, 4);
  return bits - 0x4b400000;
}

int32_t PackLanes(int32_t even, int32_t odd) {
  return static_cast<int32_t>((static_cast<uint32_t>(even) & 0xffff) |
                              (static_cast<uint32_t>(odd) << 16));
}

void RoundBlock(const float* x, float inverse, ActBlock& out, int16_t*) {
  int32_t q[kActBlock];
  for (int k = 0; k < kActBlock; ++k) q[k] = RoundToInt(x[k] * inverse);
  for (int k = 0; k < kActBlock; ++k) out.q[k] = static_cast<int8_t>(q[k]);
  int32_t pair[2][2] = {};  // [half][columns 0, 1 or 2, 3 (mod 4)]
  for (int k = 0; k < kActBlock; ++k) pair[k / 16][k / 2 % 2] -= q[k];
  out.neg_first = pair[0][0] + pair[0][1];
  out.neg_second = pair[1][0] + pair[1][1];
  out.lanes_first = PackLanes(pair[0][0], pair[0][1]);
  out.lanes_second = PackLanes(pair[1][0], pair[1][1]);
  out.lanes = PackLanes(pair[0][0] + pair[1][0], pair[0][1] + pair[1][1]);
}

#endif

void QuantizeBlock(const float* x, ActBlock& out, int16_t* wide) {
  const int32_t top_bits = MaxAbsBits(x);
  if (SetIfNoScale(top_bits, out, wide)) return;
  float top;
  std::memcpy(&top, &top_bits, 4);
  RoundBlock(x, 127.0f / top, out, wide);
  SetScale(top, out);
}

void QuantizeBlocks(const float* x, int64_t blocks, ActBlock* out,
                    int16_t* wide) {
  for (int64_t b = 0; b < blocks; ++b) {
    QuantizeBlock(x + b * kActBlock, out[b],
                  wide == nullptr ? nullptr : wide + b * kActBlock);
  }
}

using QuantizeFn = void (*)(const float*, int64_t, ActBlock*, int16_t*);

QuantizeFn QuantizeFor(Isa isa) {
#if defined(__x86_64__)
  if (isa != Isa::kScalar) return &QuantizeBlocksAvx2;
#endif
  static_cast<void>(isa);
  return &QuantizeBlocks;
}

// `wide`: the 16-bit form of the first block, or null.
void QuantizeColumns(QuantizeFn quantize, const float* x, int64_t count,
                     ActBlock* out, int16_t* wide) {
  const int64_t whole = count / kActBlock, left = count % kActBlock;
  quantize(x, whole, out, wide);
  if (left == 0) return;
  float padded[kActBlock] = {};
  std::copy_n(x + whole * kActBlock, left, padded);
  QuantizeBlock(padded, out[whole],
                wide == nullptr ? nullptr : wide + whole * kActBlock);
}

}  // namespace

size_t Activations::Bytes(int64_t rows, int64_t cols) {
  return static_cast<size_t>(rows) *
         (static_cast<size_t>(FloatStride(cols)) * sizeof(float) +
          static_cast<size_t>(QuantizedStride(ActiveIsa(), cols)) *
              sizeof(ActBlock));
}

void Activations::Resize(int64_t rows, int64_t cols) {
  rows_ = rows;
  cols_ = cols;
  stride_ = FloatStride(cols);
  blocks_ = Blocks(cols);
  const size_t floats = static_cast<size_t>(rows * stride_) * sizeof(float);
  if (f32_.bytes() < floats) f32_ = AlignedBuffer(floats);
  PrepareInt8(ActiveIsa());
}

void Activations::PrepareInt8(Isa isa) {
  has_wide_ = ReadsWide(isa);
  quantized_stride_ = QuantizedStride(isa, cols_);
  const size_t bytes =
      static_cast<size_t>(rows_ * quantized_stride_) * sizeof(ActBlock);
  if (quantized_.bytes() < bytes) quantized_ = AlignedBuffer(bytes);
}

void Activations::QuantizePart(Isa isa, int64_t r, int64_t first, int64_t count,
                               const float* x) {
  ActBlock* row = quantized_.as<ActBlock>() + r * quantized_stride_;
  int16_t* wide =
      has_wide_ ? reinterpret_cast<int16_t*>(row + blocks_) + first : nullptr;
  QuantizeColumns(QuantizeFor(isa), x, count, row + first / kActBlock, wide);
}

void Activations::RequestPart(int64_t r, int64_t first, int64_t count) const {
  const ActBlock* block = quantized(r) + first / kActBlock;
  for (int64_t b = 0; b < Blocks(count); ++b) {
    RequestToWrite(block + b);
    if (has_wide_) RequestToWrite(block + blocks_ + b);
  }
}

void Activations::Quantize(ThreadPool& pool) {
  QuantizeWith(ActiveIsa(), pool);
}

void Activations::QuantizeWith(Isa isa, ThreadPool& pool) {
  PrepareInt8(isa);
  // A few hundred nanoseconds of work per task at least.
  const int64_t per_task =
      std::max<int64_t>(1, 4096 / std::max<int64_t>(cols_, 1));
  const int64_t tasks = (rows_ + per_task - 1) / per_task;
  pool.ParallelFor(static_cast<size_t>(tasks), [&](size_t task, int) {
    const int64_t begin = static_cast<int64_t>(task) * per_task;
    const int64_t end = std::min(begin + per_task, rows_);
    for (int64_t r = begin; r < end; ++r) {
      QuantizePart(isa, r, 0, cols_, row(r));
    }
  });
}

}  // namespace carat
