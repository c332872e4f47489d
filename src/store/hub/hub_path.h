// Names that a hub gives to files: foreign text that becomes part of paths and
// addresses, so only plain relative paths pass.
#ifndef CARAT_STORE_HUB_HUB_PATH_H_
#define CARAT_STORE_HUB_HUB_PATH_H_

#include <string>
#include <string_view>

namespace carat {

// True for "a/b.gguf": at most 8 components of at most 200 bytes, none empty,
// hidden or "..", no control characters, no backslash, valid UTF-8.
bool IsSafeHubPath(std::string_view path);

// "a b" -> "a%20b". A slash parts components of a path, or is text itself.
enum class Slash { kKeep, kEncode };
std::string UrlEncode(std::string_view text, Slash slash);

bool IsHexDigest(std::string_view text, size_t digits);

}  // namespace carat

#endif  // CARAT_STORE_HUB_HUB_PATH_H_
