#include "blocks/weight_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace carat {

Result<std::unique_ptr<WeightMemory>> WeightMemory::Allocate(size_t bytes) {
  std::unique_ptr<WeightMemory> out(new WeightMemory);
  out->memory_ = AlignedBuffer(bytes);
  out->data_ = out->memory_.data();
  out->size_ = out->memory_.bytes();
  if (out->size_ < bytes) {
    return ResourceExhausted(fmt::format(
        "There is no memory for {} bytes of packed weights.", bytes));
  }
  return out;
}

std::unique_ptr<WeightMemory> WeightMemory::Packed(
    std::shared_ptr<MappedFile> file, std::span<const uint8_t> packed) {
  std::unique_ptr<WeightMemory> out(new WeightMemory);
  out->file_ = std::move(file);
  // Matrices are handed out as buffers, which point to bytes that may change;
  // these are mapped read-only and nobody writes to a packed matrix.
  out->data_ = const_cast<uint8_t*>(packed.data());
  out->size_ = packed.size();
  return out;
}

std::optional<AlignedBuffer> WeightMemory::Take(size_t bytes) {
  if (bytes > size_ - taken_) return std::nullopt;
  AlignedBuffer out = AlignedBuffer::Window(data_ + taken_, bytes);
  taken_ = std::min(size_, taken_ + Rounded(bytes));
  return out;
}

}  // namespace carat
