// Whole reads and writes on file descriptors.
#ifndef CARAT_KV_FILE_IO_H_
#define CARAT_KV_FILE_IO_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/status.h"

namespace carat {

// kUnavailable: "cannot WHAT PATH: " and the system's words for `error`.
Status Failed(const std::string& what, const std::string& path, int error);

Status WriteAll(int fd, const void* data, size_t bytes,
                const std::string& path);

// False at an error or the file's end.
bool ReadAll(int fd, uint8_t* data, size_t bytes, uint64_t offset);

}  // namespace carat

#endif  // CARAT_KV_FILE_IO_H_
