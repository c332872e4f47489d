// What a decoder's file says about its shape, from GGUF metadata or from
// config.json (either spelling), checked and brought to one form.
#ifndef CARAT_MODELS_CONFIG_H_
#define CARAT_MODELS_CONFIG_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "formats/model_file.h"

namespace carat {

// One decoder layer.
struct LayerConfig {
  bool sliding = false;
  int heads = 0;
  int kv_heads = 0;
  int head_dim = 0;
  int64_t ffn = 0;     // width of the (dense) gated MLP
  int kv_source = -1;  // layer whose cache is read; -1: owns its own
};

struct DecoderConfig {
  std::string architecture;  // "gemma3", "gemma4"
  std::string name;          // as the file calls itself, may be empty
  int64_t hidden = 0;
  int64_t vocab = 0;           // rows of the embedding
  int64_t context_tokens = 0;  // positions the model was made for
  int64_t window = 0;          // of sliding layers
  float norm_eps = 1e-6f;
  std::vector<LayerConfig> layers;

  double rope_base = 1e6;  // global layers
  double rope_base_sliding = 1e4;
  double rope_factor = 1.0;  // global layers: positions divided by it
  double rope_share = 1.0;   // global layers: share of pairs that rotate
  float attention_scale = 1.0f;
  float attention_softcap = 0.0f;  // 0: none
  float final_softcap = 0.0f;      // 0: none

  int64_t per_layer_width = 0;  // per-layer embeddings, 0: none
  int experts = 0;              // mixture layers, 0: dense
  int experts_used = 0;
  int64_t expert_ffn = 0;

  std::vector<int32_t> suppress_tokens;
  bool bidirectional_vision = false;

  int64_t layer_count() const { return static_cast<int64_t>(layers.size()); }
};

// The architecture a file declares, e.g. "gemma3"; Hugging Face's names
// (gemma3_text, gemma4_unified, ...) are mapped to GGUF's.
Result<std::string> ArchitectureOf(const ModelFile& file);

// Errors name the key or field, what was expected and what was found.
Result<DecoderConfig> ReadDecoderConfig(const ModelFile& file);
Result<DecoderConfig> DecoderConfigFromGguf(const ModelFile& file,
                                            const std::string& architecture);
Result<DecoderConfig> DecoderConfigFromHf(const ModelFile& file,
                                          const std::string& architecture);

// Checks that sizes are sane and consistent; called by the readers.
Status CheckDecoderConfig(const DecoderConfig& config,
                          const std::string& where);

}  // namespace carat

#endif  // CARAT_MODELS_CONFIG_H_
