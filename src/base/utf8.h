// UTF-8 as bytes: validate, decode, encode, repair, and find where a text may
// be cut. Ill-formed bytes are grouped as the Unicode standard recommends
// ("maximal subparts", section 3.9), so that a repaired text has the same
// replacement characters as other well-behaved decoders give.
#ifndef CARAT_BASE_UTF8_H_
#define CARAT_BASE_UTF8_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace carat {

inline constexpr char32_t kReplacementCharacter = 0xFFFD;

struct Utf8Char {
  char32_t code = kReplacementCharacter;  // U+FFFD when not valid
  size_t size = 0;  // bytes it takes: 1 to 4, 0 at the end of the text
  bool valid = false;
  bool incomplete = false;  // the text ends inside a so far valid character
};

// The character at the start of `text`.
Utf8Char DecodeUtf8(std::string_view text);

// Appends `code`; a surrogate or anything past U+10FFFF becomes U+FFFD.
void AppendUtf8(char32_t code, std::string* out);

// Offset of the first byte that starts no valid character; text.size() when
// all of it is valid.
size_t FirstInvalidUtf8(std::string_view text);
inline bool IsValidUtf8(std::string_view text) {
  return FirstInvalidUtf8(text) == text.size();
}

// `text` with every ill-formed part replaced by U+FFFD.
std::string SanitizeUtf8(std::string_view text);

// Length of the longest prefix that does not end inside a character which
// later bytes could still complete. Ill-formed bytes count as complete.
size_t CompleteUtf8Prefix(std::string_view text);

// A name from a foreign file as it may stand in a message: quoted, repaired,
// control characters escaped, cut after `max_bytes`.
std::string QuoteForMessage(std::string_view text, size_t max_bytes = 80);

}  // namespace carat

#endif  // CARAT_BASE_UTF8_H_
