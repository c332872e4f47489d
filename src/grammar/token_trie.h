// A tokenizer's vocabulary arranged for constrained decoding: all text tokens
// in one byte trie, control tokens as terminals of their own. Built once per
// tokenizer (some hundred milliseconds for 262k tokens), immutable and shared
// by every grammar and thread afterwards. The tokenizer must outlive it.
#ifndef CARAT_GRAMMAR_TOKEN_TRIE_H_
#define CARAT_GRAMMAR_TOKEN_TRIE_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace carat {

class LeafCache;

// A coarse set of characters: each printable ASCII character for itself, the
// rarer control characters together, the others by their first UTF-8 byte.
struct CharSet {
  // In `high`: something that is no run of whole characters.
  static constexpr uint64_t kBroken = uint64_t{1} << 63;

  uint64_t low = 0;   // 0x20 .. 0x5F
  uint64_t high = 0;  // 0x60 .. 0x7F, controls, groups of first bytes

  // The set of the character `first` begins; first bytes only.
  static CharSet Of(uint8_t first);
  void Add(const CharSet& other) {
    low |= other.low;
    high |= other.high;
  }
  void Keep(const CharSet& other) {
    low &= other.low;
    high &= other.high;
  }
  void Remove(const CharSet& other) {
    low &= ~other.low;
    high &= ~other.high;
  }
  // The characters that texts are made of, whatever they are written in: no
  // controls, no quotes, backslashes or ends of control text.
  static constexpr CharSet Plain();
  bool Within(const CharSet& other) const {
    return ((low & ~other.low) | (high & ~other.high)) == 0;
  }
  bool empty() const { return (low | high) == 0; }
  int size() const { return std::popcount(low) + std::popcount(high); }
};

constexpr CharSet CharSet::Plain() {
  CharSet set{~uint64_t{0}, (uint64_t{1} << 55) - 1};
  for (char c : {'"', '\\', '>'}) set.low &= ~(uint64_t{1} << (c - 0x20));
  set.high &= ~(uint64_t{15} << 31);  // DEL, tab, newline, other controls
  return set;
}

class TokenTrie {
 public:
  // Markers of the known chat formats count as control tokens even where the
  // file does not flag them (FunctionGemma's call markers, for instance).
  static std::shared_ptr<const TokenTrie> Build(const Tokenizer& tokenizer);
  ~TokenTrie();

  // One node of a trie. Nodes lie level by level, so that those a walk goes
  // through in turn are neighbours in memory. Node 0 is the root; the children
  // of `i` are first_child of i .. first_child of i + 1.
  struct alignas(32) Node {
    CharSet chars;  // characters below the node
    uint32_t first_child = 0;
    // Of `tokens`: those that begin with the node's text, shorter ones first.
    uint32_t first_token = 0;
    uint32_t last_token = 0;
    uint8_t own = 0;         // tokens whose text is just that of the node
    uint8_t depth = 0;       // root 0; longer tokens are left out
    uint8_t max_chars = 0;   // characters begun below the node, at most
    uint8_t char_depth = 0;  // characters begun up to the node
  };
  struct Nodes {
    std::vector<Node> nodes;     // one more at the end, for its first_child
    std::vector<uint8_t> bytes;  // the last byte of each node's text
    // Where all texts from the node on are plain: the characters of the
    // longest. kNotPlain elsewhere. Siblings lie in falling order of these.
    std::vector<uint8_t> plain_chars;
    std::vector<TokenId> tokens;       // in byte order of their text
    std::vector<uint8_t> token_chars;  // characters begun in each of them
    std::vector<bool> token_plain;     // of CharSet::Plain() alone

    const Node& operator[](size_t i) const { return nodes[i]; }
    size_t size() const { return nodes.empty() ? 0 : nodes.size() - 1; }
    bool HasChildren(size_t i) const {
      return nodes[i].first_child != nodes[i + 1].first_child;
    }
  };
  struct Entry {
    std::string_view text;
    TokenId token;
  };
  // A trie of these texts, none longer than kMaxTokenBytes.
  static Nodes BuildNodes(std::vector<Entry> entries);

  static constexpr int kMaxTokenBytes = 254;
  static constexpr uint8_t kNotPlain = 255;
  // Longer plain tokens have no mask.
  static constexpr int kMaxPlainChars = 32;

  const Nodes& nodes() const { return nodes_; }
  int size() const { return size_; }
  int mask_words() const { return (size_ + 63) / 64; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }

  // The bytes of a text token; empty for terminals and excluded tokens.
  std::string_view Text(TokenId id) const;
  bool IsText(TokenId id) const {
    return id >= 0 && id < size_ && (text_[id / 64] >> (id % 64) & 1) != 0;
  }
  // One bit per text token, [mask_words].
  std::span<const uint64_t> text_mask() const { return text_; }
  // The plain tokens of up to `chars` (<= kMaxPlainChars) characters.
  std::span<const uint64_t> plain_mask(int chars) const {
    return std::span(plain_masks_)
        .subspan(static_cast<size_t>(chars) * mask_words(), mask_words());
  }
  // About how many nodes a walk visits where any `chars` plain characters may
  // follow and few more.
  uint32_t nodes_behind(int chars) const {
    return nodes_behind_[std::clamp(chars, 0, kMaxPlainChars)];
  }
  bool IsEndOfGeneration(TokenId id) const;
  std::span<const TokenId> end_of_generation() const { return end_tokens_; }
  // The control token written as `piece`.
  std::optional<TokenId> Terminal(std::string_view piece) const;

  // Whether a token exists whose text is exactly this byte. Grammars use no
  // other bytes, so that a partly written text can always be completed.
  bool HasByte(uint8_t byte) const { return has_byte_[byte]; }
  int max_token_bytes() const { return max_token_bytes_; }

  // Masks of rules that many grammars share (JSON strings, numbers, ...).
  LeafCache& leaf_cache() const { return *leaf_cache_; }

 private:
  TokenTrie() = default;
  void FillPlainMasks();
  void CountNodes();

  const Tokenizer* tokenizer_ = nullptr;
  int size_ = 0;
  int max_token_bytes_ = 0;
  Nodes nodes_;
  std::vector<uint64_t> text_;
  std::vector<uint64_t> plain_masks_;  // [kMaxPlainChars + 1, mask_words]
  std::array<uint32_t, kMaxPlainChars + 1> nodes_behind_{};
  std::vector<TokenId> end_tokens_;
  std::array<bool, 256> has_byte_{};
  std::unique_ptr<LeafCache> leaf_cache_;
};

}  // namespace carat

#endif  // CARAT_GRAMMAR_TOKEN_TRIE_H_
