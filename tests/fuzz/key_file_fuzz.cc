// Any bytes as a file of API keys: refused with a reason, or digests.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "server/access.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 4096) return 0;
  const int fd = memfd_create("keys", 0);
  if (fd < 0 || fchmod(fd, 0600) != 0 ||
      write(fd, data, size) != static_cast<ssize_t>(size)) {
    std::abort();
  }
  const auto keys = carat::ReadKeyFile("/proc/self/fd/" + std::to_string(fd));
  close(fd);
  if (!keys.ok()) {
    if (keys.status().message().empty()) std::abort();
    return 0;
  }
  if (keys->empty()) std::abort();
  for (const std::string& digest : *keys) {
    if (digest.size() != 64) std::abort();
  }
  return 0;
}
