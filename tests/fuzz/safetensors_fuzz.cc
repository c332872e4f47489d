// Safetensors bytes, and the same bytes as an index of shards.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/utf8.h"
#include "formats/safetensors.h"
#include "tensor/dequantize.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const uint8_t> bytes(data, size);
  (void)carat::ParseSafetensorsIndex(
      {reinterpret_cast<const char*>(data), size})
      .ok();
  const carat::Result<std::vector<carat::TensorView>> tensors =
      carat::ParseSafetensors(bytes);
  if (!tensors.ok()) {
    CARAT_CHECK(carat::IsValidUtf8(tensors.status().message()));
    return 0;
  }
  for (const carat::TensorView& view : *tensors) {
    CARAT_CHECK(view.data >= data && view.bytes <= size);
    CARAT_CHECK(view.data + view.bytes <= data + size);
    const size_t elements =
        view.bytes / carat::GetDTypeInfo(view.type).block_bytes;
    std::vector<float> out(std::min<size_t>(elements, 256));
    carat::Dequantize(view.type, view.data, out.size(), out.data());
  }
  return 0;
}
