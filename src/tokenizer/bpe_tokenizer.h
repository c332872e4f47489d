// The Tokenizer behind all formats: match whole pieces, cut the rest where no
// merge can reach across, look words up, merge what is no word of its own.
#ifndef CARAT_TOKENIZER_BPE_TOKENIZER_H_
#define CARAT_TOKENIZER_BPE_TOKENIZER_H_

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "tokenizer/build.h"
#include "tokenizer/join_filter.h"
#include "tokenizer/merge_engine.h"
#include "tokenizer/merge_rules.h"
#include "tokenizer/piece_matcher.h"
#include "tokenizer/vocabulary.h"

namespace carat {

template <typename Rules>
class BpeTokenizer final : public Tokenizer {
 public:
  // `vocabulary` is owned by the tokenizer and what `rules` refers to.
  BpeTokenizer(std::unique_ptr<Vocabulary> vocabulary, Rules rules,
               const TokenizerParts& parts);

  std::vector<TokenId> Encode(std::string_view text,
                              SpecialText special) const override;
  int vocab_size() const override { return vocabulary_->size(); }
  TokenKind Kind(TokenId id) const override;
  std::string_view Piece(TokenId id) const override;
  std::string_view Bytes(TokenId id) const override;
  std::optional<TokenId> Find(std::string_view piece) const override;

 private:
  // Whether merging the text of a piece gives that piece; found out when the
  // text first turns up. Any thread computes the same answer.
  enum Reach : uint8_t { kReachUnknown, kReachable, kUnreachable };

  void FillMatchers(const TokenizerParts& parts);
  void ResolveIds(const TokenizerParts& parts);
  TokenId DeclaredOrNamed(std::string_view name, TokenId declared) const;
  void EncodeStretch(std::string_view text, MergeScratch* scratch,
                     std::vector<TokenId>* out) const;
  void EncodeWord(std::string_view word, MergeScratch* scratch,
                  std::vector<TokenId>* out) const;

  std::unique_ptr<Vocabulary> vocabulary_;
  Rules rules_;
  JoinFilter join_;
  MergeEngine<Rules> engine_;
  PieceMatcher plain_, parse_;
  mutable std::vector<std::atomic<uint8_t>> reach_;
  std::array<char, 256> byte_values_;
};

extern template class BpeTokenizer<ScoreMerges>;
extern template class BpeTokenizer<RankMerges>;

}  // namespace carat

#endif  // CARAT_TOKENIZER_BPE_TOKENIZER_H_
