#include "tokenizer/join_filter.h"

#include "base/utf8.h"

namespace carat {

JoinFilter::JoinFilter(const Vocabulary& vocabulary)
    : bitmap_((size_t{1} << kBits) / 64) {
  for (TokenId id = 0; id < vocabulary.size(); ++id) {
    if (!vocabulary.MayMergeInto(id)) continue;
    std::string_view rest = vocabulary.inner(id);
    char32_t previous = 0;
    bool first = true;
    while (!rest.empty()) {
      const Utf8Char c = DecodeUtf8(rest);
      rest.remove_prefix(c.size);
      // A piece with broken UTF-8 matches nothing at that place.
      if (c.valid && !first) AddPair(previous, c.code);
      first = !c.valid;
      previous = c.code;
    }
  }
}

void JoinFilter::AddPair(char32_t left, char32_t right) {
  if ((left | right) < 0x80) {
    ascii_[left][right >> 6] |= uint64_t{1} << (right & 63);
    return;
  }
  const uint32_t bit = BitOf(left, right);
  bitmap_[bit >> 6] |= uint64_t{1} << (bit & 63);
}

}  // namespace carat
