#include "cli/read_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "base/utf8.h"
#include "cli/terminal.h"

namespace carat {

Result<std::string> ReadTextFile(const std::string& path) {
  if (path == "-") return ReadStdin();
  const std::unique_ptr<FILE, int (*)(FILE*)> file(
      std::fopen(path.c_str(), "rb"), std::fclose);
  if (file == nullptr) {
    return NotFound(fmt::format("{} cannot be opened: {}.",
                                QuoteForMessage(path, 200),
                                std::strerror(errno)));
  }
  std::string out;
  char buffer[65536];
  while (const size_t n = std::fread(buffer, 1, sizeof(buffer), file.get())) {
    out.append(buffer, n);
  }
  if (std::ferror(file.get()) != 0) {
    return InvalidArgument(fmt::format("{} cannot be read: {}.",
                                       QuoteForMessage(path, 200),
                                       std::strerror(errno)));
  }
  return out;
}

}  // namespace carat
