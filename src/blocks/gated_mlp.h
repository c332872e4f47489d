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
    MatMulGatedGelu(gate.weight(), up.weight(),
                    {.x = &x, .index = nullptr, .count = x.rows()},
                    inner.row(0), inner.stride(), pool);
    inner.Quantize(pool);
    down.Forward(inner, y, pool);
  }
};

}  // namespace carat

#endif  // CARAT_BLOCKS_GATED_MLP_H_
