#include "base/hash.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "base/check.h"

namespace carat {

struct Sha256::State {
  State() : context(EVP_MD_CTX_new()) {
    // Fails only when OpenSSL itself is broken or memory has run out.
    CARAT_CHECK(context != nullptr);
    CARAT_CHECK(EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1);
  }
  ~State() { EVP_MD_CTX_free(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  EVP_MD_CTX* context;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::Update(const void* data, size_t bytes) {
  CARAT_CHECK(EVP_DigestUpdate(state_->context, data, bytes) == 1);
}

Sha256Digest Sha256::Finish() {
  Sha256Digest digest;
  unsigned size = 0;
  CARAT_CHECK(EVP_DigestFinal_ex(state_->context, digest.data(), &size) == 1);
  CARAT_CHECK(size == digest.size());
  return digest;
}

Sha256Digest Sha256Of(std::string_view bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return hash.Finish();
}

std::string Sha256Hex(std::string_view bytes) { return ToHex(Sha256Of(bytes)); }

Result<Sha256Digest> Sha256OfFile(
    const std::string& path,
    const std::function<bool(uint64_t bytes)>& progress) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    const std::string text =
        fmt::format("cannot open {}: {}", path, std::strerror(errno));
    return errno == ENOENT ? NotFound(text) : InvalidArgument(text);
  }
  Sha256 hash;
  std::vector<char> buffer(size_t{1} << 20);
  uint64_t total = 0;
  Status status;
  while (true) {
    const ssize_t got = read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      status = InvalidArgument(
          fmt::format("cannot read {}: {}", path, std::strerror(errno)));
    }
    if (got <= 0) break;
    hash.Update(buffer.data(), static_cast<size_t>(got));
    total += static_cast<uint64_t>(got);
    if (progress && !progress(total)) {
      status = Status(StatusCode::kCancelled,
                      fmt::format("hashing {} was cancelled", path));
      break;
    }
  }
  close(fd);
  if (!status.ok()) return status;
  return hash.Finish();
}

std::string ToHex(const uint8_t* data, size_t bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(2 * bytes);
  for (size_t i = 0; i < bytes; ++i) {
    out.push_back(kDigits[data[i] >> 4]);
    out.push_back(kDigits[data[i] & 15]);
  }
  return out;
}

}  // namespace carat
