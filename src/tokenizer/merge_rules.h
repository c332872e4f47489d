// Which two neighbouring symbols merge, into what, and how urgently. Two
// kinds: by the score of the result (SentencePiece, Gemma 1 to 3 in GGUF) and
// by the rank of the pair in a list (tokenizer.json, Gemma 4 in GGUF).
// Immutable after Build; both refer to a Vocabulary that outlives them.
#ifndef CARAT_TOKENIZER_MERGE_RULES_H_
#define CARAT_TOKENIZER_MERGE_RULES_H_

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tokenizer/vocabulary.h"

namespace carat {

struct Merge {
  static constexpr uint32_t kNever = ~uint32_t{0};
  uint32_t rank = kNever;  // lower merges first
  TokenId id = -1;         // the result
};

// Two symbols side by side in inner text. Their ids are vocabulary entries;
// `left_bytes` of `text` belong to the left one.
struct SymbolPair {
  std::string_view text;
  uint32_t left_bytes;
  TokenId left, right;
};

class ScoreMerges {
 public:
  // `pieces[id].score` is the score of `id`; user-defined pieces count as
  // score 0, the best there is, whatever converters wrote for them.
  ScoreMerges(const Vocabulary* vocabulary, std::span<const PieceSpec> pieces);

  Merge Find(const SymbolPair& pair) const {
    const TokenId id = vocabulary_->Find(pair.text);
    if (id < 0 || !vocabulary_->MayMergeInto(id)) return {};
    // Equal results: the reference's merge list has the longer left half
    // first (it only matters inside runs of one repeated pattern).
    const uint32_t left = std::min<uint32_t>(pair.left_bytes, kLeftMax);
    return {order_[id] << kLeftBits | (kLeftMax - left), id};
  }

 private:
  static constexpr int kLeftBits = 11;
  static constexpr uint32_t kLeftMax = (1u << kLeftBits) - 1;

  const Vocabulary* vocabulary_;
  std::vector<uint32_t> order_;  // 0 for the best score; equal scores share
};

class RankMerges {
 public:
  static constexpr size_t kMaxMerges = (1u << 24) - 2;

  explicit RankMerges(const Vocabulary* vocabulary) : vocabulary_(vocabulary) {}
  // Room for `count` merges; call once, before Add.
  Status Reserve(size_t count);
  // Appends the merge of the next rank; halves in inner text. A result that is
  // no piece is an error. Merges that would put a marker into text are left
  // out, and so are those with a half that is no piece: they can never apply.
  Status Add(std::string_view left, std::string_view right);

  Merge Find(const SymbolPair& pair) const {
    const uint64_t key = KeyOf(pair.left, pair.right);
    for (size_t slot = SlotOf(key);; slot = (slot + 1) & mask_) {
      const uint64_t entry = slots_[slot];
      if (entry == kEmpty) return {};
      if (entry >> kRankBits != key) continue;
      const uint32_t rank = entry & ((1u << kRankBits) - 1);
      return {rank, results_[rank]};
    }
  }

 private:
  // An entry is left (20 bits), right (20 bits), rank (24 bits).
  static constexpr int kRankBits = 24;
  static constexpr uint64_t kEmpty = ~uint64_t{0};

  static uint64_t KeyOf(TokenId left, TokenId right) {
    return static_cast<uint64_t>(left) << 20 | static_cast<uint64_t>(right);
  }
  size_t SlotOf(uint64_t key) const {
    return (key * 0x9E3779B97F4A7C15u >> 24) & mask_;
  }
  Status Insert(uint64_t key, uint32_t rank);

  const Vocabulary* vocabulary_;
  std::vector<uint64_t> slots_;
  std::vector<TokenId> results_;  // by rank
  uint64_t mask_ = 0;
  std::string joined_;
};

}  // namespace carat

#endif  // CARAT_TOKENIZER_MERGE_RULES_H_
