// y = W x for packed weights: the hot core of every model.
//
// Rows are lanes. A packed matrix holds groups of kRowGroup output rows; within
// a group the columns run block by block, and every output keeps one float
// accumulator that is updated in column order with fused multiply-adds.
//
//   f32, bf16, f16:  acc = fma(w, x, acc)                 for each column
//   quantised:       acc = fma(float(dot), scale * x.scale, acc)
//                    acc = fma(min, x.scaled_sum, acc)    if there are minimums
//                                        for each block of kActBlock columns
//
// dot is the exact integer sum of (code - offset) * x.q over the block; scale
// and min are exact f32 values (d, or d * sub-scale; m, or -(dmin * sub-min)).
// Q2_K, Q3_K, Q6_K and the IQ1 to IQ3 types have two sub-scales per block:
// there dot = sub0 * dot0 + sub1 * dot1 over its halves and scale = d. Q2_K has
// two sub-minimums likewise and instead of the second line
//                  acc = fma(float(m0 * x.neg0 + m1 * x.neg1),
//                            dmin * x.scale, acc)
// with minus the sums of x.q over the halves. The products scale * x.scale and
// x.scaled_sum = x.scale * float(sum of x.q) round once.
//
// GEMV and GEMM, one row or many, any thread count and every instruction set
// follow that order, so they give the same bits.
#ifndef CARAT_KERNELS_MATMUL_H_
#define CARAT_KERNELS_MATMUL_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "base/status.h"
#include "base/thread_pool.h"
#include "kernels/cpu.h"
#include "tensor/aligned_buffer.h"
#include "tensor/dtype.h"

namespace carat {

inline constexpr int kRowGroup = 16;  // output rows packed side by side
inline constexpr int kActBlock = 32;  // activations that share one scale

// How a matrix lies in memory after PackMatrix. pack_layout.h documents the
// bytes.
enum class PackedLayout : uint8_t {
  kNone,
  kF32,
  kBF16,
  kF16,
  kQ4_0,  // 4 bit, offset 8, f16 scale per 32
  kQ4_1,  // 4 bit, f16 scale and minimum per 32
  kQ5_0,
  kQ5_1,
  kQ8_0,  // 8 bit signed, f16 scale per 32
  kQ2_K,  // 2 bit, 4-bit scales and minimums per 16 under f16 per 256
  kQ3_K,  // 3 bit, offset 4, 8-bit scales per 16 under f16 per 256
  kQ4_K,  // 4 bit, 6-bit scales and minimums per 32 under f16 per 256
  kQ5_K,
  kQ6_K,    // 6 bit, 8-bit scales per 16 under f16 per 256
  kIQ4_NL,  // 4-bit code book, f16 scale per 32
  kIQ4_XS,  // 4-bit code book, 6-bit scale per 32 under f16 per 256
  kMXFP4,   // 4-bit code book, f32 scale per 32
  kIQ,      // 4 bit, own code book and f32 per 256, 8-bit scales per 16
};
const char* PackedLayoutName(PackedLayout layout);

// Counts the changes of what PackMatrix writes: files that hold packed weights
// are of one version. Whoever changes the bytes of any layout, or which layout
// a type is packed into, adds one.
inline constexpr uint32_t kPackedLayoutVersion = 1;

struct PackedMatrix {
  PackedLayout layout = PackedLayout::kNone;
  int64_t rows = 0;  // outputs
  int64_t cols = 0;  // inputs
  AlignedBuffer data;
  bool empty() const { return layout == PackedLayout::kNone; }
};

// Rows [first, first + count) as a matrix of their own that reads the bytes of
// `w`, which outlives it. Precondition: `first` is a multiple of kRowGroup, and
// so is `count` unless the rows are the last.
PackedMatrix RowsOf(const PackedMatrix& w, int64_t first, int64_t count);

// The layout that a stored type is packed into; kNone for integer types. The
// IQ1 to IQ3 types are widened to kIQ (0.58 bytes for a weight), which holds
// every value exactly.
PackedLayout LayoutFor(DType type);
// Bytes of PackedMatrix::data for a matrix of that stored type; 0 if it cannot
// be packed.
size_t PackedBytes(DType type, int64_t rows, int64_t cols);

// Called on the calling thread whenever source bytes [data, data + bytes) have
// been packed; ranges come in order, without gaps, about 8 MiB each. A loader
// can release the mapped file's pages there.
using PackProgress = std::function<void(const uint8_t* data, size_t bytes)>;

// Packs `rows` x `cols` elements stored row after row in `data`.
// Errors: kUnsupported for integer types, kInvalidArgument for columns that
// are not whole blocks, kResourceExhausted without memory.
Result<PackedMatrix> PackMatrix(DType type, int64_t rows, int64_t cols,
                                const uint8_t* data, ThreadPool& pool,
                                const PackProgress& progress = {});
// The same into `to`, which has PackedBytes zeroed bytes.
Result<PackedMatrix> PackMatrixInto(AlignedBuffer to, DType type, int64_t rows,
                                    int64_t cols, const uint8_t* data,
                                    ThreadPool& pool,
                                    const PackProgress& progress = {});

// One row as floats, [cols]: the same bits that Dequantize gives for the
// stored row. Serves embedding look-ups in a packed (tied) output head.
// Precondition: 0 <= row < w.rows.
void UnpackRow(const PackedMatrix& w, int64_t row, float* out);

// The int8 form of kActBlock activations: x ~ scale * q, scale = max|x| / 127,
// round to nearest even; all zero when max|x| < 1e-30. Sums are kept in the
// forms that the kernels start their accumulators from.
struct ActBlock {
  int8_t q[kActBlock];
  float scale;
  float scaled_sum;    // scale * float(sum of q)
  int32_t neg_sum;     // minus the sum of q
  int32_t neg_first;   // minus the sum of the first 16
  int32_t neg_second;  // minus the sum of the last 16
  // Two int16: minus the sum of q at columns 0, 1 (mod 4), and at 2, 3.
  int32_t lanes;
  int32_t lanes_first;   // of the first 16
  int32_t lanes_second;  // of the last 16
};
static_assert(sizeof(ActBlock) == 64);

// Rows of activations, [rows, cols] f32, plus the int8 form that quantised
// weights consume. Reusable: Resize only grows. One owner, one thread at a
// time.
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
  // The same for kernels of a chosen instruction set, for tests.
  void QuantizeWith(Isa isa, ThreadPool& pool);

  // The int8 form alone, from values that are never stored: PrepareInt8 after
  // Resize, then QuantizePart for every piece of every row, by any thread.
  void PrepareInt8(Isa isa);
  // x: columns [first, first + count) of row r. Both are multiples of kActBlock
  // but for the count at the end of the row.
  void QuantizePart(Isa isa, int64_t r, int64_t first, int64_t count,
                    const float* x);
  // Asks for the memory that QuantizePart will write: the threads that read it
  // last hold it in their caches.
  void RequestPart(int64_t r, int64_t first, int64_t count) const;

  // int8 form of a row: [blocks()]. Columns are padded with zeros to a
  // multiple of kActBlock.
  const ActBlock* quantized(int64_t r) const {
    return quantized_.as<ActBlock>() + r * quantized_stride_;
  }
  int64_t blocks() const { return blocks_; }
  // After a row's blocks follow, for AVX2, which has no product of bytes, their
  // values as int16: per block eight times (columns 4j, 4j + 2, 4j + 1,
  // 4j + 3).
  bool has_wide() const { return has_wide_; }

  // Bytes that Resize(rows, cols) allocates.
  static size_t Bytes(int64_t rows, int64_t cols);

 private:
  int64_t rows_ = 0, cols_ = 0, stride_ = 0, quantized_stride_ = 0;
  int64_t blocks_ = 0;
  bool has_wide_ = false;
  AlignedBuffer f32_, quantized_;
};

// True when the layout consumes the int8 form (Quantize must have run).
bool UsesInt8(PackedLayout layout);

// Which activation rows to multiply and where results go.
struct MatMulRows {
  const Activations* x = nullptr;  // [*, cols]
  const int32_t* index = nullptr;  // rows of x to use; null: 0, 1, 2 ...
  int64_t count = 0;               // how many
};

// y[i, 0..w.rows) = W x[row i]; y has `y_stride` floats between rows.
void MatMul(const PackedMatrix& w, const MatMulRows& in, float* y,
            int64_t y_stride, ThreadPool& pool);

// One product of several: y[i, 0..w->rows) = W x[row i], or, with `up` (of the
// shape of w), gelu_tanh(W x) * (Wu x). The latter may go to the int8 form of
// rows [to_row, to_row + in.count) of `to` (resized, w->rows columns) instead
// of y: whoever reads it next wants nothing else.
struct MatMulProduct {
  const PackedMatrix* w = nullptr;
  const PackedMatrix* up = nullptr;
  MatMulRows in;
  float* y = nullptr;
  int64_t y_stride = 0;
  Activations* to = nullptr;
  int64_t to_row = 0;
};

// All products in one parallel loop, the weights of one after those of the
// other.
void MatMulTogether(std::span<const MatMulProduct> products, ThreadPool& pool);

// The same with a chosen instruction set (which must be supported), for tests
// and `carat doctor`.
void MatMulWith(Isa isa, const PackedMatrix& w, const MatMulRows& in, float* y,
                int64_t y_stride, ThreadPool& pool);
void MatMulTogetherWith(Isa isa, std::span<const MatMulProduct> products,
                        ThreadPool& pool);

}  // namespace carat

#endif  // CARAT_KERNELS_MATMUL_H_
