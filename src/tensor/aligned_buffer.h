// Move-only owner of zeroed memory aligned to 64 bytes; large ones (2 MiB and
// up) are mapped separately and ask for huge pages. Or a window into memory
// that somebody else owns and keeps.
#ifndef CARAT_TENSOR_ALIGNED_BUFFER_H_
#define CARAT_TENSOR_ALIGNED_BUFFER_H_

#include <cstddef>
#include <cstdint>
#include <utility>

namespace carat {

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t bytes);  // data() is null if memory ran out
  ~AlignedBuffer();
  // `data`, aligned to 64 bytes, outlives the buffer, which does not free it.
  static AlignedBuffer Window(uint8_t* data, size_t bytes) {
    AlignedBuffer out;
    out.data_ = data;
    out.bytes_ = bytes;
    out.owned_ = false;
    return out;
  }
  AlignedBuffer(AlignedBuffer&& other) noexcept { *this = std::move(other); }
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(mapped_, other.mapped_);
    std::swap(owned_, other.owned_);
    return *this;
  }

  uint8_t* data() { return data_; }
  const uint8_t* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  template <typename T>
  T* as() {
    return reinterpret_cast<T*>(data_);
  }
  template <typename T>
  const T* as() const {
    return reinterpret_cast<const T*>(data_);
  }

 private:
  uint8_t* data_ = nullptr;
  size_t bytes_ = 0;
  size_t mapped_ = 0;  // bytes of the mapping, 0 when from the heap
  bool owned_ = true;
};

}  // namespace carat

#endif  // CARAT_TENSOR_ALIGNED_BUFFER_H_
