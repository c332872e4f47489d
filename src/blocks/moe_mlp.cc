#include "blocks/moe_mlp.h"

#include <algorithm>
#include <numeric>

namespace carat {

void MoeMlp::Route(const Activations& h, MoeWorkspace& ws,
                   ThreadPool& pool) const {
  const int64_t rows = h.rows(), hidden = h.cols();
  const int experts = static_cast<int>(router.out());
  ws.router_in.Resize(rows, hidden);
  ws.probabilities.Resize(rows, experts);
  ForRows(rows, pool, [&](int64_t r) {
    float* t = ws.router_in.row(r);
    router_norm.Apply(h.row(r), hidden, t);
    for (int64_t i = 0; i < hidden; ++i) t[i] *= router_scale[i];
  });
  ws.router_in.Quantize(pool);
  router.Forward(ws.router_in, ws.probabilities, pool);

  ws.choices.clear();
  std::vector<int32_t> order(experts);
  for (int64_t r = 0; r < rows; ++r) {
    float* p = ws.probabilities.row(r);
    Vector().softmax(experts, p);
    std::iota(order.begin(), order.end(), 0);
    // Equal probabilities: the lower expert wins.
    std::partial_sort(order.begin(), order.begin() + experts_used, order.end(),
                      [p](int32_t a, int32_t b) {
                        return p[a] > p[b] || (p[a] == p[b] && a < b);
                      });
    float sum = 0.0f;
    for (int i = 0; i < experts_used; ++i) sum += p[order[i]];
    for (int i = 0; i < experts_used; ++i) {
      const int32_t e = order[i];
      ws.choices.push_back(
          {static_cast<int32_t>(r), e, p[e] / sum * expert_scale[e]});
    }
  }
  std::stable_sort(
      ws.choices.begin(), ws.choices.end(),
      [](const auto& a, const auto& b) { return a.expert < b.expert; });
}

void MoeMlp::Forward(const Activations& z, MoeWorkspace& ws, Activations& y,
                     ThreadPool& pool) const {
  for (int64_t r = 0; r < z.rows(); ++r) {
    std::fill(y.row(r), y.row(r) + y.cols(), 0.0f);
  }
  for (size_t first = 0; first < ws.choices.size();) {
    const int32_t e = ws.choices[first].expert;
    ws.index.clear();
    size_t last = first;
    for (; last < ws.choices.size() && ws.choices[last].expert == e; ++last) {
      ws.index.push_back(ws.choices[last].row);
    }
    const int64_t count = static_cast<int64_t>(ws.index.size());
    ws.inner.Resize(count, gate[e].out());
    ws.part.Resize(count, y.cols());
    MatMulGatedGelu(gate[e].weight(), up[e].weight(),
                    {.x = &z, .index = ws.index.data(), .count = count},
                    ws.inner.row(0), ws.inner.stride(), pool);
    ws.inner.Quantize(pool);
    down[e].Forward(ws.inner, ws.part, pool);
    ForRows(count, pool, [&](int64_t i) {
      Vector().add_scaled(ws.part.row(i), ws.choices[first + i].weight,
                          y.cols(), y.row(ws.index[i]));
    });
    first = last;
  }
}

}  // namespace carat
