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

int64_t MoeMlp::MostChoices(int64_t rows, int experts_used) {
  // Many rows: as many as one expert can be given.
  constexpr int64_t kTogether = 512;
  return std::max(rows, std::min<int64_t>(rows * experts_used, kTogether));
}

void MoeMlp::Forward(const Activations& z, MoeWorkspace& ws, Activations& y,
                     ThreadPool& pool) const {
  for (int64_t r = 0; r < z.rows(); ++r) {
    std::fill(y.row(r), y.row(r) + y.cols(), 0.0f);
  }
  const size_t most = static_cast<size_t>(MostChoices(z.rows(), experts_used));
  ws.rows.clear();
  for (const auto& choice : ws.choices) ws.rows.push_back(choice.row);
  ws.places.resize(ws.choices.size());
  std::iota(ws.places.begin(), ws.places.end(), 0);
  const auto end_of_expert = [&](size_t at) {
    const int32_t e = ws.choices[at].expert;
    while (at < ws.choices.size() && ws.choices[at].expert == e) ++at;
    return at;
  };
  for (size_t first = 0; first < ws.choices.size();) {
    size_t last = end_of_expert(first);
    while (last < ws.choices.size()) {
      const size_t next = end_of_expert(last);
      if (next - first > most) break;
      last = next;
    }
    AddExperts(z, first, last, ws, y, pool);
    first = last;
  }
}

void MoeMlp::AddExperts(const Activations& z, size_t first, size_t last,
                        MoeWorkspace& ws, Activations& y,
                        ThreadPool& pool) const {
  const int64_t count = static_cast<int64_t>(last - first);
  ws.inner.Resize(count, gate[0].out());
  ws.part.Resize(count, y.cols());
  // fn(expert, first choice, its place in the workspace, number of choices)
  const auto for_experts = [&](auto&& fn) {
    ws.products.clear();
    for (size_t at = first; at < last;) {
      size_t end = at;
      const int32_t e = ws.choices[at].expert;
      while (end < last && ws.choices[end].expert == e) ++end;
      ws.products.push_back(fn(e, at, static_cast<int64_t>(at - first),
                               static_cast<int64_t>(end - at)));
      at = end;
    }
    MatMulTogether(ws.products, pool);
  };
  for_experts([&](int32_t e, size_t at, int64_t place, int64_t n) {
    return MatMulProduct{
        .w = &gate[e].weight(),
        .up = &up[e].weight(),
        .in = {.x = &z, .index = &ws.rows[at], .count = n},
        .y = ws.inner.row(place),
        .y_stride = ws.inner.stride(),
        .to = UsesInt8(down[e].weight().layout) ? &ws.inner : nullptr,
        .to_row = place};
  });
  for_experts([&](int32_t e, size_t, int64_t place, int64_t n) {
    return MatMulProduct{
        .w = &down[e].weight(),
        .up = nullptr,
        .in = {.x = &ws.inner, .index = &ws.places[place], .count = n},
        .y = ws.part.row(place),
        .y_stride = ws.part.stride()};
  });
  // By columns, so that every output adds its experts in ascending order.
  constexpr int64_t kPiece = 512;
  const int64_t width = y.cols();
  const auto add = [&](int64_t from, int64_t n) {
    for (int64_t i = 0; i < count; ++i) {
      const MoeWorkspace::Choice& choice = ws.choices[first + i];
      Vector().add_scaled(ws.part.row(i) + from, choice.weight, n,
                          y.row(choice.row) + from);
    }
  };
  if (count < 32) return add(0, width);
  pool.ParallelFor((width + kPiece - 1) / kPiece, [&](size_t task, int) {
    const int64_t from = static_cast<int64_t>(task) * kPiece;
    add(from, std::min(kPiece, width - from));
  });
}

}  // namespace carat
