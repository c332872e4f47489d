// Arm matrix kernels on the 8-bit matrix instructions: smmla multiplies two
// rows of weights by two of activations over eight columns, twice the products
// of a dot product instruction. A single row of activations takes those.
#include "kernels/matmul_task.h"

#if defined(__aarch64__)

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/matmul_inline.h"
#include "kernels/pack_layout.h"
#include "kernels/target.h"

CARAT_TARGET_I8MM_BEGIN
namespace carat::matmul_i8mm {

#include "kernels/matmul_neon-inl.h"

// A pair of rows has eight accumulators, two for each register of weights.
constexpr int kPassRows = 4;
constexpr int kFloatRows = 6;
template <PackedLayout L>
constexpr int kTileRowsOf = 6;
template <PackedLayout L>
constexpr int kDirectRowsOf = 8;

// Sums of weight rows 4v and 4v + 1 (low), 4v + 2 and 4v + 3 (high) with two
// rows of activations: {w0 x0, w0 x1, w1 x0, w1 x1}.
struct PairSums {
  I32 low, high;
};

template <PackedLayout L>
CARAT_INLINE U8 ToSigned(U8 code) {
  return SpecOf(L).offset == 128 ? veorq_u8(code, SetByte(0x80)) : code;
}

// Adds columns 4J .. 4 kEnd - 1 of V registers of weights to P pairs of rows.
template <PackedLayout L, int J, int kEnd, class Weights, class X, int P, int V>
CARAT_INLINE void MatrixSteps(const Weights& w, const X& x,
                              PairSums (&sum)[P][V]) {
  constexpr int kRows = sizeof(x.row) / sizeof(x.row[0]);
  int8x16_t columns[P];
  CARAT_UNROLL
  for (int p = 0; p < P; ++p) {
    const int other = 2 * p + 1 < kRows ? 2 * p + 1 : 2 * p;
    columns[p] = vcombine_s8(
        vld1_s8(reinterpret_cast<const int8_t*>(x.row[2 * p]) + 4 * J),
        vld1_s8(reinterpret_cast<const int8_t*>(x.row[other]) + 4 * J));
  }
  CARAT_UNROLL
  for (int v = 0; v < V; ++v) {
    // Four columns of four rows, twice, to eight columns of two rows, twice.
    const uint32x4_t first =
        vreinterpretq_u32_u8(ToSigned<L>(w.template Code<J>(v)));
    const uint32x4_t second =
        vreinterpretq_u32_u8(ToSigned<L>(w.template Code<J + 1>(v)));
    const int8x16_t low = vreinterpretq_s8_u32(vzip1q_u32(first, second));
    const int8x16_t high = vreinterpretq_s8_u32(vzip2q_u32(first, second));
    CARAT_UNROLL
    for (int p = 0; p < P; ++p) {
      sum[p][v].low = vmmlaq_s32(sum[p][v].low, low, columns[p]);
      sum[p][v].high = vmmlaq_s32(sum[p][v].high, high, columns[p]);
    }
  }
  if constexpr (J + 2 < kEnd) MatrixSteps<L, J + 2, kEnd>(w, x, sum);
}

// What Quads of matmul_kernels-inl.h does, for several rows. The last row of
// an odd number is its own partner.
template <PackedLayout L, int J, int kEnd, class Weights, class X, int T, int V>
CARAT_INLINE void MatrixQuads(const Weights& w, const X& x, I32 (&acc)[T][V]) {
  constexpr int kPairs = (T + 1) / 2;
  PairSums sum[kPairs][V];
  CARAT_UNROLL
  for (int p = 0; p < kPairs; ++p) {
    const int other = 2 * p + 1 < T ? 2 * p + 1 : 2 * p;
    CARAT_UNROLL
    for (int v = 0; v < V; ++v) {
      sum[p][v].low = vzip1q_s32(acc[2 * p][v], acc[other][v]);
      sum[p][v].high = vzip2q_s32(acc[2 * p][v], acc[other][v]);
    }
  }
  MatrixSteps<L, J, kEnd>(w, x, sum);
  CARAT_UNROLL
  for (int p = 0; p < kPairs; ++p) {
    CARAT_UNROLL
    for (int v = 0; v < V; ++v) {
      acc[2 * p][v] = vuzp1q_s32(sum[p][v].low, sum[p][v].high);
      if (2 * p + 1 < T) {
        acc[2 * p + 1][v] = vuzp2q_s32(sum[p][v].low, sum[p][v].high);
      }
    }
  }
}
#define CARAT_MATRIX_QUADS

#include "kernels/matmul_kernels-inl.h"

}  // namespace carat::matmul_i8mm
CARAT_TARGET_END

namespace carat {
MatMulTaskFn I8mmMatMul(PackedLayout layout) {
  return matmul_i8mm::KernelOf(layout);
}
}  // namespace carat

#else

namespace carat {
MatMulTaskFn I8mmMatMul(PackedLayout) { return nullptr; }
}  // namespace carat

#endif
