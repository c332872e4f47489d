// Byte-pair merging of one stretch of text: always the most urgent pair first,
// the leftmost of equals. Linear scans for words, a heap beyond that, so the
// work is O(n log n) whatever the text.
#ifndef CARAT_TOKENIZER_MERGE_ENGINE_H_
#define CARAT_TOKENIZER_MERGE_ENGINE_H_

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/merge_rules.h"
#include "tokenizer/vocabulary.h"

namespace carat {

// Reusable memory; one per call of Encode, never shared between threads.
struct MergeScratch {
  struct Symbol {
    uint32_t begin;  // offset of its first byte in the text
    uint32_t end;
    TokenId id;      // -1: no piece, never merges
    uint32_t rank;   // of the merge with the next symbol
    TokenId merged;  // that merge's result
    uint32_t previous, next;
  };
  std::vector<Symbol> symbols;
  std::vector<uint64_t> heap;  // rank << 32 | symbol
};

template <typename Rules>
class MergeEngine {
 public:
  MergeEngine(const Vocabulary* vocabulary, const Rules* rules, TokenId unk);

  // Appends the ids of `text` (inner form, valid UTF-8, below 4 GiB).
  void Encode(std::string_view text, MergeScratch* scratch,
              std::vector<TokenId>* out) const;
  // Appends `bytes` as byte tokens, or <unk> where there are none.
  void AppendBytes(std::string_view bytes, std::vector<TokenId>* out) const;

 private:
  using Symbol = MergeScratch::Symbol;
  // Up to here a scan over all symbols beats the heap.
  static constexpr size_t kScanMax = 40;
  static constexpr uint32_t kNone = ~uint32_t{0};

  void Split(std::string_view text, std::vector<Symbol>* symbols) const;
  void Rate(std::string_view text, const Symbol& right, Symbol* left) const;
  void MergeByScan(std::string_view text, std::vector<Symbol>* symbols) const;
  void MergeByHeap(std::string_view text, MergeScratch* scratch) const;
  void Append(std::string_view text, const Symbol& symbol,
              std::vector<TokenId>* out) const;

  const Vocabulary* vocabulary_;
  const Rules* rules_;
  TokenId unk_;
  std::array<TokenId, 128> ascii_;  // ids of one-byte texts
};

extern template class MergeEngine<ScoreMerges>;
extern template class MergeEngine<RankMerges>;

}  // namespace carat

#endif  // CARAT_TOKENIZER_MERGE_ENGINE_H_
