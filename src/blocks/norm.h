// RMSNorm over whole rows or over the heads of a row.
#ifndef CARAT_BLOCKS_NORM_H_
#define CARAT_BLOCKS_NORM_H_

#include <cstdint>
#include <vector>

#include "blocks/batch.h"
#include "kernels/matmul.h"
#include "kernels/vector.h"

namespace carat {

struct RmsNorm {
  std::vector<float> weight;  // [width]; empty: no weight
  float eps = 1e-6f;

  void Apply(const float* x, int64_t width, float* out) const {
    Vector().rms_norm(x, weight.empty() ? nullptr : weight.data(), width, eps,
                      out);
  }
  // x: [rows, width] -> out, each with its own stride.
  void Rows(const Activations& x, Activations& out, ThreadPool& pool) const {
    ForRows(x.rows(), pool,
            [&](int64_t r) { Apply(x.row(r), x.cols(), out.row(r)); });
  }
  // h += norm(x), row by row; `scratch` of the shape of x is overwritten.
  void AddTo(Activations& x, Activations& h, ThreadPool& pool) const {
    ForRows(x.rows(), pool, [&](int64_t r) {
      Apply(x.row(r), x.cols(), x.row(r));
      Vector().add(x.row(r), x.cols(), h.row(r));
    });
  }
};

}  // namespace carat

#endif  // CARAT_BLOCKS_NORM_H_
