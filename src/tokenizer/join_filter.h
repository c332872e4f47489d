// Where merging can never join two neighbouring characters. A border between
// two characters that no piece contains side by side can be cut before
// merging: what is left of it cannot influence what is right of it.
#ifndef CARAT_TOKENIZER_JOIN_FILTER_H_
#define CARAT_TOKENIZER_JOIN_FILTER_H_

#include <array>
#include <cstdint>
#include <vector>

#include "tokenizer/vocabulary.h"

namespace carat {

class JoinFilter {
 public:
  // Learns the neighbours inside every piece that merging may produce.
  explicit JoinFilter(const Vocabulary& vocabulary);

  // False only if no piece has `left` directly before `right`.
  bool MayJoin(char32_t left, char32_t right) const {
    if ((left | right) < 0x80) {
      return ascii_[left][right >> 6] >> (right & 63) & 1;
    }
    const uint32_t bit = BitOf(left, right);
    return bitmap_[bit >> 6] >> (bit & 63) & 1;
  }

 private:
  // Gemma has about 300,000 different pairs; 2^22 bits keep chance hits rare.
  static constexpr int kBits = 22;

  static uint32_t BitOf(char32_t left, char32_t right) {
    const uint64_t key = static_cast<uint64_t>(left) << 32 | right;
    return static_cast<uint32_t>(key * 0x9E3779B97F4A7C15u >> (64 - kBits));
  }
  void AddPair(char32_t left, char32_t right);

  std::array<std::array<uint64_t, 2>, 128> ascii_{};
  std::vector<uint64_t> bitmap_;
};

}  // namespace carat

#endif  // CARAT_TOKENIZER_JOIN_FILTER_H_
