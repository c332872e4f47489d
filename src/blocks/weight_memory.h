// The memory of a model's packed matrices: one block, so that all of it can be
// in huge pages, be written to a file at once and come from such a file. A
// loader takes pieces from front to back; a plan made by the same loader says
// how many bytes that will be. Owns the block; outlives the matrices in it.
// One thread takes; what has been taken is immutable once packed.
#ifndef CARAT_BLOCKS_WEIGHT_MEMORY_H_
#define CARAT_BLOCKS_WEIGHT_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/mapped_file.h"
#include "base/status.h"
#include "tensor/aligned_buffer.h"

namespace carat {

class WeightMemory {
 public:
  // Of every piece's first byte: a pair of cache lines.
  static constexpr size_t kAlignment = 128;
  // What a piece of `bytes` takes.
  static constexpr size_t Rounded(size_t bytes) {
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
  }

  // Zeroed memory to pack into. Errors: kResourceExhausted.
  static Result<std::unique_ptr<WeightMemory>> Allocate(size_t bytes);
  // Matrices that were packed before: `packed` is part of `file`, aligned to
  // kAlignment.
  static std::unique_ptr<WeightMemory> Packed(std::shared_ptr<MappedFile> file,
                                              std::span<const uint8_t> packed);

  // Whether the pieces hold their matrices already; they are read-only then.
  bool is_packed() const { return file_ != nullptr; }
  // The next piece; nothing when the block has no room left for it.
  std::optional<AlignedBuffer> Take(size_t bytes);
  std::span<const uint8_t> bytes() const { return {data_, size_}; }

 private:
  WeightMemory() = default;
  AlignedBuffer memory_;              // of Allocate
  std::shared_ptr<MappedFile> file_;  // of Packed
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
  size_t taken_ = 0;
};

}  // namespace carat

#endif  // CARAT_BLOCKS_WEIGHT_MEMORY_H_
