// y = W x without bias, for any stored weight type. Immutable after loading.
#ifndef CARAT_BLOCKS_LINEAR_H_
#define CARAT_BLOCKS_LINEAR_H_

#include <utility>

#include "formats/model_file.h"
#include "kernels/matmul.h"

namespace carat {

class Linear {
 public:
  Linear() = default;
  explicit Linear(PackedMatrix weight) : weight_(std::move(weight)) {}

  bool empty() const { return weight_.empty(); }
  int64_t out() const { return weight_.rows; }
  int64_t in() const { return weight_.cols; }
  const PackedMatrix& weight() const { return weight_; }

  // Outputs [first, first + count), whose weights stay in this one: see RowsOf.
  Linear Outputs(int64_t first, int64_t count) const {
    return Linear(RowsOf(weight_, first, count));
  }

  // x: [rows, in], quantised already when the layout wants it (Quantize);
  // y: [rows, out], `stride` floats between rows.
  void Forward(const Activations& x, float* y, int64_t stride,
               ThreadPool& pool) const {
    MatMul(weight_, {.x = &x, .index = nullptr, .count = x.rows()}, y, stride,
           pool);
  }
  void Forward(const Activations& x, Activations& y, ThreadPool& pool) const {
    Forward(x, y.row(0), y.stride(), pool);
  }

 private:
  PackedMatrix weight_;  // [out, in]
};

// A look-up table read row by row straight from the model file: embeddings.
// Its rows stay on disk until touched.
class RowTable {
 public:
  RowTable() = default;
  // `file` and the view's bytes outlive the table.
  RowTable(const ModelFile* file, TensorView view)
      : file_(file), view_(std::move(view)) {}

  int64_t rows() const { return view_.rows(); }
  int64_t cols() const { return view_.cols(); }
  DType type() const { return view_.type; }
  // out: elements [first, first + count) of a row, both multiples of the
  // type's block. Precondition: 0 <= row < rows().
  void Read(int64_t row, int64_t first, int64_t count, float* out) const;
  void Read(int64_t row, float* out) const { Read(row, 0, cols(), out); }
  // Lets go of the pages that reads have made resident.
  void Release() const { file_->Release(view_); }

 private:
  const ModelFile* file_ = nullptr;
  TensorView view_;  // [rows, cols], in the mapped file
};

}  // namespace carat

#endif  // CARAT_BLOCKS_LINEAR_H_
