// Lower case of single characters, for the order of keys in a prompt.
#ifndef CARAT_CHAT_UNICODE_LOWER_H_
#define CARAT_CHAT_UNICODE_LOWER_H_

#include <string>

namespace carat {

// The simple lower-case mapping of Unicode 14, or `code` itself.
char32_t SimpleLower(char32_t code);

// Whether the capital sigma at `text[at]` ends a word (a cased letter before
// it, none after it), where its lower case is U+03C2.
bool IsFinalSigma(const std::u32string& text, size_t at);

}  // namespace carat

#endif  // CARAT_CHAT_UNICODE_LOWER_H_
