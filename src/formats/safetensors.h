// The safetensors container: an 8-byte length, a JSON header, then the bytes
// of all tensors without gaps. Parses from memory.
#ifndef CARAT_FORMATS_SAFETENSORS_H_
#define CARAT_FORMATS_SAFETENSORS_H_

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tensor/tensor_view.h"

namespace carat {

// Views into `bytes`, in the order of the header. Errors do not name the file;
// the caller adds that.
Result<std::vector<TensorView>> ParseSafetensors(
    std::span<const uint8_t> bytes);

// model.safetensors.index.json: tensor name -> name of the file that holds it.
// File names are checked to be plain names inside the folder.
Result<std::map<std::string, std::string>> ParseSafetensorsIndex(
    std::string_view json);

}  // namespace carat

#endif  // CARAT_FORMATS_SAFETENSORS_H_
