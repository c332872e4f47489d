#include "models/decoder_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "blocks/moe_mlp.h"
#include "tensor/dequantize.h"

namespace carat {

Status BeginRows(const Batch& batch, int64_t vocab,
                 const RopeFrequencies& sliding, const RopeFrequencies& global,
                 ActiveRows& active, ThreadPool& pool) {
  for (const BatchRow& row : batch.rows) {
    if (row.token < 0 || row.token >= vocab) {
      return InvalidArgument(fmt::format(
          "token {} is outside the vocabulary of {}", row.token, vocab));
    }
  }
  active.rows = batch.rows;
  active.outputs_only = false;
  active.rope_sliding.Fill(sliding, active.rows, pool);
  active.rope_global.Fill(global, active.rows, pool);
  return OkStatus();
}

void KeepOutputRows(const RopeFrequencies& sliding,
                    const RopeFrequencies& global, ActiveRows& active,
                    std::vector<Activations*> streams, ThreadPool& pool) {
  active.outputs_only = true;
  size_t kept = 0;
  for (size_t r = 0; r < active.rows.size(); ++r) {
    if (!active.rows[r].output) continue;
    if (kept != r) {
      for (Activations* x : streams) {
        std::memcpy(x->row(kept), x->row(r), x->cols() * sizeof(float));
      }
      active.rows[kept] = active.rows[r];
    }
    ++kept;
  }
  if (kept == active.rows.size()) return;
  active.rows.resize(kept);
  for (Activations* x : streams) x->Resize(kept, x->cols());
  active.rope_sliding.Fill(sliding, active.rows, pool);
  active.rope_global.Fill(global, active.rows, pool);
}

float EmbeddingScale(int64_t hidden, DType stored) {
  const float exact = static_cast<float>(std::sqrt(double(hidden)));
  return stored == DType::kF32 ? exact : RoundToBf16(exact);
}

void EmbedTokens(const RowTable& table, const Linear& head, bool tied,
                 float scale, const std::vector<BatchRow>& rows, Activations& h,
                 ThreadPool& pool) {
  h.Resize(static_cast<int64_t>(rows.size()), table.cols());
  ForRows(h.rows(), pool, [&](int64_t r) {
    if (tied) {
      UnpackRow(head.weight(), rows[r].token, h.row(r));
    } else {
      table.Read(rows[r].token, h.row(r));
    }
    Vector().scale(scale, h.cols(), h.row(r));
  });
}

Status LoadAttention(WeightLoader& loader, const DecoderConfig& config,
                     int layer, GqaAttention& attention) {
  const LayerConfig& l = config.layers[layer];
  const std::string blk = fmt::format("blk.{}.", layer);
  const int64_t q_width = int64_t{l.heads} * l.head_dim;
  const int64_t kv_width = int64_t{l.kv_heads} * l.head_dim;
  attention.shape = {.heads = l.heads,
                     .kv_heads = l.kv_heads,
                     .head_dim = l.head_dim,
                     .scale = config.attention_scale,
                     .window = l.sliding ? config.window : 0,
                     .softcap = config.attention_softcap};
  attention.q_norm.eps = attention.k_norm.eps = config.norm_eps;
  CARAT_ASSIGN_OR_RETURN(attention.q, loader.Matrix(blk + "attn_q.weight",
                                                    q_width, config.hidden));
  CARAT_ASSIGN_OR_RETURN(attention.q_norm.weight,
                         loader.Norm(blk + "attn_q_norm.weight", l.head_dim));
  CARAT_ASSIGN_OR_RETURN(attention.o, loader.Matrix(blk + "attn_output.weight",
                                                    config.hidden, q_width));
  // Files carry unused K and V of layers that read another layer's cache.
  if (l.kv_source >= 0) return OkStatus();
  CARAT_ASSIGN_OR_RETURN(attention.k, loader.Matrix(blk + "attn_k.weight",
                                                    kv_width, config.hidden));
  CARAT_ASSIGN_OR_RETURN(attention.k_norm.weight,
                         loader.Norm(blk + "attn_k_norm.weight", l.head_dim));
  return OkStatus();
}

std::string LayerName(int layer, const char* what) {
  return fmt::format("layer.{}.{}", layer, what);
}

void Show(Observer* observer, const std::string& name, const Activations& x) {
  if (observer == nullptr) return;
  observer->Observe(name, x.row(0), x.rows(), x.cols(), x.stride());
}

KvLayout LayOutCaches(const DecoderConfig& config, KvType type) {
  KvLayout layout;
  for (const LayerConfig& l : config.layers) {
    if (l.kv_source >= 0) {
      layout.AddReader(l.kv_source);
      continue;
    }
    const int group = layout.GroupFor(l.sliding ? config.window : 0);
    layout.AddOwner(group, type, l.kv_heads, l.head_dim);
  }
  return layout;
}

uint64_t DecoderWorkspaceBytes(const DecoderConfig& config, int64_t vocab,
                               int64_t rows, int64_t outputs, int threads) {
  int64_t q_width = 0, kv_width = 0, ffn = 0, dim = 0;
  for (const LayerConfig& l : config.layers) {
    q_width = std::max(q_width, int64_t{l.heads} * l.head_dim);
    kv_width = std::max(kv_width, int64_t{l.kv_heads} * l.head_dim);
    ffn = std::max(ffn, l.ffn);
    dim = std::max(dim, int64_t{l.head_dim});
  }
  ffn = std::max(ffn, config.expert_ffn);
  uint64_t bytes = 0;
  const auto add = [&](int64_t r, int64_t cols, int copies) {
    bytes += Activations::Bytes(r, cols) * copies;
  };
  add(rows, config.hidden, 3);  // h, x, y
  add(rows, q_width, 2);        // q, context
  add(rows, kv_width, 2);       // k, v
  add(rows, ffn, 1);            // inner
  add(outputs, vocab, 1);       // logits
  if (config.per_layer_width > 0) {
    add(rows, config.per_layer_width * config.layer_count(), 1);
    add(rows, config.per_layer_width, 1);
  }
  if (config.experts > 0) {
    const int64_t choices = MoeMlp::MostChoices(rows, config.experts_used);
    add(rows, config.hidden, 3);  // z, router, dense
    add(choices, config.hidden, 1);
    add(choices, config.expert_ffn, 1);
    add(rows, config.experts, 1);
  }
  // Rotary tables of both kinds, and attention's own memory.
  bytes += rows * dim * 2 * sizeof(float) * 2;
  bytes += threads * (2 * kMaxQueries * dim + AttentionScratchFloats(dim)) *
           sizeof(float);
  return bytes;
}

}  // namespace carat
