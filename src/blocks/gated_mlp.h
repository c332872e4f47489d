// down( gelu_tanh(gate x) * (up x) )
#ifndef CARAT_BLOCKS_GATED_MLP_H_
#define CARAT_BLOCKS_GATED_MLP_H_

#include "blocks/linear.h"

namespace carat {

struct GatedMlp {
  Linear gate;  // [ffn, hidden]
  Linear up;    // [ffn, hidden]
  Linear down;  // [hidden, ffn]

  // x: [rows, hidden], quantised; inner: scratch; y: [rows, hidden].
  void Forward(const Activations& x, Activations& inner, Activations& y,
               ThreadPool& pool) const {
    inner.Resize(x.rows(), gate.out());
    const MatMulProduct product = {
        .w = &gate.weight(),
        .up = &up.weight(),
        .in = {.x = &x, .index = nullptr, .count = x.rows()},
        .y = inner.row(0),
        .y_stride = inner.stride(),
        .to = UsesInt8(down.weight().layout) ? &inner : nullptr};
    MatMulTogether({&product, 1}, pool);
    down.Forward(inner, y, pool);
  }
};

}  // namespace carat

#endif  // CARAT_BLOCKS_GATED_MLP_H_
