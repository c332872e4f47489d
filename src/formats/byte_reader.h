// A bounds-checked cursor over little-endian bytes. After the first read that
// does not fit, every read fails and the cursor remembers what was missing.
#ifndef CARAT_FORMATS_BYTE_READER_H_
#define CARAT_FORMATS_BYTE_READER_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace carat {

class ByteReader {
 public:
  explicit ByteReader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  size_t offset() const { return offset_; }
  size_t remaining() const { return bytes_.size() - offset_; }
  bool failed() const { return failed_; }
  // Of the read that failed: where it began and how many bytes it wanted.
  size_t failed_offset() const { return offset_; }
  uint64_t failed_need() const { return need_; }

  template <typename T>
  bool Read(T* value) {
    const uint8_t* data = Take(sizeof(T));
    if (data == nullptr) return false;
    std::memcpy(value, data, sizeof(T));
    return true;
  }

  // A 64-bit length and that many bytes. The view points into the input.
  bool ReadString(std::string_view* text) {
    uint64_t size = 0;
    if (!Read(&size)) return false;
    const uint8_t* data = Take(size);
    if (data == nullptr) return false;
    *text = {reinterpret_cast<const char*>(data), static_cast<size_t>(size)};
    return true;
  }

  // The next `size` bytes, or null.
  const uint8_t* Take(uint64_t size) {
    if (failed_) return nullptr;
    if (size > remaining()) {
      failed_ = true;
      need_ = size;
      return nullptr;
    }
    const uint8_t* data = bytes_.data() + offset_;
    offset_ += static_cast<size_t>(size);
    return data;
  }

 private:
  std::span<const uint8_t> bytes_;
  size_t offset_ = 0;
  uint64_t need_ = 0;
  bool failed_ = false;
};

}  // namespace carat

#endif  // CARAT_FORMATS_BYTE_READER_H_
