#include "models/config.h"

#include <fmt/format.h>

#include <cmath>

namespace carat {
namespace {

std::string FromHfType(const std::string& type) {
  if (type == "gemma3" || type == "gemma3_text") return "gemma3";
  if (type == "gemma4" || type == "gemma4_text" || type == "gemma4_unified" ||
      type == "gemma4_unified_text") {
    return "gemma4";
  }
  return type;
}

}  // namespace

Result<std::string> ArchitectureOf(const ModelFile& file) {
  if (file.kind() == ModelFile::Kind::kGguf) {
    CARAT_ASSIGN_OR_RETURN(auto name,
                           file.metadata().String("general.architecture"));
    if (!name) {
      return Malformed(file.path() +
                       ": metadata key general.architecture is missing, so "
                       "the kind of model is unknown");
    }
    return std::string(*name);
  }
  const Json* type = file.config().Find("model_type");
  if (type == nullptr || !type->is_string()) {
    return Malformed(file.path() +
                     ": config.json has no string \"model_type\", so the kind "
                     "of model is unknown");
  }
  return FromHfType(type->as_string());
}

Result<DecoderConfig> ReadDecoderConfig(const ModelFile& file) {
  CARAT_ASSIGN_OR_RETURN(const std::string architecture, ArchitectureOf(file));
  Result<DecoderConfig> config = file.kind() == ModelFile::Kind::kGguf
                                     ? DecoderConfigFromGguf(file, architecture)
                                     : DecoderConfigFromHf(file, architecture);
  if (!config.ok()) return config;
  CARAT_RETURN_IF_ERROR(CheckDecoderConfig(*config, file.path()));
  return config;
}

Status CheckDecoderConfig(const DecoderConfig& c, const std::string& where) {
  const auto bad = [&](const std::string& what) {
    return Malformed(fmt::format("{}: {}", where, what));
  };
  const auto in = [](int64_t value, int64_t low, int64_t high) {
    return low <= value && value <= high;
  };
  if (!in(c.hidden, 16, 1 << 16)) {
    return bad(fmt::format("hidden size {} is not in 16..65536", c.hidden));
  }
  if (!in(c.vocab, 1, 1 << 22)) {
    return bad(fmt::format("vocabulary of {} is not in 1..4194304", c.vocab));
  }
  if (!in(c.layer_count(), 1, 1024)) {
    return bad(fmt::format("{} layers, expected 1..1024", c.layer_count()));
  }
  if (!in(c.context_tokens, 1, int64_t{1} << 24)) {
    return bad(fmt::format("context length {} is not in 1..16777216",
                           c.context_tokens));
  }
  if (!(c.norm_eps > 0) || !std::isfinite(c.norm_eps)) {
    return bad("the norm's epsilon is not a positive number");
  }
  if (!in(c.per_layer_width, 0, 1 << 14)) {
    return bad(fmt::format("per-layer embedding width {} is not in 0..16384",
                           c.per_layer_width));
  }
  if (c.experts != 0 &&
      (!in(c.experts, 1, 4096) || !in(c.experts_used, 1, c.experts) ||
       !in(c.expert_ffn, 1, 1 << 20))) {
    return bad(fmt::format("{} experts of width {} with {} used make no sense",
                           c.experts, c.expert_ffn, c.experts_used));
  }
  for (int64_t i = 0; i < c.layer_count(); ++i) {
    const LayerConfig& l = c.layers[i];
    if (!in(l.heads, 1, 1024) || !in(l.kv_heads, 1, l.heads) ||
        l.heads % l.kv_heads != 0) {
      return bad(
          fmt::format("layer {} has {} query heads and {} KV heads; the "
                      "first must be a multiple of the second",
                      i, l.heads, l.kv_heads));
    }
    if (!in(l.head_dim, 16, 1024) || l.head_dim % 16 != 0) {
      return bad(fmt::format(
          "layer {} has head size {}, expected a multiple of 16 up to 1024", i,
          l.head_dim));
    }
    if (!in(l.ffn, 1, 1 << 20)) {
      return bad(fmt::format("layer {} has MLP width {}", i, l.ffn));
    }
    if (l.sliding && !in(c.window, 1, int64_t{1} << 24)) {
      return bad(fmt::format("sliding window {} is not positive", c.window));
    }
    if (l.kv_source < 0) continue;
    if (l.kv_source >= i || c.layers[l.kv_source].kv_source >= 0 ||
        c.layers[l.kv_source].sliding != l.sliding ||
        c.layers[l.kv_source].head_dim != l.head_dim) {
      return bad(fmt::format("layer {} cannot read the cache of layer {}", i,
                             l.kv_source));
    }
  }
  for (double base : {c.rope_base, c.rope_base_sliding, c.rope_factor}) {
    if (!(base > 0) || !std::isfinite(base)) {
      return bad("a rotary base or factor is not a positive number");
    }
  }
  return OkStatus();
}

}  // namespace carat
