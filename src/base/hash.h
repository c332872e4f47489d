// SHA-256 of bytes, streams and files, and SHA-1 for what git names.
#ifndef CARAT_BASE_HASH_H_
#define CARAT_BASE_HASH_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace carat {

using Sha256Digest = std::array<uint8_t, 32>;

// A digest in the making. Not thread-safe. Finish may be called once.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void Update(const void* data, size_t bytes);
  void Update(std::string_view text) { Update(text.data(), text.size()); }
  Sha256Digest Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// SHA-1, only because git names its files by it: no protection against people
// who make two files with one digest. Finish may be called once.
class Sha1 {
 public:
  Sha1();
  ~Sha1();
  Sha1(Sha1&&) noexcept;
  Sha1& operator=(Sha1&&) noexcept;

  void Update(const void* data, size_t bytes);
  void Update(std::string_view text) { Update(text.data(), text.size()); }
  std::string FinishHex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Sha256Digest Sha256Of(std::string_view bytes);
// Lower-case hexadecimal.
std::string Sha256Hex(std::string_view bytes);

// Reads the file in pieces. `progress`, if given, hears the bytes read so far
// and stops the work by returning false (kCancelled).
Result<Sha256Digest> Sha256OfFile(
    const std::string& path,
    const std::function<bool(uint64_t bytes)>& progress = nullptr);

// Two lower-case hexadecimal digits a byte.
std::string ToHex(const uint8_t* data, size_t bytes);
inline std::string ToHex(const Sha256Digest& digest) {
  return ToHex(digest.data(), digest.size());
}

}  // namespace carat

#endif  // CARAT_BASE_HASH_H_
