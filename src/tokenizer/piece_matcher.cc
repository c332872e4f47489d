#include "tokenizer/piece_matcher.h"

namespace carat {

PieceMatcher::PieceMatcher() : nodes_(1) {}

void PieceMatcher::Add(std::string_view piece, TokenId id) {
  uint32_t node = 0;
  for (size_t depth = 0; depth < piece.size(); ++depth) {
    const unsigned char byte = static_cast<unsigned char>(piece[depth]);
    uint32_t next = depth == 0 ? roots_[byte] : Child(node, byte);
    if (next == 0) {
      next = static_cast<uint32_t>(nodes_.size());
      nodes_.push_back({.byte = byte});
      if (depth == 0) {
        roots_[byte] = next;
      } else {
        nodes_[next].sibling = nodes_[node].child;
        nodes_[node].child = next;
      }
    }
    node = next;
  }
  if (nodes_[node].id < 0) nodes_[node].id = id;
}

PieceMatcher::Match PieceMatcher::Longest(std::string_view text) const {
  Match match;
  if (text.empty()) return match;
  uint32_t node = roots_[static_cast<unsigned char>(text[0])];
  for (size_t size = 1; node != 0; ++size) {
    if (nodes_[node].id >= 0) match = {nodes_[node].id, size};
    if (size == text.size()) break;
    node = Child(node, static_cast<unsigned char>(text[size]));
  }
  return match;
}

uint32_t PieceMatcher::Child(uint32_t node, unsigned char byte) const {
  uint32_t child = nodes_[node].child;
  while (child != 0 && nodes_[child].byte != byte) {
    child = nodes_[child].sibling;
  }
  return child;
}

}  // namespace carat
