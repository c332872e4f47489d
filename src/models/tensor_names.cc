#include "models/tensor_names.h"

#include <string_view>
#include <utility>

namespace carat {
namespace {

struct NamePair {
  std::string_view gguf;
  std::string_view hf;
};

constexpr NamePair kTopLevel[] = {
    {"token_embd.weight", "embed_tokens.weight"},
    {"output_norm.weight", "norm.weight"},
    {"per_layer_token_embd.weight", "embed_tokens_per_layer.weight"},
    {"per_layer_model_proj.weight", "per_layer_model_projection.weight"},
    {"per_layer_proj_norm.weight", "per_layer_projection_norm.weight"},
};

// Behind "blk.N." and "layers.N.".
constexpr NamePair kPerLayer[] = {
    {"attn_norm.weight", "input_layernorm.weight"},
    {"attn_q.weight", "self_attn.q_proj.weight"},
    {"attn_k.weight", "self_attn.k_proj.weight"},
    {"attn_v.weight", "self_attn.v_proj.weight"},
    {"attn_output.weight", "self_attn.o_proj.weight"},
    {"attn_q_norm.weight", "self_attn.q_norm.weight"},
    {"attn_k_norm.weight", "self_attn.k_norm.weight"},
    {"post_attention_norm.weight", "post_attention_layernorm.weight"},
    {"ffn_norm.weight", "pre_feedforward_layernorm.weight"},
    {"ffn_gate.weight", "mlp.gate_proj.weight"},
    {"ffn_up.weight", "mlp.up_proj.weight"},
    {"ffn_down.weight", "mlp.down_proj.weight"},
    {"post_ffw_norm.weight", "post_feedforward_layernorm.weight"},
    {"layer_output_scale.weight", "layer_scalar"},
    {"inp_gate.weight", "per_layer_input_gate.weight"},
    {"proj.weight", "per_layer_projection.weight"},
    {"post_norm.weight", "post_per_layer_input_norm.weight"},
    {"ffn_gate_inp.weight", "router.proj.weight"},
    {"ffn_gate_inp.scale", "router.scale"},
    {"ffn_gate_up_exps.weight", "experts.gate_up_proj"},
    {"ffn_down_exps.weight", "experts.down_proj"},
    {"ffn_down_exps.scale", "router.per_expert_scale"},
    {"pre_ffw_norm_2.weight", "pre_feedforward_layernorm_2.weight"},
    {"post_ffw_norm_1.weight", "post_feedforward_layernorm_1.weight"},
    {"post_ffw_norm_2.weight", "post_feedforward_layernorm_2.weight"},
};

std::string ToHf(const std::string& prefix, const std::string& name) {
  if (name == "output.weight") {
    // The head stands outside the text model, when it is stored at all.
    return prefix == "model." ? "lm_head.weight"
                              : "language_model.lm_head.weight";
  }
  if (name.rfind("blk.", 0) == 0) {
    const size_t dot = name.find('.', 4);
    const std::string layer = name.substr(4, dot - 4);
    const std::string_view rest = std::string_view(name).substr(dot + 1);
    for (const NamePair& pair : kPerLayer) {
      if (pair.gguf == rest) {
        return prefix + "layers." + layer + "." + std::string(pair.hf);
      }
    }
  }
  for (const NamePair& pair : kTopLevel) {
    if (pair.gguf == name) return prefix + std::string(pair.hf);
  }
  return name;
}

}  // namespace

std::function<std::string(const std::string&)> TensorNameMap(
    const ModelFile& file) {
  if (file.kind() == ModelFile::Kind::kGguf) {
    return [](const std::string& name) { return name; };
  }
  std::string prefix = "model.";
  for (const char* candidate :
       {"model.language_model.", "language_model.model.", "model.",
        "language_model.", ""}) {
    if (file.Find(std::string(candidate) + "embed_tokens.weight") != nullptr) {
      prefix = candidate;
      break;
    }
  }
  return [prefix](const std::string& name) { return ToHf(prefix, name); };
}

}  // namespace carat
