// Gemma 3, text: 270M, 1B, 4B, 12B, 27B. See docs/models/gemma3.md.
//
// A sandwich-normed decoder: every fifth-plus-one layer sees all positions, the
// five between see a sliding window; queries and keys are RMS-normed per head.

#include <fmt/format.h>

#include "blocks/gated_mlp.h"
#include "models/decoder_parts.h"
#include "models/registry.h"

namespace carat {
namespace {

struct Layer {
  RmsNorm attention_norm;  // before attention
  GqaAttention attention;
  RmsNorm post_attention_norm;  // on its output, before the residual add
  RmsNorm mlp_norm;
  GatedMlp mlp;
  RmsNorm post_mlp_norm;
};

struct Gemma3Workspace : Workspace {
  ActiveRows active;
  Activations h;       // residual stream, [rows, hidden]
  Activations x, y;    // input and output of the current sub-layer
  Activations inner;   // [rows, ffn]
  Activations logits;  // [outputs, vocab]
  AttentionWorkspace attention;
};

class Gemma3 : public Model {
 public:
  std::unique_ptr<Workspace> NewWorkspace() const override {
    return std::make_unique<Gemma3Workspace>();
  }

  uint64_t WorkspaceBytes(int64_t rows, int64_t outputs,
                          int threads) const override {
    return DecoderWorkspaceBytes(config_, head_.out(), rows, outputs, threads);
  }

  Status Forward(const Batch& batch, Workspace& workspace, ThreadPool& pool,
                 ForwardResult* result) const override {
    auto& ws = static_cast<Gemma3Workspace&>(workspace);
    *result = {};
    CARAT_RETURN_IF_ERROR(BeginRows(batch, embedding_.rows(), rope_sliding_,
                                    rope_global_, ws.active, pool));
    EmbedTokens(embedding_, head_, tied_, embedding_scale_, ws.active.rows,
                ws.h, pool);
    Show(ws.observer, "embedding", ws.h);

    for (int i = 0; i < static_cast<int>(layers_.size()); ++i) {
      RunLayer(i, batch, ws, pool);
      if (ws.active.rows.empty()) return OkStatus();
    }

    final_norm_.Rows(ws.h, ws.x, pool);
    Show(ws.observer, "final_norm", ws.x);
    ws.x.Quantize(pool);
    ws.logits.Resize(ws.x.rows(), head_.out());
    head_.Forward(ws.x, ws.logits, pool);
    *result = {.logits = ws.logits.row(0),
               .outputs = ws.logits.rows(),
               .stride = ws.logits.stride(),
               .hidden = ws.x.row(0),
               .hidden_stride = ws.x.stride()};
    return OkStatus();
  }

 private:
  friend Result<std::unique_ptr<Model>> carat::LoadGemma3(DecoderConfig,
                                                          const ModelOptions&,
                                                          WeightLoader&);

  void RunLayer(int i, const Batch& batch, Gemma3Workspace& ws,
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
    layer.attention.WriteCache(ws.x, rows,
                               i == kv_layout_.LastOwner()
                                   ? GqaAttention::Queries::kLater
                                   : GqaAttention::Queries::kWithKeys,
                               ws.attention, pool);
    if (i == kv_layout_.LastOwner()) {
      KeepOutputRows(rope_sliding_, rope_global_, ws.active, {&ws.h, &ws.x},
                     pool);
      if (ws.active.rows.empty()) return;
      ws.x.Quantize(pool);
    }
    ws.y.Resize(ws.h.rows(), ws.h.cols());
    layer.attention.Forward(ws.x, rows, ws.attention, ws.y, pool);
    ShowLayer(ws.observer, i, "attention_out", ws.y);
    layer.post_attention_norm.AddTo(ws.y, ws.h, pool);
    ShowLayer(ws.observer, i, "post_attention", ws.h);

    layer.mlp_norm.Rows(ws.h, ws.x, pool);
    ws.x.Quantize(pool);
    layer.mlp.Forward(ws.x, ws.inner, ws.y, pool);
    ShowLayer(ws.observer, i, "mlp_out", ws.y);
    layer.post_mlp_norm.AddTo(ws.y, ws.h, pool);
    ShowLayer(ws.observer, i, "out", ws.h);
  }

  Status Load(WeightLoader& loader) {
    const int64_t hidden = config_.hidden;
    CARAT_ASSIGN_OR_RETURN(embedding_,
                           loader.Table("token_embd.weight", 1, hidden));
    embedding_scale_ = EmbeddingScale(hidden, embedding_.type());
    for (int i = 0; i < config_.layer_count(); ++i) {
      const std::string blk = fmt::format("blk.{}.", i);
      Layer& layer = layers_.emplace_back();
      const auto norm = [&](const char* name, RmsNorm& to) -> Status {
        to.eps = config_.norm_eps;
        CARAT_ASSIGN_OR_RETURN(to.weight, loader.Norm(blk + name, hidden));
        return OkStatus();
      };
      CARAT_RETURN_IF_ERROR(norm("attn_norm.weight", layer.attention_norm));
      CARAT_RETURN_IF_ERROR(LoadAttention(loader, config_, i, layer.attention));
      CARAT_ASSIGN_OR_RETURN(layer.attention.v,
                             loader.Matrix(blk + "attn_v.weight",
                                           layer.attention.k.out(), hidden));
      CARAT_RETURN_IF_ERROR(
          norm("post_attention_norm.weight", layer.post_attention_norm));
      CARAT_RETURN_IF_ERROR(norm("ffn_norm.weight", layer.mlp_norm));
      const int64_t ffn = config_.layers[i].ffn;
      CARAT_ASSIGN_OR_RETURN(
          layer.mlp.gate, loader.Matrix(blk + "ffn_gate.weight", ffn, hidden));
      CARAT_ASSIGN_OR_RETURN(layer.mlp.up,
                             loader.Matrix(blk + "ffn_up.weight", ffn, hidden));
      CARAT_ASSIGN_OR_RETURN(
          layer.mlp.down, loader.Matrix(blk + "ffn_down.weight", hidden, ffn));
      CARAT_RETURN_IF_ERROR(norm("post_ffw_norm.weight", layer.post_mlp_norm));
    }
    final_norm_.eps = config_.norm_eps;
    CARAT_ASSIGN_OR_RETURN(final_norm_.weight,
                           loader.Norm("output_norm.weight", hidden));
    // Tied to the embedding unless the file has a head of its own.
    tied_ = !loader.Has("output.weight");
    const char* head = tied_ ? "token_embd.weight" : "output.weight";
    CARAT_ASSIGN_OR_RETURN(head_,
                           loader.Matrix(head, embedding_.rows(), hidden));
    return OkStatus();
  }

  RowTable embedding_;  // [vocab, hidden]
  float embedding_scale_ = 1.0f;
  RopeFrequencies rope_sliding_, rope_global_;
  std::vector<Layer> layers_;
  RmsNorm final_norm_;
  bool tied_ = true;  // the head is the embedding
  Linear head_;       // [vocab, hidden]
};

}  // namespace

Result<std::unique_ptr<Model>> LoadGemma3(DecoderConfig config,
                                          const ModelOptions& options,
                                          WeightLoader& loader) {
  auto model = std::make_unique<Gemma3>();
  model->config_ = std::move(config);
  const DecoderConfig& c = model->config_;
  model->kv_layout_ = LayOutCaches(c, options.kv_type);
  const int dim = c.layers[0].head_dim;
  model->rope_sliding_ = DefaultRope(dim, c.rope_base_sliding, 1.0);
  model->rope_global_ = DefaultRope(dim, c.rope_base, c.rope_factor);
  CARAT_RETURN_IF_ERROR(model->Load(loader));
  model->config_.vocab = model->embedding_.rows();
  model->Finish(loader);
  return std::unique_ptr<Model>(std::move(model));
}

}  // namespace carat
