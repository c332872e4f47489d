// Gemma 4, text: E2B, E4B, 12B, 26B-A4B, 31B. See docs/models/gemma4.md.
//
// Sandwich-normed decoder. Sliding layers have small heads and a full rotary
// embedding; global layers have large heads, rotate a quarter of their pairs
// and, in the larger models, use the raw key projection as value. E2B and E4B
// add an embedding to every layer and let their last layers read earlier
// caches; 26B-A4B runs a mixture of experts beside its MLP. After each layer
// the whole residual stream is multiplied by one number.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "blocks/gated_mlp.h"
#include "blocks/moe_mlp.h"
#include "models/decoder_parts.h"
#include "models/registry.h"

namespace carat {
namespace {

// The part of an embedding that each layer adds after its MLP (E2B, E4B).
struct LayerEmbedding {
  Linear gate;        // [width, hidden]
  Linear projection;  // [hidden, width]
  RmsNorm post_norm;
};

// The mixture of 26B-A4B and the norms that join it to the dense MLP.
struct Mixture {
  RmsNorm norm;  // before the experts
  MoeMlp experts;
  RmsNorm post_dense_norm;  // on the dense MLP's output
  RmsNorm post_norm;        // on the experts' output
};

struct Layer {
  RmsNorm attention_norm;
  GqaAttention attention;
  RmsNorm post_attention_norm;
  RmsNorm mlp_norm;
  GatedMlp mlp;
  std::unique_ptr<Mixture> mixture;  // null: dense
  RmsNorm post_mlp_norm;
  std::unique_ptr<LayerEmbedding> embedding;  // null: none
  float scale = 1.0f;
};

struct Gemma4Workspace : Workspace {
  ActiveRows active;
  Activations h;          // residual stream, [rows, hidden]
  Activations x, y;       // input and output of the current sub-layer
  Activations inner;      // [rows, ffn]
  Activations per_layer;  // [rows, layers * width]
  Activations gated;      // [rows, width]
  Activations experts;    // [rows, hidden]
  Activations logits;     // [outputs, vocab]
  AttentionWorkspace attention;
  MoeWorkspace moe;
};

class Gemma4 : public Model {
 public:
  std::unique_ptr<Workspace> NewWorkspace() const override {
    return std::make_unique<Gemma4Workspace>();
  }

  uint64_t WorkspaceBytes(int64_t rows, int64_t outputs,
                          int threads) const override {
    return DecoderWorkspaceBytes(config_, head_.out(), rows, outputs, threads);
  }

  Status Forward(const Batch& batch, Workspace& workspace, ThreadPool& pool,
                 ForwardResult* result) const override {
    auto& ws = static_cast<Gemma4Workspace&>(workspace);
    *result = {};
    CARAT_RETURN_IF_ERROR(BeginRows(batch, embedding_.rows(), rope_sliding_,
                                    rope_global_, ws.active, pool));
    EmbedTokens(embedding_, head_, tied_, embedding_scale_, ws.active.rows,
                ws.h, pool);
    Show(ws.observer, "embedding", ws.h);
    if (config_.per_layer_width > 0) PerLayerInputs(ws, pool);

    for (int i = 0; i < static_cast<int>(layers_.size()); ++i) {
      if (!AttentionPart(i, batch, ws, pool)) return OkStatus();
      MlpPart(i, ws, pool);
      if (layers_[i].embedding) EmbeddingPart(i, ws, pool);
      ForRows(ws.h.rows(), pool, [&](int64_t r) {
        Vector().scale(layers_[i].scale, ws.h.cols(), ws.h.row(r));
      });
      ShowLayer(ws.observer, i, "out", ws.h);
    }
    Head(ws, pool, result);
    return OkStatus();
  }

 private:
  friend Result<std::unique_ptr<Model>> carat::LoadGemma4(DecoderConfig,
                                                          const ModelOptions&,
                                                          WeightLoader&);

  // per_layer[r] = (norm(W h / sqrt(hidden)) + 16 T[token]) / sqrt(2): layer
  // i owns columns [i * width, (i + 1) * width).
  void PerLayerInputs(Gemma4Workspace& ws, ThreadPool& pool) const {
    const int64_t width = config_.per_layer_width;
    const int64_t layers = config_.layer_count();
    // Rows without output stop at the last layer that owns a cache.
    const int64_t early = kv_layout_.LastOwner() + 1;
    ws.per_layer.Resize(ws.h.rows(), layers * width);
    ws.h.Quantize(pool);
    ProjectLayerInputs(ws, pool);
    const float context_scale =
        static_cast<float>(1.0 / std::sqrt(double(config_.hidden)));
    const float token_scale = static_cast<float>(std::sqrt(double(width)));
    const float half = static_cast<float>(1.0 / std::sqrt(2.0));
    // The table stays on disk: a fault maps a row's neighbours too, so pages
    // are let go every few rows.
    constexpr int64_t kRowsAtOnce = 32;
    for (int64_t first = 0; first < ws.h.rows(); first += kRowsAtOnce) {
      ForRows(std::min(kRowsAtOnce, ws.h.rows() - first), pool, [&](int64_t i) {
        const BatchRow& row = ws.active.rows[first + i];
        const int64_t count = row.output ? layers : early;
        std::vector<float> token(count * width);
        per_layer_table_.Read(row.token, 0, count * width, token.data());
        Vector().scale(token_scale, count * width, token.data());
        for (int64_t layer = 0; layer < count; ++layer) {
          float* c = ws.per_layer.row(first + i) + layer * width;
          Vector().scale(context_scale, width, c);
          per_layer_norm_.Apply(c, width, c);
          Vector().add_then_scale(&token[layer * width], half, width, c);
        }
      });
      per_layer_table_.Release();
    }
    Show(ws.observer, "per_layer_input", ws.per_layer);
  }

  // per_layer = W h; columns of late layers for rows with output alone.
  void ProjectLayerInputs(Gemma4Workspace& ws, ThreadPool& pool) const {
    const std::vector<BatchRow>& rows = ws.active.rows;
    const bool all = std::all_of(rows.begin(), rows.end(),
                                 [](const BatchRow& r) { return r.output; });
    if (early_projection_.empty() || all) {
      return per_layer_projection_.Forward(ws.h, ws.per_layer, pool);
    }
    early_projection_.Forward(ws.h, ws.per_layer, pool);
    std::vector<int32_t> index;
    for (size_t r = 0; r < rows.size(); ++r) {
      if (!rows[r].output) continue;
      index.push_back(static_cast<int32_t>(r));
      // Neighbours go together: their results lie side by side.
      if (r + 1 < rows.size() && rows[r + 1].output) continue;
      MatMul(late_projection_.weight(),
             {.x = &ws.h, .index = index.data(), .count = std::ssize(index)},
             ws.per_layer.row(index.front()) + early_projection_.out(),
             ws.per_layer.stride(), pool);
      index.clear();
    }
  }

  // h += norm(attention(norm(h))). False when no row is left to compute.
  bool AttentionPart(int i, const Batch& batch, Gemma4Workspace& ws,
                     ThreadPool& pool) const {
    const Layer& layer = layers_[i];
    const AttentionBatch rows = {.rows = ws.active.rows,
                                 .sequences = batch.sequences,
                                 .rope = config_.layers[i].sliding
                                             ? ws.active.rope_sliding
                                             : ws.active.rope_global,
                                 .slice = kv_layout_.SliceOf(i),
                                 .group = kv_layout_.layers[i].group,
                                 .observer = ws.observer,
                                 .layer = i};

    ws.x.Resize(ws.h.rows(), ws.h.cols());
    layer.attention_norm.Rows(ws.h, ws.x, pool);
    ShowLayer(ws.observer, i, "attn_norm", ws.x);
    ws.x.Quantize(pool);
    if (layer.attention.owns_cache()) {
      layer.attention.WriteCache(ws.x, rows,
                                 i == kv_layout_.LastOwner()
                                     ? GqaAttention::Queries::kLater
                                     : GqaAttention::Queries::kWithKeys,
                                 ws.attention, pool);
    }
    if (i == kv_layout_.LastOwner()) {
      // From here on nothing reads what rows without output would compute.
      std::vector<Activations*> streams = {&ws.h, &ws.x};
      if (config_.per_layer_width > 0) streams.push_back(&ws.per_layer);
      KeepOutputRows(rope_sliding_, rope_global_, ws.active, streams, pool);
      if (ws.active.rows.empty()) return false;
      ws.x.Quantize(pool);
    }
    ws.y.Resize(ws.h.rows(), ws.h.cols());
    layer.attention.Forward(ws.x, rows, ws.attention, ws.y, pool);
    ShowLayer(ws.observer, i, "attention_out", ws.y);
    layer.post_attention_norm.AddTo(ws.y, ws.h, pool);
    ShowLayer(ws.observer, i, "post_attention", ws.h);
    return true;
  }

  // h += norm(mlp(norm(h))), or the sum of a dense MLP and the mixture.
  void MlpPart(int i, Gemma4Workspace& ws, ThreadPool& pool) const {
    const Layer& layer = layers_[i];
    layer.mlp_norm.Rows(ws.h, ws.x, pool);
    ws.x.Quantize(pool);
    layer.mlp.Forward(ws.x, ws.inner, ws.y, pool);
    ShowLayer(ws.observer, i, "mlp_out", ws.y);
    if (layer.mixture) {
      const Mixture& mix = *layer.mixture;
      mix.experts.Route(ws.h, ws.moe, pool);
      ShowLayer(ws.observer, i, "router_probabilities", ws.moe.probabilities);
      mix.norm.Rows(ws.h, ws.x, pool);
      ws.x.Quantize(pool);
      ws.experts.Resize(ws.h.rows(), ws.h.cols());
      mix.experts.Forward(ws.x, ws.moe, ws.experts, pool);
      ShowLayer(ws.observer, i, "experts_out", ws.experts);
      mix.post_dense_norm.Rows(ws.y, ws.y, pool);
      mix.post_norm.AddTo(ws.experts, ws.y, pool);
    }
    layer.post_mlp_norm.AddTo(ws.y, ws.h, pool);
  }

  // h += norm(W_proj (gelu(W_gate h) * per-layer input))
  void EmbeddingPart(int i, Gemma4Workspace& ws, ThreadPool& pool) const {
    const LayerEmbedding& e = *layers_[i].embedding;
    const int64_t width = config_.per_layer_width;
    ws.h.Quantize(pool);
    ws.gated.Resize(ws.h.rows(), width);
    e.gate.Forward(ws.h, ws.gated, pool);
    ForRows(ws.h.rows(), pool, [&](int64_t r) {
      GatedGelu(ws.gated.row(r), ws.per_layer.row(r) + i * width, width,
                ws.gated.row(r));
    });
    ws.gated.Quantize(pool);
    e.projection.Forward(ws.gated, ws.y, pool);
    ShowLayer(ws.observer, i, "per_layer_out", ws.y);
    e.post_norm.AddTo(ws.y, ws.h, pool);
  }

  void Head(Gemma4Workspace& ws, ThreadPool& pool,
            ForwardResult* result) const {
    final_norm_.Rows(ws.h, ws.x, pool);
    Show(ws.observer, "final_norm", ws.x);
    ws.x.Quantize(pool);
    ws.logits.Resize(ws.x.rows(), head_.out());
    head_.Forward(ws.x, ws.logits, pool);
    for (int64_t r = 0; r < ws.logits.rows(); ++r) {
      float* logits = ws.logits.row(r);
      if (config_.final_softcap > 0.0f) {
        constexpr int64_t kPiece = 4096;
        const int64_t n = ws.logits.cols();
        pool.ParallelFor((n + kPiece - 1) / kPiece, [&](size_t task, int) {
          const int64_t at = static_cast<int64_t>(task) * kPiece;
          Vector().softcap(config_.final_softcap, std::min(kPiece, n - at),
                           logits + at);
        });
      }
      for (int32_t id : config_.suppress_tokens) logits[id] = -INFINITY;
    }
    *result = {.logits = ws.logits.row(0),
               .outputs = ws.logits.rows(),
               .stride = ws.logits.stride(),
               .hidden = ws.x.row(0),
               .hidden_stride = ws.x.stride()};
  }

  Status Load(WeightLoader& loader);
  Status LoadLayer(int i, WeightLoader& loader, Layer& layer) const;
  Status LoadMixture(const std::string& blk, WeightLoader& loader,
                     Mixture& mix) const;

  Status LoadNorm(WeightLoader& loader, const std::string& name, int64_t n,
                  RmsNorm& norm) const {
    norm.eps = config_.norm_eps;
    CARAT_ASSIGN_OR_RETURN(norm.weight, loader.Norm(name, n));
    return OkStatus();
  }

  RowTable embedding_;  // [vocab, hidden]
  float embedding_scale_ = 1.0f;
  RowTable per_layer_table_;     // [vocab, layers * width], stays on disk
  Linear per_layer_projection_;  // [layers * width, hidden]
  // Its outputs for the layers that all rows pass and for those behind; empty
  // where they cannot be taken apart.
  Linear early_projection_, late_projection_;
  RmsNorm per_layer_norm_;  // [width]
  RopeFrequencies rope_sliding_, rope_global_;
  std::vector<Layer> layers_;
  RmsNorm final_norm_;
  bool tied_ = true;  // the head is the embedding
  Linear head_;       // [vocab, hidden]
};

Status Gemma4::Load(WeightLoader& loader) {
  const DecoderConfig& c = config_;
  CARAT_ASSIGN_OR_RETURN(embedding_,
                         loader.Table("token_embd.weight", 1, c.hidden));
  embedding_scale_ = EmbeddingScale(c.hidden, embedding_.type());
  if (c.per_layer_width > 0) {
    const int64_t all = c.layer_count() * c.per_layer_width;
    CARAT_ASSIGN_OR_RETURN(
        per_layer_table_,
        loader.Table("per_layer_token_embd.weight", embedding_.rows(), all));
    CARAT_ASSIGN_OR_RETURN(
        per_layer_projection_,
        loader.Matrix("per_layer_model_proj.weight", all, c.hidden));
    CARAT_RETURN_IF_ERROR(LoadNorm(loader, "per_layer_proj_norm.weight",
                                   c.per_layer_width, per_layer_norm_));
    const int64_t early = (kv_layout_.LastOwner() + 1) * c.per_layer_width;
    if (early % kRowGroup == 0) {
      early_projection_ = per_layer_projection_.Outputs(0, early);
      late_projection_ = per_layer_projection_.Outputs(early, all - early);
    }
  }
  for (int i = 0; i < c.layer_count(); ++i) {
    CARAT_RETURN_IF_ERROR(LoadLayer(i, loader, layers_.emplace_back()));
  }
  CARAT_RETURN_IF_ERROR(
      LoadNorm(loader, "output_norm.weight", c.hidden, final_norm_));
  tied_ = !loader.Has("output.weight");
  const char* head = tied_ ? "token_embd.weight" : "output.weight";
  CARAT_ASSIGN_OR_RETURN(head_,
                         loader.Matrix(head, embedding_.rows(), c.hidden));
  return OkStatus();
}

Status Gemma4::LoadLayer(int i, WeightLoader& loader, Layer& layer) const {
  const int64_t hidden = config_.hidden, ffn = config_.layers[i].ffn;
  const std::string blk = fmt::format("blk.{}.", i);
  CARAT_RETURN_IF_ERROR(
      LoadNorm(loader, blk + "attn_norm.weight", hidden, layer.attention_norm));
  CARAT_RETURN_IF_ERROR(LoadAttention(loader, config_, i, layer.attention));
  layer.attention.norm_values = true;
  if (layer.attention.owns_cache() && loader.Has(blk + "attn_v.weight")) {
    CARAT_ASSIGN_OR_RETURN(
        layer.attention.v,
        loader.Matrix(blk + "attn_v.weight", layer.attention.k.out(), hidden));
  }
  CARAT_RETURN_IF_ERROR(LoadNorm(loader, blk + "post_attention_norm.weight",
                                 hidden, layer.post_attention_norm));
  CARAT_RETURN_IF_ERROR(
      LoadNorm(loader, blk + "ffn_norm.weight", hidden, layer.mlp_norm));
  CARAT_ASSIGN_OR_RETURN(layer.mlp.gate,
                         loader.Matrix(blk + "ffn_gate.weight", ffn, hidden));
  CARAT_ASSIGN_OR_RETURN(layer.mlp.up,
                         loader.Matrix(blk + "ffn_up.weight", ffn, hidden));
  CARAT_ASSIGN_OR_RETURN(layer.mlp.down,
                         loader.Matrix(blk + "ffn_down.weight", hidden, ffn));
  CARAT_RETURN_IF_ERROR(LoadNorm(loader, blk + "post_ffw_norm.weight", hidden,
                                 layer.post_mlp_norm));
  if (config_.experts > 0) {
    layer.mixture = std::make_unique<Mixture>();
    CARAT_RETURN_IF_ERROR(LoadMixture(blk, loader, *layer.mixture));
  }
  if (config_.per_layer_width > 0) {
    const int64_t width = config_.per_layer_width;
    layer.embedding = std::make_unique<LayerEmbedding>();
    CARAT_ASSIGN_OR_RETURN(
        layer.embedding->gate,
        loader.Matrix(blk + "inp_gate.weight", width, hidden));
    CARAT_ASSIGN_OR_RETURN(layer.embedding->projection,
                           loader.Matrix(blk + "proj.weight", hidden, width));
    CARAT_RETURN_IF_ERROR(LoadNorm(loader, blk + "post_norm.weight", hidden,
                                   layer.embedding->post_norm));
  }
  CARAT_ASSIGN_OR_RETURN(const std::vector<float> scale,
                         loader.Vector(blk + "layer_output_scale.weight", 1));
  layer.scale = scale[0];
  return OkStatus();
}

Status Gemma4::LoadMixture(const std::string& blk, WeightLoader& loader,
                           Mixture& mix) const {
  const int64_t hidden = config_.hidden, ffn = config_.expert_ffn;
  const int64_t count = config_.experts;
  MoeMlp& moe = mix.experts;
  moe.experts_used = config_.experts_used;
  moe.router_norm.eps = config_.norm_eps;
  CARAT_ASSIGN_OR_RETURN(moe.router_scale,
                         loader.Vector(blk + "ffn_gate_inp.scale", hidden));
  const float root = static_cast<float>(1.0 / std::sqrt(double(hidden)));
  for (float& s : moe.router_scale) s *= root;
  CARAT_ASSIGN_OR_RETURN(
      moe.router, loader.Matrix(blk + "ffn_gate_inp.weight", count, hidden));
  CARAT_ASSIGN_OR_RETURN(moe.expert_scale,
                         loader.Vector(blk + "ffn_down_exps.scale", count));
  const std::string fused = blk + "ffn_gate_up_exps.weight";
  if (loader.Has(fused)) {
    // Rows [0, ffn) of each expert are the gate, [ffn, 2 ffn) the up matrix.
    CARAT_ASSIGN_OR_RETURN(moe.gate,
                           loader.Stack(fused, count, 2 * ffn, hidden, 0, ffn));
    CARAT_ASSIGN_OR_RETURN(
        moe.up, loader.Stack(fused, count, 2 * ffn, hidden, ffn, ffn));
  } else {
    CARAT_ASSIGN_OR_RETURN(moe.gate, loader.Stack(blk + "ffn_gate_exps.weight",
                                                  count, ffn, hidden, 0, ffn));
    CARAT_ASSIGN_OR_RETURN(moe.up, loader.Stack(blk + "ffn_up_exps.weight",
                                                count, ffn, hidden, 0, ffn));
  }
  CARAT_ASSIGN_OR_RETURN(moe.down, loader.Stack(blk + "ffn_down_exps.weight",
                                                count, hidden, ffn, 0, hidden));
  CARAT_RETURN_IF_ERROR(
      LoadNorm(loader, blk + "pre_ffw_norm_2.weight", hidden, mix.norm));
  CARAT_RETURN_IF_ERROR(LoadNorm(loader, blk + "post_ffw_norm_1.weight", hidden,
                                 mix.post_dense_norm));
  return LoadNorm(loader, blk + "post_ffw_norm_2.weight", hidden,
                  mix.post_norm);
}

}  // namespace

Result<std::unique_ptr<Model>> LoadGemma4(DecoderConfig config,
                                          const ModelOptions& options,
                                          WeightLoader& loader) {
  auto model = std::make_unique<Gemma4>();
  model->config_ = std::move(config);
  const DecoderConfig& c = model->config_;
  model->kv_layout_ = LayOutCaches(c, options.kv_type);
  for (const LayerConfig& l : c.layers) {
    if (l.sliding) {
      model->rope_sliding_ = DefaultRope(l.head_dim, c.rope_base_sliding, 1.0);
    } else {
      model->rope_global_ =
          ProportionalRope(l.head_dim, c.rope_base, c.rope_share);
    }
  }
  CARAT_RETURN_IF_ERROR(model->Load(loader));
  model->config_.vocab = model->embedding_.rows();
  model->Finish(loader);
  return std::unique_ptr<Model>(std::move(model));
}

}  // namespace carat
