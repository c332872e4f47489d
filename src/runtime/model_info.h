// What a model file says about itself, for people and protocols. Read without
// loading weights.
#ifndef CARAT_RUNTIME_MODEL_INFO_H_
#define CARAT_RUNTIME_MODEL_INFO_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "carat/sampling_params.h"
#include "formats/model_file.h"
#include "models/config.h"

namespace carat {

struct ModelInfo {
  struct TensorGroup {
    std::string name;  // "embedding", "attention", "mlp", "experts" ...
    std::map<std::string, int64_t> types;  // type name -> elements
    int64_t elements = 0;
    uint64_t bytes = 0;  // in the file
  };
  DecoderConfig config;
  std::string file_kind;  // "GGUF" or "safetensors"
  std::string licence;    // as the file states it; may be empty
  uint64_t file_bytes = 0;
  int64_t parameters = 0;    // all elements of the text model
  std::string quantisation;  // the most common type by elements
  std::vector<TensorGroup> groups;
  std::vector<std::string> capabilities;  // "completion", "chat", "tools" ...
  std::string chat_format;                // "none" for base models
  SamplingParams sampling;                // the model's own defaults
};

// `chat_format`: name of the format that was detected, with what it can do.
Result<ModelInfo> ReadModelInfo(const ModelFile& file);

}  // namespace carat

#endif  // CARAT_RUNTIME_MODEL_INFO_H_
