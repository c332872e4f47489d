#include "runtime/model_info.h"

#include <algorithm>
#include <string_view>

#include "tensor/dtype.h"

namespace carat {
namespace {

// The part of the model a tensor belongs to, from either naming scheme.
std::string GroupOf(std::string_view name) {
  const auto has = [&](std::string_view part) {
    return name.find(part) != std::string_view::npos;
  };
  if (has("vision") || name.starts_with("v.") || name.starts_with("mm.")) {
    return "vision";
  }
  if (has("audio") || name.starts_with("a.")) return "audio";
  if (has("per_layer_token_embd") || has("embed_tokens_per_layer")) {
    return "per-layer embedding";
  }
  if (has("token_embd") || has("embed_tokens")) return "embedding";
  if (has("norm") || has("scalar") || has("layer_output_scale") ||
      has("rope_freqs")) {
    return "norms";
  }
  if (has("exps") || has("experts") || has("router") || has("gate_inp")) {
    return "experts";
  }
  if (has("attn") || has("self_attn")) return "attention";
  if (has("ffn") || has("mlp")) return "mlp";
  return "other";
}

void CountTensors(const ModelFile& file, ModelInfo& info) {
  std::map<std::string, int64_t> by_type;
  for (const TensorView& t : file.tensors()) {
    const std::string name = GroupOf(t.name);
    auto at = std::find_if(info.groups.begin(), info.groups.end(),
                           [&](const auto& g) { return g.name == name; });
    if (at == info.groups.end()) {
      info.groups.push_back({.name = name, .types = {}});
      at = info.groups.end() - 1;
    }
    at->types[DTypeName(t.type)] += t.elements();
    at->elements += t.elements();
    at->bytes += t.bytes;
    if (name == "vision" || name == "audio") continue;
    info.parameters += t.elements();
    if (name != "norms") by_type[DTypeName(t.type)] += t.elements();
  }
  int64_t most = 0;
  for (const auto& [type, elements] : by_type) {
    if (elements > most) {
      most = elements;
      info.quantisation = type;
    }
  }
}

// GGUF's names of llama.cpp's mixes; the mix says more than its main type.
std::string MixName(int64_t file_type) {
  switch (file_type) {
    case 0:
      return "F32";
    case 1:
      return "F16";
    case 2:
      return "Q4_0";
    case 3:
      return "Q4_1";
    case 7:
      return "Q8_0";
    case 8:
      return "Q5_0";
    case 9:
      return "Q5_1";
    case 10:
      return "Q2_K";
    case 11:
      return "Q3_K_S";
    case 12:
      return "Q3_K_M";
    case 13:
      return "Q3_K_L";
    case 14:
      return "Q4_K_S";
    case 15:
      return "Q4_K_M";
    case 16:
      return "Q5_K_S";
    case 17:
      return "Q5_K_M";
    case 18:
      return "Q6_K";
    case 25:
      return "IQ4_NL";
    case 30:
      return "IQ4_XS";
    case 32:
      return "BF16";
    default:
      return "";
  }
}

Status ReadGgufDefaults(const Metadata& meta, ModelInfo& info) {
  CARAT_ASSIGN_OR_RETURN(auto licence, meta.String("general.license"));
  if (licence) info.licence = std::string(*licence);
  CARAT_ASSIGN_OR_RETURN(auto file_type, meta.Int("general.file_type"));
  if (file_type && !MixName(*file_type).empty()) {
    info.quantisation = MixName(*file_type);
  }
  CARAT_ASSIGN_OR_RETURN(auto temp, meta.Double("general.sampling.temp"));
  CARAT_ASSIGN_OR_RETURN(auto top_p, meta.Double("general.sampling.top_p"));
  CARAT_ASSIGN_OR_RETURN(auto top_k, meta.Int("general.sampling.top_k"));
  if (temp) info.sampling.temperature = static_cast<float>(*temp);
  if (top_p) info.sampling.top_p = static_cast<float>(*top_p);
  if (top_k) info.sampling.top_k = static_cast<int>(*top_k);
  return OkStatus();
}

void ReadHfDefaults(const Json& generation, ModelInfo& info) {
  const auto number = [&](const char* key) -> const Json* {
    const Json* value = generation.Find(key);
    return value != nullptr && value->is_number() ? value : nullptr;
  };
  if (const Json* v = number("temperature")) {
    info.sampling.temperature = static_cast<float>(v->as_double());
  }
  if (const Json* v = number("top_p")) {
    info.sampling.top_p = static_cast<float>(v->as_double());
  }
  if (const Json* v = number("top_k")) {
    info.sampling.top_k = static_cast<int>(v->as_double());
  }
}

}  // namespace

Result<ModelInfo> ReadModelInfo(const ModelFile& file) {
  ModelInfo info;
  CARAT_ASSIGN_OR_RETURN(info.config, ReadDecoderConfig(file));
  info.file_bytes = file.file_bytes();
  const bool gguf = file.kind() == ModelFile::Kind::kGguf;
  info.file_kind = gguf ? "GGUF" : "safetensors";
  CountTensors(file, info);
  if (gguf) {
    CARAT_RETURN_IF_ERROR(ReadGgufDefaults(file.metadata(), info));
  } else {
    ReadHfDefaults(file.generation_config(), info);
  }
  return info;
}

}  // namespace carat
