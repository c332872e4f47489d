// y = W x for packed weights: the hot core of every model.
//
// Rows are lanes. A packed matrix holds groups of kRowGroup output rows; within
// a group the columns run block by block, and every output keeps one float
// accumulator that is updated in column order with fused multiply-adds:
//
//   quantised:  acc = fma(float(integer block dot), weight_scale * act_scale,
//                         acc)                       for each block of columns
//   f32, bf16:  acc = fma(w, x, acc)                 for each column
//
// GEMV and GEMM, one row or many, any thread count and every instruction set
// follow that order, so they give the same bits.
#ifndef CARAT_KERNELS_MATMUL_H_
#define CARAT_KERNELS_MATMUL_H_

#include <cstddef>
#include <cstdint>

#include "base/status.h"
#include "base/thread_pool.h"
#include "kernels/cpu.h"
#include "tensor/aligned_buffer.h"
#include "tensor/dtype.h"

namespace carat {

inline constexpr int kRowGroup = 16;   // output rows packed side by side
inline constexpr int kActBlock = 32;   // activations that share one scale

// How a matrix lies in memory after PackMatrix. matmul.cc documents the bytes.
enum class PackedLayout : uint8_t {
  kNone,
  kF32,
  kBF16,
  kF16,
  kQ4_0,    // 4 bit, offset 8, f16 scale per 32
  kQ4_1,    // 4 bit, f16 scale and minimum per 32
  kQ5_0,
  kQ5_1,
  kQ8_0,    // 8 bit signed, f16 scale per 32
  kQ4_K,    // 4 bit, 6-bit scales and minimums per 32 under f16 per 256
  kQ5_K,
  kQ6_K,    // 6 bit, 8-bit scales per 16 under f16 per 256
  kIQ4_NL,  // 4-bit code book, f16 scale per 32
  kIQ4_XS,  // 4-bit code book, 6-bit scale per 32 under f16 per 256
};
const char* PackedLayoutName(PackedLayout layout);

struct PackedMatrix {
  PackedLayout layout = PackedLayout::kNone;
  int64_t rows = 0;  // outputs
  int64_t cols = 0;  // inputs
  AlignedBuffer data;
  bool empty() const { return layout == PackedLayout::kNone; }
};

// The layout that a stored type is packed into. Types without one of their own
// are widened: to kQ8_0-like exactness is not possible, so to kBF16 or kF32,
// whichever holds every value exactly.
PackedLayout LayoutFor(DType type);
// Bytes of PackedMatrix::data for a matrix of that stored type.
size_t PackedBytes(DType type, int64_t rows, int64_t cols);

// Packs `rows` x `cols` elements stored row after row in `data`.
// Errors: kUnsupported for integer types, kResourceExhausted without memory.
Result<PackedMatrix> PackMatrix(DType type, int64_t rows, int64_t cols,
                                const uint8_t* data, ThreadPool& pool);

// Rows of activations, [rows, cols] f32, plus the int8 form that quantised
// weights consume (blocks of kActBlock: scale = max|x| / 127, round to nearest
// even). Reusable: Resize only grows. One owner, one thread at a time.
class Activations {
 public:
  void Resize(int64_t rows, int64_t cols);
  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  float* row(int64_t r) { return f32_.as<float>() + r * stride_; }
  const float* row(int64_t r) const { return f32_.as<float>() + r * stride_; }
  int64_t stride() const { return stride_; }  // floats between rows

  // Fills the int8 form of all rows from the f32 form.
  void Quantize(ThreadPool& pool);

  // int8 form. Columns are padded with zeros to a multiple of kActBlock.
  const int8_t* q(int64_t r) const { return q_.as<int8_t>() + r * q_stride_; }
  const float* scales(int64_t r) const {
    return scales_.as<float>() + r * blocks_;
  }
  // Sum of the int8 values of each block, then (second half of the row) of
  // the first 16 values of each block.
  const int32_t* sums(int64_t r) const {
    return sums_.as<int32_t>() + r * blocks_ * 2;
  }
  int64_t blocks() const { return blocks_; }
  // Bytes that Resize(rows, cols) allocates.
  static size_t Bytes(int64_t rows, int64_t cols);

 private:
  int64_t rows_ = 0, cols_ = 0, stride_ = 0, q_stride_ = 0, blocks_ = 0;
  AlignedBuffer f32_, q_, scales_, sums_;
};

// True when the layout consumes the int8 form (Quantize must have run).
bool UsesInt8(PackedLayout layout);

// Which activation rows to multiply and where results go.
struct MatMulRows {
  const Activations* x = nullptr;     // [*, cols]
  const int32_t* index = nullptr;     // rows of x to use; null: 0, 1, 2 ...
  int64_t count = 0;                  // how many
};

// y[i, 0..w.rows) = W x[row i]; y has `y_stride` floats between rows.
void MatMul(const PackedMatrix& w, const MatMulRows& in, float* y,
            int64_t y_stride, ThreadPool& pool);

// y = gelu_tanh(Wg x) * (Wu x): the gated MLP's first half in one pass.
// Both matrices have the same shape (layouts may differ).
void MatMulGatedGelu(const PackedMatrix& gate, const PackedMatrix& up,
                     const MatMulRows& in, float* y, int64_t y_stride,
                     ThreadPool& pool);

// The same with a chosen instruction set, for tests and `carat doctor`.
void MatMulWith(Isa isa, const PackedMatrix& w, const MatMulRows& in, float* y,
                int64_t y_stride, ThreadPool& pool);

}  // namespace carat

#endif  // CARAT_KERNELS_MATMUL_H_
