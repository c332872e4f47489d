#include "blocks/gqa_attention.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace carat {
namespace {

void Show(const AttentionBatch& batch, const char* what, const Activations& x) {
  if (batch.observer == nullptr) return;
  batch.observer->Observe(fmt::format("layer.{}.{}", batch.layer, what),
                          x.row(0), x.rows(), x.cols(), x.stride());
}

}  // namespace

void GqaAttention::WriteCache(const Activations& x, const AttentionBatch& batch,
                              Queries queries, AttentionWorkspace& ws,
                              ThreadPool& pool) const {
  const int64_t dim = shape.head_dim;
  ws.k.Resize(x.rows(), k.out());
  ws.v.Resize(x.rows(), k.out());
  MatMulProduct products[3];
  size_t count = 0;
  const auto add = [&](const Linear& w, Activations& y) {
    products[count++] = {.w = &w.weight(),
                         .up = nullptr,
                         .in = {.x = &x, .index = nullptr, .count = x.rows()},
                         .y = y.row(0),
                         .y_stride = y.stride()};
  };
  ws.has_queries = queries == Queries::kWithKeys;
  if (ws.has_queries) {
    ws.q.Resize(x.rows(), q.out());
    add(q, ws.q);
  }
  add(k, ws.k);
  if (!v.empty()) add(v, ws.v);
  MatMulTogether({products, count}, pool);
  ForRows(x.rows(), pool, [&](int64_t r) {
    float* key = ws.k.row(r);
    float* value = ws.v.row(r);
    // Values take the projection before the key's norm and rotation.
    if (v.empty()) std::memcpy(value, key, k.out() * sizeof(float));
    for (int h = 0; h < shape.kv_heads; ++h) {
      k_norm.Apply(key + h * dim, dim, key + h * dim);
      Vector().rope(batch.rope.cos(r), batch.rope.sin(r), dim / 2,
                    key + h * dim);
      if (norm_values) {
        RmsNorm{.weight = {}, .eps = k_norm.eps}.Apply(value + h * dim, dim,
                                                       value + h * dim);
      }
    }
    const BatchRow& row = batch.rows[r];
    uint8_t* page = batch.sequences[row.sequence]
                        ->tables[batch.group][row.position / kKvTile];
    KvWrite(batch.slice, page, row.position, key, value);
  });
  Show(batch, "k", ws.k);
  Show(batch, "v", ws.v);
}

void GqaAttention::Forward(const Activations& x, const AttentionBatch& batch,
                           AttentionWorkspace& ws, Activations& y,
                           ThreadPool& pool) const {
  const int64_t dim = shape.head_dim, width = q.out();
  ws.context.Resize(x.rows(), width);
  if (!ws.has_queries) {
    ws.q.Resize(x.rows(), width);
    q.Forward(x, ws.q, pool);
  }
  ws.has_queries = false;
  ws.rows.resize(x.rows());
  ForRows(x.rows(), pool, [&](int64_t r) {
    for (int h = 0; h < shape.heads; ++h) {
      float* query = ws.q.row(r) + h * dim;
      q_norm.Apply(query, dim, query);
      Vector().rope(batch.rope.cos(r), batch.rope.sin(r), dim / 2, query);
    }
    const BatchRow& row = batch.rows[r];
    const int64_t end = row.position + 1;
    const int64_t begin =
        shape.window > 0 ? std::max<int64_t>(0, end - shape.window) : 0;
    ws.rows[r] = {batch.sequences[row.sequence]->tables[batch.group].data(),
                  begin, end};
  });
  Show(batch, "q", ws.q);
  Attention({.rows = ws.rows.data(),
             .count = x.rows(),
             .q = ws.q.row(0),
             .q_stride = ws.q.stride(),
             .out = ws.context.row(0),
             .out_stride = ws.context.stride(),
             .heads = shape.heads,
             .scale = shape.scale,
             .softcap = shape.softcap,
             .slice = batch.slice},
            ws.scratch, pool);
  Show(batch, "attention_context", ws.context);
  ws.context.Quantize(pool);
  o.Forward(ws.context, y, pool);
}

}  // namespace carat
