#include "base/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace carat {
namespace {

void Advise(const uint8_t* begin, size_t size, const uint8_t* map,
            size_t map_size, int advice, bool inside) {
  if (map == nullptr || size == 0) return;
  const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  uintptr_t first = reinterpret_cast<uintptr_t>(begin);
  uintptr_t last = first + size;
  const uintptr_t low = reinterpret_cast<uintptr_t>(map);
  first = std::max(first, low);
  last = std::min(last, low + map_size);
  // Dropping must not touch neighbours' pages; hints may cover them.
  first = inside ? (first + page - 1) / page * page : first / page * page;
  last = inside ? last / page * page : last;
  if (first >= last) return;
  madvise(reinterpret_cast<void*>(first), last - first, advice);
}

}  // namespace

Result<std::shared_ptr<MappedFile>> MappedFile::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    const std::string text =
        fmt::format("cannot open {}: {}", path, std::strerror(errno));
    return errno == ENOENT ? NotFound(text) : InvalidArgument(text);
  }
  struct stat info;
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(fd);
    return InvalidArgument(
        fmt::format("{} is not a regular file; give the path of a file", path));
  }
  std::shared_ptr<MappedFile> file(new MappedFile);
  file->path_ = path;
  file->size_ = static_cast<size_t>(info.st_size);
  file->modified_ns_ =
      int64_t{info.st_mtim.tv_sec} * 1000000000 + info.st_mtim.tv_nsec;
  if (file->size_ > 0) {
    void* map = mmap(nullptr, file->size_, PROT_READ,
                     MAP_PRIVATE | MAP_NORESERVE, fd, 0);
    if (map == MAP_FAILED) {
      const std::string text =
          fmt::format("cannot map {}: {}", path, std::strerror(errno));
      close(fd);
      return ResourceExhausted(text);
    }
    file->data_ = static_cast<const uint8_t*>(map);
  }
  close(fd);
  return file;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<uint8_t*>(data_), size_);
}

void MappedFile::Release(const uint8_t* data, size_t size) const {
  Advise(data, size, data_, size_, MADV_DONTNEED, true);
}
void MappedFile::WillNeed(const uint8_t* data, size_t size) const {
  Advise(data, size, data_, size_, MADV_WILLNEED, false);
}
void MappedFile::HugePages(const uint8_t* data, size_t size) const {
  Advise(data, size, data_, size_, MADV_HUGEPAGE, true);
}
void MappedFile::RandomAccess(const uint8_t* data, size_t size) const {
  Advise(data, size, data_, size_, MADV_RANDOM, false);
}

}  // namespace carat
