// The values of JSON schema's `format` that constrained decoding enforces.
#ifndef CARAT_GRAMMAR_STRING_FORMAT_H_
#define CARAT_GRAMMAR_STRING_FORMAT_H_

#include <string_view>

namespace carat {

// A regular expression whose every match has that format, matched as a whole.
// It covers the format's usual spellings, not all. Empty for unknown formats.
std::string_view FormatPattern(std::string_view format);

}  // namespace carat

#endif  // CARAT_GRAMMAR_STRING_FORMAT_H_
