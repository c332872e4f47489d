// Steps that Gemma 3 and Gemma 4 share: embedding, keeping only the rows whose
// output is wanted, and the output head.
#ifndef CARAT_MODELS_DECODER_PARTS_H_
#define CARAT_MODELS_DECODER_PARTS_H_

#include <string>
#include <vector>

#include "blocks/gqa_attention.h"
#include "models/model.h"

namespace carat {

// The rows that are still being computed, and what depends on their positions.
struct ActiveRows {
  std::vector<BatchRow> rows;
  RopeAngles rope_sliding, rope_global;
  bool outputs_only = false;
};

// Checks tokens and sets up ActiveRows for a batch.
Status BeginRows(const Batch& batch, int64_t vocab,
                 const RopeFrequencies& sliding, const RopeFrequencies& global,
                 ActiveRows& active, ThreadPool& pool);

// Drops rows that nobody wants logits of from `active` and from each of
// `streams` ([rows, *]). After the last layer that writes a cache nothing later
// reads the others.
void KeepOutputRows(const RopeFrequencies& sliding,
                    const RopeFrequencies& global, ActiveRows& active,
                    std::vector<Activations*> streams, ThreadPool& pool);

// Scale of token embeddings: sqrt(hidden), rounded to bf16 as the reference
// rounds it to the weights' type; f32 checkpoints keep the f32 value.
float EmbeddingScale(int64_t hidden, DType stored);

// h [rows, hidden] = scaled embedding of every row's token. When the output
// head is the same matrix (`tied`), rows come from it and the file's own copy
// is not touched.
void EmbedTokens(const RowTable& table, const Linear& head, bool tied,
                 float scale, const std::vector<BatchRow>& rows, Activations& h,
                 ThreadPool& pool);

// The four matrices and norms of an attention layer.
Status LoadAttention(WeightLoader& loader, const DecoderConfig& config,
                     int layer, GqaAttention& attention);

void Show(Observer* observer, const std::string& name, const Activations& x);
std::string LayerName(int layer, const char* what);

// Shows `x` under layer.<i>.<what> when someone looks.
inline void ShowLayer(Observer* observer, int layer, const char* what,
                      const Activations& x) {
  if (observer != nullptr) Show(observer, LayerName(layer, what), x);
}

// Lays out caches layer by layer.
KvLayout LayOutCaches(const DecoderConfig& config, KvType type);

// What a decoder's workspace may grow to; see Model::WorkspaceBytes.
uint64_t DecoderWorkspaceBytes(const DecoderConfig& config, int64_t vocab,
                               int64_t rows, int64_t outputs, int threads);

}  // namespace carat

#endif  // CARAT_MODELS_DECODER_PARTS_H_
