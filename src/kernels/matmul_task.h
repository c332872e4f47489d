// What MatMul hands to one instruction set's kernels: a piece of the product
// that one thread computes alone.
#ifndef CARAT_KERNELS_MATMUL_TASK_H_
#define CARAT_KERNELS_MATMUL_TASK_H_

#include <cstdint>

#include "kernels/matmul.h"

namespace carat {

// Most activation rows of one task: what a thread's result tile is sized for.
inline constexpr int kMaxTaskRows = 192;

struct MatMulTask {
  const PackedMatrix* w = nullptr;
  const Activations* x = nullptr;
  const int32_t* index = nullptr;  // rows of x, or null
  int64_t row_begin = 0;           // positions in `index`, or rows of x
  int64_t row_count = 0;           // 1 .. kMaxTaskRows
  int64_t group_begin = 0;
  int64_t group_count = 0;
  // Result of row `row_begin` and the first output of `group_begin`.
  float* y = nullptr;
  int64_t y_stride = 0;

  int64_t x_row(int64_t i) const {
    return index != nullptr ? index[row_begin + i] : row_begin + i;
  }
  // Outputs of group `g` that exist (the last group may be padded).
  int64_t valid(int64_t g) const {
    const int64_t left = w->rows - g * kRowGroup;
    return left < kRowGroup ? left : kRowGroup;
  }
};

using MatMulTaskFn = void (*)(const MatMulTask& task);

// The kernel of one instruction set for a layout. Where the instruction set is
// not compiled in (other architecture), null.
MatMulTaskFn ScalarMatMul(PackedLayout layout);
MatMulTaskFn Avx2MatMul(PackedLayout layout);
MatMulTaskFn AvxVnniMatMul(PackedLayout layout);
MatMulTaskFn Avx512MatMul(PackedLayout layout);
MatMulTaskFn NeonMatMul(PackedLayout layout);
MatMulTaskFn I8mmMatMul(PackedLayout layout);

}  // namespace carat

#endif  // CARAT_KERNELS_MATMUL_TASK_H_
