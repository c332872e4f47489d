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

namespace {

// A digest in OpenSSL's hands. Fails only when that itself is broken or memory
// has run out.
class Context {
 public:
  explicit Context(const EVP_MD* kind) : context_(EVP_MD_CTX_new()) {
    CARAT_CHECK(context_ != nullptr);
    CARAT_CHECK(EVP_DigestInit_ex(context_, kind, nullptr) == 1);
  }
  ~Context() { EVP_MD_CTX_free(context_); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  void Update(const void* data, size_t bytes) {
    CARAT_CHECK(EVP_DigestUpdate(context_, data, bytes) == 1);
  }
  template <size_t n>
  void Finish(std::array<uint8_t, n>* digest) {
    unsigned size = 0;
    CARAT_CHECK(EVP_DigestFinal_ex(context_, digest->data(), &size) == 1);
    CARAT_CHECK(size == n);
  }

 private:
  EVP_MD_CTX* context_;
};

}  // namespace

struct Sha256::State {
  Context context{EVP_sha256()};
};
struct Sha1::State {
  Context context{EVP_sha1()};
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::Update(const void* data, size_t bytes) {
  state_->context.Update(data, bytes);
}

Sha256Digest Sha256::Finish() {
  Sha256Digest digest;
  state_->context.Finish(&digest);
  return digest;
}

Sha1::Sha1() : state_(std::make_unique<State>()) {}
Sha1::~Sha1() = default;
Sha1::Sha1(Sha1&&) noexcept = default;
Sha1& Sha1::operator=(Sha1&&) noexcept = default;

void Sha1::Update(const void* data, size_t bytes) {
  state_->context.Update(data, bytes);
}

std::string Sha1::FinishHex() {
  std::array<uint8_t, 20> digest;
  state_->context.Finish(&digest);
  return ToHex(digest.data(), digest.size());
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
