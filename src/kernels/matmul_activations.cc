#include <algorithm>
#include <cstring>

#include "kernels/matmul.h"

namespace carat {
namespace {

constexpr int64_t kLineFloats = 16;  // a 64-byte cache line
constexpr int64_t kWideBlocks = Activations::kHasWide ? 2 : 1;

// Row strides are an odd number of cache lines, so that the same column of
// many rows does not fall into the same cache set.
int64_t FloatStride(int64_t cols) {
  return ((cols + kLineFloats - 1) / kLineFloats | 1) * kLineFloats;
}
int64_t Blocks(int64_t cols) { return (cols + kActBlock - 1) / kActBlock; }
int64_t QuantizedStride(int64_t cols) { return Blocks(cols) * kWideBlocks | 1; }

// |x| as ordered integers; NaN and infinity come out at or above this.
constexpr int32_t kNotFinite = 0x7f800000;
constexpr float kTiny = 1e-30f;

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
// bits, on any machine. Precondition: |x| < 2^22.
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

void FillSums(ActBlock& out) {
  int32_t pair[2][2] = {};  // [half][columns 0, 1 or 2, 3 (mod 4)]
  for (int half = 0; half < 2; ++half) {
    for (int k = 0; k < 16; ++k) {
      pair[half][k / 2 % 2] -= out.q[half * 16 + k];
    }
  }
  out.neg_first = pair[0][0] + pair[0][1];
  out.neg_second = pair[1][0] + pair[1][1];
  out.neg_sum = out.neg_first + out.neg_second;
  out.lanes_first = PackLanes(pair[0][0], pair[0][1]);
  out.lanes_second = PackLanes(pair[1][0], pair[1][1]);
  out.lanes = PackLanes(pair[0][0] + pair[1][0], pair[0][1] + pair[1][1]);
  out.scaled_sum = out.scale * static_cast<float>(-out.neg_sum);
}

void QuantizeBlock(const float* x, ActBlock& out) {
  const int32_t top_bits = MaxAbsBits(x);
  float top;
  std::memcpy(&top, &top_bits, 4);
  if (top_bits >= kNotFinite || top < kTiny) {
    // Not finite: a NaN scale makes every product NaN.
    std::memset(&out, 0, sizeof(out));
    if (top_bits >= kNotFinite) {
      out.scale = __builtin_nanf("");
      out.scaled_sum = out.scale;
    }
    return;
  }
  const float inverse = 127.0f / top;
  int32_t q[kActBlock];
  for (int k = 0; k < kActBlock; ++k) q[k] = RoundToInt(x[k] * inverse);
  for (int k = 0; k < kActBlock; ++k) out.q[k] = static_cast<int8_t>(q[k]);
  out.scale = top / 127.0f;
  FillSums(out);
}

void WidenBlock(const ActBlock& in, int16_t* out) {
  for (int k = 0; k < kActBlock; k += 4) {
    out[k] = in.q[k];
    out[k + 1] = in.q[k + 2];
    out[k + 2] = in.q[k + 1];
    out[k + 3] = in.q[k + 3];
  }
}

void QuantizeRow(const float* x, int64_t cols, ActBlock* out) {
  const int64_t blocks = Blocks(cols);
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t left = cols - b * kActBlock;
    if (left >= kActBlock) {
      QuantizeBlock(x + b * kActBlock, out[b]);
    } else {
      float padded[kActBlock] = {};
      std::copy_n(x + b * kActBlock, left, padded);
      QuantizeBlock(padded, out[b]);
    }
    if constexpr (Activations::kHasWide) {
      WidenBlock(out[b], reinterpret_cast<int16_t*>(out + blocks + b));
    }
  }
}

}  // namespace

size_t Activations::Bytes(int64_t rows, int64_t cols) {
  return static_cast<size_t>(rows) *
         (static_cast<size_t>(FloatStride(cols)) * sizeof(float) +
          static_cast<size_t>(QuantizedStride(cols)) * sizeof(ActBlock));
}

void Activations::Resize(int64_t rows, int64_t cols) {
  rows_ = rows;
  cols_ = cols;
  stride_ = FloatStride(cols);
  blocks_ = Blocks(cols);
  quantized_stride_ = QuantizedStride(cols);
  const size_t floats = static_cast<size_t>(rows * stride_) * sizeof(float);
  const size_t blocks =
      static_cast<size_t>(rows * quantized_stride_) * sizeof(ActBlock);
  if (f32_.bytes() < floats) f32_ = AlignedBuffer(floats);
  if (quantized_.bytes() < blocks) quantized_ = AlignedBuffer(blocks);
}

void Activations::Quantize(ThreadPool& pool) {
  // A few hundred nanoseconds of work per task at least.
  const int64_t per_task =
      std::max<int64_t>(1, 4096 / std::max<int64_t>(cols_, 1));
  const int64_t tasks = (rows_ + per_task - 1) / per_task;
  pool.ParallelFor(static_cast<size_t>(tasks), [&](size_t task, int) {
    const int64_t begin = static_cast<int64_t>(task) * per_task;
    const int64_t end = std::min(begin + per_task, rows_);
    for (int64_t r = begin; r < end; ++r) {
      QuantizeRow(row(r), cols_,
                  quantized_.as<ActBlock>() + r * quantized_stride_);
    }
  });
}

}  // namespace carat
