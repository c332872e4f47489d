#include "models/registry.h"

#include <fmt/format.h>

#include "models/tensor_names.h"

namespace carat {
namespace {

struct Architecture {
  const char* name;
  ModelLoader load;
  // What safetensors norm weights w stand for: 1 + w (1) or w (0). GGUF files
  // have it added already.
  float norm_offset;
};

constexpr Architecture kArchitectures[] = {
    {"gemma3", LoadGemma3, 1.0f},
    {"gemma4", LoadGemma4, 0.0f},
};

}  // namespace

std::string KnownArchitectures() {
  std::string names;
  for (const Architecture& a : kArchitectures) {
    if (!names.empty()) names += ", ";
    names += a.name;
  }
  return names;
}

Status UnknownArchitecture(const ModelFile& file, const std::string& name) {
  return Unsupported(fmt::format(
      "{}: the model's architecture is '{}', which carat does not run; known "
      "architectures: {}",
      file.path(), name, KnownArchitectures()));
}

Result<std::unique_ptr<Model>> LoadModel(const ModelFile& file,
                                         const ModelOptions& options,
                                         ThreadPool* pool) {
  CARAT_ASSIGN_OR_RETURN(const std::string name, ArchitectureOf(file));
  for (const Architecture& a : kArchitectures) {
    if (name != a.name) continue;
    CARAT_ASSIGN_OR_RETURN(DecoderConfig config, ReadDecoderConfig(file));
    const bool raw = file.kind() == ModelFile::Kind::kSafetensors;
    WeightLoader loader(file, {.mode = options.mode,
                               .pool = pool,
                               .memory = options.memory,
                               .map = TensorNameMap(file),
                               .norm_offset = raw ? a.norm_offset : 0.0f,
                               .progress = options.progress,
                               .go_on = options.go_on});
    return a.load(std::move(config), options, loader);
  }
  return UnknownArchitecture(file, name);
}

}  // namespace carat
