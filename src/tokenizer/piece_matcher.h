// Finds the pieces that are matched whole, before any merging: at each place
// the longest one. Works on raw bytes. Immutable once filled.
#ifndef CARAT_TOKENIZER_PIECE_MATCHER_H_
#define CARAT_TOKENIZER_PIECE_MATCHER_H_

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace carat {

class PieceMatcher {
 public:
  struct Match {
    TokenId id = -1;  // -1: nothing matches here
    size_t size = 0;
  };

  PieceMatcher();
  // Precondition: `piece` is not empty. The first id of a text wins.
  void Add(std::string_view piece, TokenId id);

  // The first position at or after `from` where a match could begin, or
  // text.size().
  size_t NextCandidate(std::string_view text, size_t from) const {
    while (from < text.size() &&
           roots_[static_cast<unsigned char>(text[from])] == 0) {
      ++from;
    }
    return from;
  }
  // The longest piece at the start of `text`.
  Match Longest(std::string_view text) const;

 private:
  // A trie; the children of a node are a linked list. 0 means none.
  struct Node {
    uint32_t child = 0;
    uint32_t sibling = 0;
    TokenId id = -1;
    unsigned char byte = 0;
  };

  uint32_t Child(uint32_t node, unsigned char byte) const;

  std::vector<Node> nodes_;
  std::array<uint32_t, 256> roots_{};  // nodes of depth one
};

}  // namespace carat

#endif  // CARAT_TOKENIZER_PIECE_MATCHER_H_
