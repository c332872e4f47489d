// The GGUF container: versions 2 and 3, little-endian. Parses one file from
// memory; what belongs together in a split series is put together by
// ModelFile.
#ifndef CARAT_FORMATS_GGUF_H_
#define CARAT_FORMATS_GGUF_H_

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "formats/metadata.h"
#include "tensor/tensor_view.h"

namespace carat {

// Views into the bytes that were parsed; they must outlive it.
struct GgufFile {
  uint32_t version = 0;
  uint64_t alignment = 0;
  uint64_t data_offset = 0;  // where tensor data begins
  Metadata metadata;
  std::vector<TensorView> tensors;  // in the order of the file
};

// Whether a file that begins like this is meant as GGUF.
bool HasGgufMagic(std::span<const uint8_t> bytes);

// Errors do not name the file; the caller adds that.
Result<GgufFile> ParseGguf(std::span<const uint8_t> bytes);

}  // namespace carat

#endif  // CARAT_FORMATS_GGUF_H_
