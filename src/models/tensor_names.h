// GGUF tensor names -> names in Hugging Face safetensors.
#ifndef CARAT_MODELS_TENSOR_NAMES_H_
#define CARAT_MODELS_TENSOR_NAMES_H_

#include <functional>
#include <string>

#include "formats/model_file.h"

namespace carat {

// How to find a tensor, known by its GGUF name, in `file`. Identity for GGUF;
// for safetensors the prefix (model., model.language_model., ...) is taken from
// where embed_tokens.weight stands.
std::function<std::string(const std::string&)> TensorNameMap(
    const ModelFile& file);

}  // namespace carat

#endif  // CARAT_MODELS_TENSOR_NAMES_H_
