// DecoderConfig from config.json: flat keys as the released files have them, or
// per_layer_config as newer saves do. Nested text_config is unwrapped.
#include <fmt/format.h>

#include <cmath>

#include "models/config.h"
#include "models/model.h"

namespace carat {
namespace {

class Fields {
 public:
  Fields(const std::string& path, const Json& json)
      : path_(path), json_(json) {}

  // Present and not null.
  const Json* Find(std::string_view key) const {
    const Json* value = json_.Find(key);
    return value == nullptr || value->is_null() ? nullptr : value;
  }
  Result<int64_t> Int(const char* key) const {
    const Json* value = Find(key);
    if (value == nullptr) {
      return Malformed(
          fmt::format("{}/config.json: \"{}\" is missing", path_, key));
    }
    if (!value->is_int()) return Wrong(key, "an integer", *value);
    return value->as_int();
  }
  Result<int64_t> IntOr(const char* key, int64_t fallback) const {
    return Find(key) == nullptr ? Result<int64_t>(fallback) : Int(key);
  }
  Result<double> DoubleOr(const char* key, double fallback) const {
    const Json* value = Find(key);
    if (value == nullptr) return fallback;
    if (!value->is_number()) return Wrong(key, "a number", *value);
    return value->as_double();
  }
  Result<bool> BoolOr(const char* key, bool fallback) const {
    const Json* value = Find(key);
    if (value == nullptr) return fallback;
    if (!value->is_bool()) return Wrong(key, "true or false", *value);
    return value->as_bool();
  }
  Status Wrong(const char* key, const char* expected, const Json& found) const {
    return Malformed(
        fmt::format("{}/config.json: \"{}\" should be {}, found {}", path_, key,
                    expected, found.Dump().substr(0, 80)));
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  const Json& json_;
};

// layer_types, or every `period`th layer global.
Status ReadLayerTypes(const Fields& f, int64_t period, DecoderConfig& c) {
  const Json* types = f.Find("layer_types");
  if (types == nullptr) {
    CARAT_ASSIGN_OR_RETURN(period, f.IntOr("sliding_window_pattern", period));
    if (period < 1) {
      return Malformed(f.path() +
                       "/config.json: \"sliding_window_pattern\" "
                       "must be at least 1");
    }
    for (int64_t i = 0; i < c.layer_count(); ++i) {
      c.layers[i].sliding = (i + 1) % period != 0;
    }
    return OkStatus();
  }
  if (!types->is_array() ||
      static_cast<int64_t>(types->as_array().size()) != c.layer_count()) {
    return f.Wrong("layer_types", "an array with one entry per layer", *types);
  }
  for (int64_t i = 0; i < c.layer_count(); ++i) {
    const Json& type = types->as_array()[i];
    if (type == Json("sliding_attention")) {
      c.layers[i].sliding = true;
    } else if (type != Json("full_attention")) {
      return f.Wrong("layer_types",
                     "made of \"sliding_attention\" and \"full_attention\"",
                     type);
    }
  }
  return OkStatus();
}

// Bases and scaling from rope_parameters (by layer type, or flat), or from the
// older flat keys.
Status ReadRope(const Fields& f, DecoderConfig& c) {
  CARAT_ASSIGN_OR_RETURN(c.rope_base, f.DoubleOr("rope_theta", c.rope_base));
  CARAT_ASSIGN_OR_RETURN(c.rope_base_sliding, f.DoubleOr("rope_local_base_freq",
                                                         c.rope_base_sliding));
  const auto read = [&](const Json& json, bool global) -> Status {
    if (!json.is_object()) return OkStatus();
    const Fields rope(f.path(), json);
    double& base = global ? c.rope_base : c.rope_base_sliding;
    CARAT_ASSIGN_OR_RETURN(base, rope.DoubleOr("rope_theta", base));
    const Json* type = rope.Find("rope_type");
    if (type == nullptr) type = rope.Find("type");
    const std::string kind =
        type != nullptr && type->is_string() ? type->as_string() : "default";
    if (kind == "linear" && global) {
      CARAT_ASSIGN_OR_RETURN(c.rope_factor, rope.DoubleOr("factor", 1.0));
    } else if (kind == "proportional" && global) {
      CARAT_ASSIGN_OR_RETURN(c.rope_share,
                             rope.DoubleOr("partial_rotary_factor", 0.25));
      if (!(c.rope_share > 0 && c.rope_share <= 1)) {
        return rope.Wrong("partial_rotary_factor", "in (0, 1]", json);
      }
    } else if (kind != "default") {
      return Unsupported(fmt::format(
          "{}/config.json: rope type \"{}\" is not one of default, linear, "
          "proportional",
          f.path(), kind));
    }
    return OkStatus();
  };
  if (const Json* scaling = f.Find("rope_scaling")) {
    CARAT_RETURN_IF_ERROR(read(*scaling, true));
  }
  if (const Json* parameters = f.Find("rope_parameters")) {
    const Json* full = parameters->Find("full_attention");
    const Json* sliding = parameters->Find("sliding_attention");
    if (full == nullptr && sliding == nullptr) {
      return read(*parameters, true);
    }
    if (full != nullptr) CARAT_RETURN_IF_ERROR(read(*full, true));
    if (sliding != nullptr) CARAT_RETURN_IF_ERROR(read(*sliding, false));
  }
  return OkStatus();
}

Status ReadCommon(const Fields& f, DecoderConfig& c) {
  CARAT_ASSIGN_OR_RETURN(const int64_t layers, f.Int("num_hidden_layers"));
  if (layers < 1 || layers > 1024) {
    return Malformed(fmt::format("{}/config.json: {} layers, expected 1..1024",
                                 f.path(), layers));
  }
  c.layers.resize(layers);
  CARAT_ASSIGN_OR_RETURN(c.hidden, f.Int("hidden_size"));
  CARAT_ASSIGN_OR_RETURN(c.vocab, f.IntOr("vocab_size", 262208));
  CARAT_ASSIGN_OR_RETURN(c.context_tokens,
                         f.IntOr("max_position_embeddings", 131072));
  CARAT_ASSIGN_OR_RETURN(c.window, f.IntOr("sliding_window", 4096));
  CARAT_ASSIGN_OR_RETURN(const double eps, f.DoubleOr("rms_norm_eps", 1e-6));
  c.norm_eps = static_cast<float>(eps);
  CARAT_ASSIGN_OR_RETURN(const double cap,
                         f.DoubleOr("final_logit_softcapping", 0.0));
  c.final_softcap = static_cast<float>(cap);
  CARAT_ASSIGN_OR_RETURN(const double attention_cap,
                         f.DoubleOr("attn_logit_softcapping", 0.0));
  c.attention_softcap = static_cast<float>(attention_cap);
  CARAT_ASSIGN_OR_RETURN(const int64_t heads,
                         f.IntOr("num_attention_heads", 8));
  CARAT_ASSIGN_OR_RETURN(const int64_t kv, f.IntOr("num_key_value_heads", 4));
  CARAT_ASSIGN_OR_RETURN(const int64_t dim, f.IntOr("head_dim", 256));
  CARAT_ASSIGN_OR_RETURN(const int64_t ffn, f.Int("intermediate_size"));
  for (int64_t value : {heads, kv, dim, ffn}) {
    if (value < 1 || value > (1 << 20)) {
      return Malformed(
          fmt::format("{}/config.json: a head count, head size or "
                      "MLP width is {}",
                      f.path(), value));
    }
  }
  for (LayerConfig& l : c.layers) {
    l.heads = static_cast<int>(heads);
    l.kv_heads = static_cast<int>(kv);
    l.head_dim = static_cast<int>(dim);
    l.ffn = ffn;
  }
  return OkStatus();
}

Result<DecoderConfig> Gemma3(const Fields& f) {
  DecoderConfig c;
  CARAT_RETURN_IF_ERROR(ReadCommon(f, c));
  CARAT_RETURN_IF_ERROR(ReadLayerTypes(f, 6, c));
  CARAT_RETURN_IF_ERROR(ReadRope(f, c));
  CARAT_ASSIGN_OR_RETURN(const double scalar,
                         f.DoubleOr("query_pre_attn_scalar", 256.0));
  c.attention_scale = static_cast<float>(1.0 / std::sqrt(scalar));
  return c;
}

// Overrides of global layers: flat keys, then per_layer_config by index.
Status Gemma4Heads(const Fields& f, DecoderConfig& c) {
  CARAT_ASSIGN_OR_RETURN(const int64_t global_dim,
                         f.IntOr("global_head_dim", 0));
  CARAT_ASSIGN_OR_RETURN(const int64_t global_kv,
                         f.IntOr("num_global_key_value_heads", 0));
  CARAT_ASSIGN_OR_RETURN(const bool k_eq_v,
                         f.BoolOr("attention_k_eq_v", false));
  for (LayerConfig& l : c.layers) {
    if (l.sliding) continue;
    if (global_dim > 0) l.head_dim = static_cast<int>(global_dim);
    if (global_kv > 0 && k_eq_v) l.kv_heads = static_cast<int>(global_kv);
  }
  const Json* overrides = f.Find("per_layer_config");
  if (overrides == nullptr) return OkStatus();
  if (!overrides->is_object()) {
    return f.Wrong("per_layer_config", "an object", *overrides);
  }
  for (const auto& [key, value] : overrides->as_object()) {
    char* end = nullptr;
    const long index = std::strtol(key.c_str(), &end, 10);
    if (key.empty() || *end != '\0' || index < 0 || index >= c.layer_count()) {
      return f.Wrong("per_layer_config", "keyed by layer index", Json(key));
    }
    const Fields layer(f.path(), value);
    LayerConfig& l = c.layers[index];
    CARAT_ASSIGN_OR_RETURN(const int64_t dim,
                           layer.IntOr("head_dim", l.head_dim));
    CARAT_ASSIGN_OR_RETURN(const int64_t kv,
                           layer.IntOr("num_key_value_heads", l.kv_heads));
    CARAT_ASSIGN_OR_RETURN(l.ffn, layer.IntOr("intermediate_size", l.ffn));
    if (dim < 1 || dim > 4096 || kv < 1 || kv > 4096) {
      return f.Wrong("per_layer_config", "in range", value);
    }
    l.head_dim = static_cast<int>(dim);
    l.kv_heads = static_cast<int>(kv);
  }
  return OkStatus();
}

Status Gemma4SharedCaches(const Fields& f, DecoderConfig& c) {
  CARAT_ASSIGN_OR_RETURN(const int64_t shared,
                         f.IntOr("num_kv_shared_layers", 0));
  CARAT_ASSIGN_OR_RETURN(const bool wide,
                         f.BoolOr("use_double_wide_mlp", false));
  if (shared < 0 || shared >= c.layer_count()) {
    return Malformed(fmt::format(
        "{}/config.json: \"num_kv_shared_layers\" is {} of {} layers", f.path(),
        shared, c.layer_count()));
  }
  int last_owner[2] = {-1, -1};  // [sliding]
  for (int64_t i = 0; i < c.layer_count(); ++i) {
    LayerConfig& l = c.layers[i];
    int& owner = last_owner[l.sliding ? 1 : 0];
    if (i < c.layer_count() - shared) {
      owner = static_cast<int>(i);
      continue;
    }
    if (owner < 0) {
      return Malformed(
          fmt::format("{}/config.json: layer {} shares a cache, "
                      "but no earlier layer of its kind has one",
                      f.path(), i));
    }
    l.kv_source = owner;
    if (wide) l.ffn *= 2;
  }
  return OkStatus();
}

Status Gemma4Experts(const Fields& f, DecoderConfig& c) {
  CARAT_ASSIGN_OR_RETURN(const bool moe, f.BoolOr("enable_moe_block", false));
  if (!moe) return OkStatus();
  CARAT_ASSIGN_OR_RETURN(const int64_t experts, f.Int("num_experts"));
  CARAT_ASSIGN_OR_RETURN(const int64_t used, f.Int("top_k_experts"));
  const char* width = f.Find("moe_intermediate_size") != nullptr
                          ? "moe_intermediate_size"
                          : "expert_intermediate_size";
  CARAT_ASSIGN_OR_RETURN(c.expert_ffn, f.Int(width));
  if (experts < 1 || experts > 4096 || used < 1 || used > experts) {
    return Malformed(fmt::format("{}/config.json: {} experts, {} used",
                                 f.path(), experts, used));
  }
  c.experts = static_cast<int>(experts);
  c.experts_used = static_cast<int>(used);
  return OkStatus();
}

Result<DecoderConfig> Gemma4(const Fields& f) {
  DecoderConfig c;
  c.final_softcap = 30.0f;
  c.rope_share = 0.25;
  CARAT_RETURN_IF_ERROR(ReadCommon(f, c));
  CARAT_RETURN_IF_ERROR(ReadLayerTypes(f, 6, c));
  CARAT_RETURN_IF_ERROR(ReadRope(f, c));
  CARAT_RETURN_IF_ERROR(Gemma4Heads(f, c));
  CARAT_RETURN_IF_ERROR(Gemma4SharedCaches(f, c));
  CARAT_RETURN_IF_ERROR(Gemma4Experts(f, c));
  CARAT_ASSIGN_OR_RETURN(c.per_layer_width,
                         f.IntOr("hidden_size_per_layer_input", 0));
  const Json* bidirectional = f.Find("use_bidirectional_attention");
  c.bidirectional_vision =
      bidirectional != nullptr && *bidirectional == Json("vision");
  return c;
}

}  // namespace

Result<DecoderConfig> DecoderConfigFromHf(const ModelFile& file,
                                          const std::string& architecture) {
  const Json* text = file.config().Find("text_config");
  const Fields fields(file.path(), text != nullptr && text->is_object()
                                       ? *text
                                       : file.config());
  Result<DecoderConfig> config = UnknownArchitecture(file, architecture);
  if (architecture == "gemma3") config = Gemma3(fields);
  if (architecture == "gemma4") config = Gemma4(fields);
  if (!config.ok()) return config;
  config->architecture = architecture;
  const Json* suppressed = file.generation_config().Find("suppress_tokens");
  if (suppressed != nullptr && suppressed->is_array()) {
    for (const Json& id : suppressed->as_array()) {
      if (id.is_int() && id.as_int() >= 0 && id.as_int() < config->vocab) {
        config->suppress_tokens.push_back(static_cast<int32_t>(id.as_int()));
      }
    }
  }
  return config;
}

}  // namespace carat
