// GGUF bytes: parse, look everything up, read the start of every tensor.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/check.h"
#include "base/utf8.h"
#include "formats/gguf.h"
#include "tensor/dequantize.h"

namespace {

void LookUp(const carat::Metadata& metadata) {
  for (const auto& [key, value] : metadata.all()) {
    (void)metadata.Int(key).ok();
    (void)metadata.Double(key).ok();
    (void)metadata.Bool(key).ok();
    (void)metadata.String(key).ok();
    (void)metadata.Ints(key).ok();
    const carat::Result<const carat::MetaArray*> found = metadata.Array(key);
    if (!found.ok()) continue;
    const carat::MetaArray& array = **found;
    for (size_t i = 0; i < std::min<size_t>(array.count, 64); ++i) {
      if (array.type == carat::MetaType::kString) {
        (void)carat::SanitizeUtf8(array.strings[i]);
      } else {
        (void)array.IntAt(i);
        (void)array.DoubleAt(i);
      }
    }
  }
}

void ReadStart(const carat::TensorView& view, std::span<const uint8_t> file) {
  CARAT_CHECK(view.data >= file.data());
  CARAT_CHECK(view.bytes <= file.size());
  CARAT_CHECK(view.data + view.bytes <= file.data() + file.size());
  const size_t block = carat::GetDTypeInfo(view.type).block;
  CARAT_CHECK(static_cast<size_t>(view.cols()) % block == 0);
  const size_t elements = std::min<size_t>(static_cast<size_t>(view.elements()),
                                           std::max<size_t>(block, 256));
  std::vector<float> out(elements);
  carat::Dequantize(view.type, view.data, elements, out.data());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const uint8_t> bytes(data, size);
  const carat::Result<carat::GgufFile> file = carat::ParseGguf(bytes);
  if (!file.ok()) {
    CARAT_CHECK(carat::IsValidUtf8(file.status().message()));
    return 0;
  }
  LookUp(file->metadata);
  for (const carat::TensorView& view : file->tensors) ReadStart(view, bytes);
  return 0;
}
