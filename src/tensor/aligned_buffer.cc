#include "tensor/aligned_buffer.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

namespace carat {
namespace {
constexpr size_t kHugePage = size_t{2} << 20;
}

AlignedBuffer::AlignedBuffer(size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  if (bytes >= kHugePage) {
    // Over-map by one huge page, keep the aligned middle. The tail that does
    // not fill a huge page stays in small ones, so that nothing is wasted.
    constexpr size_t kPage = 4096;
    const size_t size = (bytes + kPage - 1) / kPage * kPage;
    void* map = mmap(nullptr, size + kHugePage, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) {
      bytes_ = 0;
      return;
    }
    const uintptr_t start = reinterpret_cast<uintptr_t>(map);
    const uintptr_t aligned = (start + kHugePage - 1) / kHugePage * kHugePage;
    if (aligned > start) munmap(map, aligned - start);
    const uintptr_t end = start + size + kHugePage;
    if (end > aligned + size) {
      munmap(reinterpret_cast<void*>(aligned + size), end - aligned - size);
    }
    data_ = reinterpret_cast<uint8_t*>(aligned);
    mapped_ = size;
    madvise(data_, size / kHugePage * kHugePage, MADV_HUGEPAGE);
    return;
  }
  const size_t rounded = (bytes + 63) / 64 * 64;
  data_ = static_cast<uint8_t*>(std::aligned_alloc(64, rounded));
  if (data_ == nullptr) {
    bytes_ = 0;
    return;
  }
  std::memset(data_, 0, rounded);
}

AlignedBuffer::~AlignedBuffer() {
  if (data_ == nullptr || !owned_) return;
  if (mapped_ > 0) {
    munmap(data_, mapped_);
  } else {
    std::free(data_);
  }
}

}  // namespace carat
