// The reference: what every other kernel must equal bit for bit.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/matmul_task.h"
#include "kernels/pack_layout.h"
#include "tensor/dequantize.h"

namespace carat {
namespace {

float FloatWeight(PackedLayout layout, const uint8_t* group, int64_t at) {
  if (layout == PackedLayout::kF32) {
    float value;
    std::memcpy(&value, group + at * 4, 4);
    return value;
  }
  uint16_t bits;
  std::memcpy(&bits, group + at * 2, 2);
  return layout == PackedLayout::kBF16 ? Bf16ToFloat(bits) : HalfToFloat(bits);
}

void FloatColumns(const MatMulTask& task, const uint8_t* group,
                  float (*acc)[kRowGroup]) {
  for (int64_t c = 0; c < task.w->cols; ++c) {
    float w[kRowGroup];
    for (int lane = 0; lane < kRowGroup; ++lane) {
      w[lane] = FloatWeight(task.w->layout, group, c * kRowGroup + lane);
    }
    for (int64_t i = 0; i < task.row_count; ++i) {
      const float x = task.x->row(task.x_row(i))[c];
      for (int lane = 0; lane < kRowGroup; ++lane) {
        acc[i][lane] = std::fma(w[lane], x, acc[i][lane]);
      }
    }
  }
}

int32_t Dot(const RowBlock& w, const ActBlock& x, bool pair) {
  int32_t half[2] = {0, 0};
  for (int k = 0; k < kActBlock; ++k) half[k / 16] += w.code[k] * x.q[k];
  if (pair) return w.sub[0] * half[0] + w.sub[1] * half[1];
  return half[0] + half[1];
}

void QuantizedColumns(const MatMulTask& task, const uint8_t* group,
                      float (*acc)[kRowGroup]) {
  const LayoutSpec spec = SpecOf(task.w->layout);
  const bool pair = IsPair(spec), pair_min = HasPairMin(spec);
  for (int64_t b = 0; b < task.w->cols / kActBlock; ++b) {
    for (int lane = 0; lane < kRowGroup; ++lane) {
      const RowBlock w = ReadRowBlock(task.w->layout, group, b, lane);
      for (int64_t i = 0; i < task.row_count; ++i) {
        const ActBlock& x = task.x->quantized(task.x_row(i))[b];
        float& a = acc[i][lane];
        a = std::fma(static_cast<float>(Dot(w, x, pair)), w.scale * x.scale, a);
        if (HasMin(spec)) a = std::fma(w.min, x.scaled_sum, a);
        if (pair_min) {
          const int32_t sum =
              w.min_sub[0] * x.neg_first + w.min_sub[1] * x.neg_second;
          a = std::fma(static_cast<float>(sum), w.min * x.scale, a);
        }
      }
    }
  }
}

void Run(const MatMulTask& task) {
  float acc[kMaxTaskRows][kRowGroup];
  const size_t bytes = GroupBytes(task.w->layout, task.w->cols);
  for (int64_t g = 0; g < task.group_count; ++g) {
    std::memset(acc, 0, sizeof(acc[0]) * static_cast<size_t>(task.row_count));
    const int64_t at = task.group_begin + g;
    const uint8_t* group =
        task.w->data.data() + static_cast<size_t>(at) * bytes;
    if (UsesInt8(task.w->layout)) {
      QuantizedColumns(task, group, acc);
    } else {
      FloatColumns(task, group, acc);
    }
    for (int64_t i = 0; i < task.row_count; ++i) {
      std::copy_n(acc[i], task.valid(at),
                  task.y + i * task.y_stride + g * kRowGroup);
    }
  }
}

}  // namespace

MatMulTaskFn ScalarMatMul(PackedLayout) { return &Run; }

}  // namespace carat
