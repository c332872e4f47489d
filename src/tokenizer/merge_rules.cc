#include "tokenizer/merge_rules.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/utf8.h"

namespace carat {
namespace {

// Longer probe sequences do not happen by chance: the file was made to collide.
constexpr int kMaxProbes = 4096;

}  // namespace

ScoreMerges::ScoreMerges(const Vocabulary* vocabulary,
                         std::span<const PieceSpec> pieces)
    : vocabulary_(vocabulary), order_(pieces.size()) {
  std::vector<float> score(pieces.size());
  for (size_t id = 0; id < pieces.size(); ++id) {
    const TokenKind kind = vocabulary->kind(static_cast<TokenId>(id));
    score[id] = kind == TokenKind::kUserDefined ? 0.0f : pieces[id].score;
    if (std::isnan(score[id])) {
      score[id] = -std::numeric_limits<float>::infinity();
    }
  }
  std::vector<uint32_t> by_score(pieces.size());
  std::iota(by_score.begin(), by_score.end(), 0u);
  // Files list their pieces nearly in this order, which suits a merge sort.
  std::stable_sort(by_score.begin(), by_score.end(),
                   [&](uint32_t a, uint32_t b) { return score[a] > score[b]; });
  uint32_t order = 0;
  for (size_t i = 0; i < by_score.size(); ++i) {
    if (i > 0 && score[by_score[i]] != score[by_score[i - 1]]) ++order;
    order_[by_score[i]] = order;
  }
}

Status RankMerges::Reserve(size_t count) {
  if (count > kMaxMerges) {
    return Unsupported(
        fmt::format("The tokenizer has {} merges; at most {} are supported.",
                    count, kMaxMerges));
  }
  slots_.assign(std::bit_ceil(std::max<size_t>(count, 1) * 3 / 2 + 1), kEmpty);
  mask_ = slots_.size() - 1;
  results_.reserve(count);
  return OkStatus();
}

Status RankMerges::Add(std::string_view left, std::string_view right) {
  const uint32_t rank = static_cast<uint32_t>(results_.size());
  joined_.assign(left).append(right);
  const TokenId left_id = vocabulary_->Find(left);
  const TokenId right_id = vocabulary_->Find(right);
  const TokenId result = vocabulary_->Find(joined_);
  if (result < 0) {
    return Malformed(
        fmt::format("Merge {} of the tokenizer joins {} and {}, but {} is no "
                    "piece of its vocabulary.",
                    rank, QuoteForMessage(left), QuoteForMessage(right),
                    QuoteForMessage(joined_)));
  }
  results_.push_back(result);
  if (left_id < 0 || right_id < 0) return OkStatus();
  if (!vocabulary_->MayMergeInto(result) ||
      !vocabulary_->MayMergeInto(left_id) ||
      !vocabulary_->MayMergeInto(right_id)) {
    return OkStatus();
  }
  return Insert(KeyOf(left_id, right_id), rank);
}

Status RankMerges::Insert(uint64_t key, uint32_t rank) {
  size_t slot = SlotOf(key);
  for (int probe = 0; probe < kMaxProbes; ++probe, slot = (slot + 1) & mask_) {
    // A pair listed twice counts where it stands last, as in the reference.
    if (slots_[slot] == kEmpty || slots_[slot] >> kRankBits == key) {
      slots_[slot] = key << kRankBits | rank;
      return OkStatus();
    }
  }
  return Malformed(
      "The tokenizer has an implausible number of colliding merges.");
}

}  // namespace carat
