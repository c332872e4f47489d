// DecoderConfig from GGUF metadata. Keys: family.md 1.4, gemma4-text.md 3.2.
#include <fmt/format.h>

#include <cmath>

#include "models/config.h"
#include "models/model.h"

namespace carat {
namespace {

// Look-ups under "<architecture>." with errors that name the whole key.
class Keys {
 public:
  Keys(const ModelFile& file, std::string architecture)
      : file_(file), prefix_(std::move(architecture) + ".") {}

  Result<int64_t> Int(const std::string& key) const {
    CARAT_ASSIGN_OR_RETURN(auto value, file_.metadata().Int(prefix_ + key));
    if (!value) return Missing(key);
    return *value;
  }
  Result<int64_t> IntOr(const std::string& key, int64_t fallback) const {
    CARAT_ASSIGN_OR_RETURN(auto value, file_.metadata().Int(prefix_ + key));
    return value.value_or(fallback);
  }
  Result<double> DoubleOr(const std::string& key, double fallback) const {
    CARAT_ASSIGN_OR_RETURN(auto value, file_.metadata().Double(prefix_ + key));
    return value.value_or(fallback);
  }
  Result<std::string> StringOr(const std::string& key,
                               const std::string& fallback) const {
    CARAT_ASSIGN_OR_RETURN(auto value, file_.metadata().String(prefix_ + key));
    return value ? std::string(*value) : fallback;
  }
  // One number for all layers, or one per layer.
  Result<std::vector<int64_t>> PerLayer(const std::string& key,
                                        int64_t layers) const {
    CARAT_ASSIGN_OR_RETURN(auto values, file_.metadata().Ints(prefix_ + key));
    if (values.empty()) return Missing(key);
    if (values.size() == 1) values.assign(layers, values[0]);
    if (static_cast<int64_t>(values.size()) != layers) {
      return Malformed(fmt::format("{}: {}{} has {} entries for {} layers",
                                   file_.path(), prefix_, key, values.size(),
                                   layers));
    }
    return values;
  }
  bool Has(const std::string& key) const {
    return file_.metadata().Has(prefix_ + key);
  }
  Status Missing(const std::string& key) const {
    return Malformed(fmt::format("{}: metadata key {}{} is missing",
                                 file_.path(), prefix_, key));
  }

 private:
  const ModelFile& file_;
  std::string prefix_;
};

// The parts that both families state alike.
Result<DecoderConfig> Common(const ModelFile& file, const Keys& keys,
                             const std::string& architecture) {
  DecoderConfig c;
  c.architecture = architecture;
  CARAT_ASSIGN_OR_RETURN(auto name, file.metadata().String("general.name"));
  if (name) c.name = std::string(*name);
  CARAT_ASSIGN_OR_RETURN(const int64_t layers, keys.Int("block_count"));
  if (layers < 1 || layers > 1024) {
    return Malformed(fmt::format("{}: {}.block_count is {}, expected 1..1024",
                                 file.path(), architecture, layers));
  }
  c.layers.resize(layers);
  CARAT_ASSIGN_OR_RETURN(c.hidden, keys.Int("embedding_length"));
  CARAT_ASSIGN_OR_RETURN(c.context_tokens, keys.Int("context_length"));
  CARAT_ASSIGN_OR_RETURN(c.window, keys.IntOr("attention.sliding_window", 0));
  CARAT_ASSIGN_OR_RETURN(
      const double eps,
      keys.DoubleOr("attention.layer_norm_rms_epsilon", 1e-6));
  c.norm_eps = static_cast<float>(eps);
  CARAT_ASSIGN_OR_RETURN(auto ffn,
                         keys.PerLayer("feed_forward_length", layers));
  CARAT_ASSIGN_OR_RETURN(auto heads,
                         keys.PerLayer("attention.head_count", layers));
  auto kv_heads = heads;
  if (keys.Has("attention.head_count_kv")) {
    CARAT_ASSIGN_OR_RETURN(kv_heads,
                           keys.PerLayer("attention.head_count_kv", layers));
  }
  for (int64_t i = 0; i < layers; ++i) {
    for (int64_t value : {heads[i], kv_heads[i], ffn[i]}) {
      if (value < 0 || value > (1 << 20)) {
        return Malformed(fmt::format(
            "{}: layer {} has {} heads, {} KV heads and MLP width {}",
            file.path(), i, heads[i], kv_heads[i], ffn[i]));
      }
    }
    c.layers[i].heads = static_cast<int>(heads[i]);
    c.layers[i].kv_heads = static_cast<int>(kv_heads[i]);
    c.layers[i].ffn = ffn[i];
  }
  CARAT_ASSIGN_OR_RETURN(const double softcap,
                         keys.DoubleOr("final_logit_softcapping", 0.0));
  c.final_softcap = static_cast<float>(softcap);
  const TensorView* embedding = file.Find("token_embd.weight");
  if (embedding == nullptr || embedding->shape.size() != 2) {
    return Malformed(file.path() + ": tensor 'token_embd.weight' is missing");
  }
  c.vocab = embedding->shape[0];
  return c;
}

Result<int64_t> HeadDim(const Keys& keys, const DecoderConfig& c,
                        const std::string& key) {
  const int heads = c.layers[0].heads > 0 ? c.layers[0].heads : 1;
  CARAT_ASSIGN_OR_RETURN(const int64_t dim, keys.IntOr(key, c.hidden / heads));
  if (dim < 1 || dim > 4096) {
    return Malformed(fmt::format("{} is {}, expected 1..4096", key, dim));
  }
  return dim;
}

Result<DecoderConfig> Gemma3(const ModelFile& file, const Keys& keys) {
  CARAT_ASSIGN_OR_RETURN(DecoderConfig c, Common(file, keys, "gemma3"));
  CARAT_ASSIGN_OR_RETURN(const int64_t dim,
                         HeadDim(keys, c, "attention.key_length"));
  // The file does not state the pattern: five sliding layers, one global.
  CARAT_ASSIGN_OR_RETURN(const int64_t period,
                         keys.IntOr("attention.sliding_window_pattern", 6));
  for (int64_t i = 0; i < c.layer_count(); ++i) {
    c.layers[i].sliding =
        c.window > 0 && (period <= 0 || (i + 1) % period != 0);
    c.layers[i].head_dim = static_cast<int>(dim);
  }
  // Ollama's own conversions spell the bases differently.
  const char* base_key = keys.Has("rope.global.freq_base")
                             ? "rope.global.freq_base"
                             : "rope.freq_base";
  const char* local_key = keys.Has("rope.local.freq_base")
                              ? "rope.local.freq_base"
                              : "rope.freq_base_swa";
  CARAT_ASSIGN_OR_RETURN(c.rope_base, keys.DoubleOr(base_key, 1e6));
  CARAT_ASSIGN_OR_RETURN(c.rope_base_sliding, keys.DoubleOr(local_key, 1e4));
  // 4B and larger were stretched eightfold; some conversions forget to say so.
  const bool stretched = c.context_tokens >= 131072 &&
                         !keys.Has("rope.scaling.type") &&
                         keys.Has("rope.global.freq_base");
  CARAT_ASSIGN_OR_RETURN(c.rope_factor, keys.DoubleOr("rope.scaling.factor",
                                                      stretched ? 8.0 : 1.0));
  if (c.rope_factor == 0.0) c.rope_factor = 1.0;
  // Nor the query scale: head_dim^-1/2, but the 62-layer 27B uses
  // (hidden / heads)^-1/2.
  const double per_head =
      c.layer_count() == 62
          ? static_cast<double>(c.hidden) / std::max(1, c.layers[0].heads)
          : static_cast<double>(dim);
  c.attention_scale = static_cast<float>(1.0 / std::sqrt(per_head));
  return c;
}

Status Gemma4Layers(const ModelFile& file, const Keys& keys, DecoderConfig& c) {
  const int64_t layers = c.layer_count();
  CARAT_ASSIGN_OR_RETURN(const int64_t dim,
                         HeadDim(keys, c, "attention.key_length"));
  CARAT_ASSIGN_OR_RETURN(const int64_t dim_sliding,
                         keys.IntOr("attention.key_length_swa", dim));
  if (dim_sliding < 1 || dim_sliding > 4096) {
    return Malformed(
        fmt::format("attention.key_length_swa is {}", dim_sliding));
  }
  CARAT_ASSIGN_OR_RETURN(
      auto sliding, keys.PerLayer("attention.sliding_window_pattern", layers));
  CARAT_ASSIGN_OR_RETURN(const int64_t shared,
                         keys.IntOr("attention.shared_kv_layers", 0));
  if (shared < 0 || shared >= layers) {
    return Malformed(
        fmt::format("{}: attention.shared_kv_layers is {} of {} layers",
                    file.path(), shared, layers));
  }
  int last_owner[2] = {-1, -1};  // [sliding]
  for (int64_t i = 0; i < layers; ++i) {
    LayerConfig& l = c.layers[i];
    l.sliding = sliding[i] != 0;
    l.head_dim = static_cast<int>(l.sliding ? dim_sliding : dim);
    int& owner = last_owner[l.sliding ? 1 : 0];
    if (i < layers - shared) {
      owner = static_cast<int>(i);
    } else if (owner < 0) {
      return Malformed(fmt::format(
          "{}: layer {} shares a cache, but no earlier layer of its kind has "
          "one",
          file.path(), i));
    } else {
      l.kv_source = owner;
    }
  }
  return OkStatus();
}

Result<DecoderConfig> Gemma4(const ModelFile& file, const Keys& keys) {
  CARAT_ASSIGN_OR_RETURN(DecoderConfig c, Common(file, keys, "gemma4"));
  CARAT_RETURN_IF_ERROR(Gemma4Layers(file, keys, c));
  CARAT_ASSIGN_OR_RETURN(c.rope_base, keys.DoubleOr("rope.freq_base", 1e6));
  CARAT_ASSIGN_OR_RETURN(c.rope_base_sliding,
                         keys.DoubleOr("rope.freq_base_swa", 1e4));
  // Proportional RoPE: a quarter of the pairs rotates. The file repeats that
  // as divisors in rope_freqs.weight.
  c.rope_share = 0.25;
  c.attention_scale = 1.0f;
  CARAT_ASSIGN_OR_RETURN(c.per_layer_width,
                         keys.IntOr("embedding_length_per_layer_input", 0));
  CARAT_ASSIGN_OR_RETURN(const int64_t experts, keys.IntOr("expert_count", 0));
  CARAT_ASSIGN_OR_RETURN(const int64_t used,
                         keys.IntOr("expert_used_count", 0));
  if (experts < 0 || experts > 4096 || used < 0 || used > 4096) {
    return Malformed(fmt::format("{}: {} experts of which {} are used",
                                 file.path(), experts, used));
  }
  c.experts = static_cast<int>(experts);
  c.experts_used = static_cast<int>(used);
  CARAT_ASSIGN_OR_RETURN(c.expert_ffn,
                         keys.IntOr("expert_feed_forward_length", 0));
  CARAT_ASSIGN_OR_RETURN(
      auto suppressed, file.metadata().Ints("tokenizer.ggml.suppress_tokens"));
  for (int64_t id : suppressed) {
    if (id >= 0 && id < c.vocab) {
      c.suppress_tokens.push_back(static_cast<int32_t>(id));
    }
  }
  c.bidirectional_vision = c.per_layer_width == 0;
  return c;
}

}  // namespace

Result<DecoderConfig> DecoderConfigFromGguf(const ModelFile& file,
                                            const std::string& architecture) {
  const Keys keys(file, architecture);
  if (architecture == "gemma3") return Gemma3(file, keys);
  if (architecture == "gemma4") return Gemma4(file, keys);
  return UnknownArchitecture(file, architecture);
}

}  // namespace carat
