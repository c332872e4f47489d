// A file mapped read-only into memory. Owns the mapping; views into bytes()
// die with it. Safe to share between threads after Open.
#ifndef CARAT_BASE_MAPPED_FILE_H_
#define CARAT_BASE_MAPPED_FILE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/status.h"

namespace carat {

class MappedFile {
 public:
  static Result<std::shared_ptr<MappedFile>> Open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::string& path() const { return path_; }
  std::span<const uint8_t> bytes() const { return {data_, size_}; }

  // When the file was written to last, as it was opened.
  int64_t modified_ns() const { return modified_ns_; }

  // Lets the kernel drop the resident pages of [data, data + size); they are
  // read again from disk when touched. Bytes outside the mapping are ignored.
  void Release(const uint8_t* data, size_t size) const;
  // Hints that [data, data + size) will be read from front to back soon.
  void WillNeed(const uint8_t* data, size_t size) const;
  // Asks for the range in huge pages, where the file's system has them.
  void HugePages(const uint8_t* data, size_t size) const;
  // Hints that the range is read in small pieces at random places.
  void RandomAccess(const uint8_t* data, size_t size) const;

 private:
  MappedFile() = default;
  std::string path_;
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
  int64_t modified_ns_ = 0;
};

}  // namespace carat

#endif  // CARAT_BASE_MAPPED_FILE_H_
