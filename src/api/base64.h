// Base64 as clients send it: standard or URL-safe letters, with padding or
// without.
#ifndef CARAT_API_BASE64_H_
#define CARAT_API_BASE64_H_

#include <optional>
#include <string>
#include <string_view>

namespace carat {

// Either alphabet, even mixed. Nothing when `text` holds any other character,
// white space included, or ends in the middle of a byte.
std::optional<std::string> Base64Decode(std::string_view text);

// Standard letters, padded.
std::string Base64Encode(std::string_view bytes);

}  // namespace carat

#endif  // CARAT_API_BASE64_H_
