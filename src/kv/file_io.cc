#include "kv/file_io.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace carat {

Status Failed(const std::string& what, const std::string& path, int error) {
  return Status(
      StatusCode::kUnavailable,
      fmt::format("cannot {} {}: {}", what, path, std::strerror(error)));
}

Status WriteAll(int fd, const void* data, size_t bytes,
                const std::string& path) {
  const char* at = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t done = ::write(fd, at, bytes);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return Failed("write to", path, done < 0 ? errno : ENOSPC);
    at += done;
    bytes -= static_cast<size_t>(done);
  }
  return OkStatus();
}

bool ReadAll(int fd, uint8_t* data, size_t bytes, uint64_t offset) {
  while (bytes > 0) {
    const ssize_t done = ::pread(fd, data, bytes, static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    data += done;
    bytes -= static_cast<size_t>(done);
    offset += static_cast<uint64_t>(done);
  }
  return true;
}

}  // namespace carat
