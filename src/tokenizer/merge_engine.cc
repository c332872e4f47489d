#include "tokenizer/merge_engine.h"

#include <algorithm>
#include <functional>

#include "base/utf8.h"

namespace carat {

template <typename Rules>
MergeEngine<Rules>::MergeEngine(const Vocabulary* vocabulary,
                                const Rules* rules, TokenId unk)
    : vocabulary_(vocabulary), rules_(rules), unk_(unk) {
  for (int c = 0; c < 128; ++c) {
    const char byte = static_cast<char>(c);
    const TokenId id = vocabulary->Find(std::string_view(&byte, 1));
    ascii_[c] = id >= 0 && vocabulary->MayMergeInto(id) ? id : -1;
  }
}

template <typename Rules>
void MergeEngine<Rules>::Encode(std::string_view text, MergeScratch* scratch,
                                std::vector<TokenId>* out) const {
  Split(text, &scratch->symbols);
  if (scratch->symbols.size() <= kScanMax) {
    MergeByScan(text, &scratch->symbols);
    for (const Symbol& symbol : scratch->symbols) Append(text, symbol, out);
    return;
  }
  MergeByHeap(text, scratch);
  for (uint32_t i = 0; i != kNone; i = scratch->symbols[i].next) {
    Append(text, scratch->symbols[i], out);
  }
}

template <typename Rules>
void MergeEngine<Rules>::AppendBytes(std::string_view bytes,
                                     std::vector<TokenId>* out) const {
  const auto& ids = vocabulary_->byte_ids();
  const bool complete = std::all_of(bytes.begin(), bytes.end(), [&](char c) {
    return ids[static_cast<unsigned char>(c)] >= 0;
  });
  if (complete) {
    for (char c : bytes) out->push_back(ids[static_cast<unsigned char>(c)]);
  } else if (out->empty() || out->back() != unk_) {
    out->push_back(unk_);  // neighbouring unknowns are one <unk>
  }
}

template <typename Rules>
void MergeEngine<Rules>::Split(std::string_view text,
                               std::vector<Symbol>* symbols) const {
  symbols->clear();
  for (size_t at = 0; at < text.size();) {
    const unsigned char lead = static_cast<unsigned char>(text[at]);
    uint32_t size = 1;
    TokenId id;
    if (lead < 0x80) {
      id = ascii_[lead];
    } else {
      size = static_cast<uint32_t>(DecodeUtf8(text.substr(at)).size);
      id = vocabulary_->Find(text.substr(at, size));
      if (id >= 0 && !vocabulary_->MayMergeInto(id)) id = -1;
    }
    const uint32_t begin = static_cast<uint32_t>(at);
    symbols->push_back({.begin = begin,
                        .end = begin + size,
                        .id = id,
                        .rank = Merge::kNever,
                        .merged = -1,
                        .previous = kNone,
                        .next = kNone});
    at += size;
  }
}

template <typename Rules>
void MergeEngine<Rules>::Rate(std::string_view text, const Symbol& right,
                              Symbol* left) const {
  left->rank = Merge::kNever;
  if (left->id < 0 || right.id < 0) return;
  const Merge merge =
      rules_->Find({.text = text.substr(left->begin, right.end - left->begin),
                    .left_bytes = left->end - left->begin,
                    .left = left->id,
                    .right = right.id});
  left->rank = merge.rank;
  left->merged = merge.id;
}

template <typename Rules>
void MergeEngine<Rules>::MergeByScan(std::string_view text,
                                     std::vector<Symbol>* symbols) const {
  Symbol* const first = symbols->data();
  size_t count = symbols->size();
  for (size_t i = 0; i + 1 < count; ++i) Rate(text, first[i + 1], &first[i]);
  while (count > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < count; ++i) {
      if (first[i].rank < first[best].rank) best = i;
    }
    if (first[best].rank == Merge::kNever) break;
    first[best].end = first[best + 1].end;
    first[best].id = first[best].merged;
    std::copy(first + best + 2, first + count, first + best + 1);
    --count;
    if (best + 1 < count) {
      Rate(text, first[best + 1], &first[best]);
    } else {
      first[best].rank = Merge::kNever;
    }
    if (best > 0) Rate(text, first[best], &first[best - 1]);
  }
  symbols->resize(count);
}

template <typename Rules>
void MergeEngine<Rules>::MergeByHeap(std::string_view text,
                                     MergeScratch* scratch) const {
  std::vector<Symbol>& symbols = scratch->symbols;
  std::vector<uint64_t>& heap = scratch->heap;
  heap.clear();
  const auto enqueue = [&](uint32_t i) {
    if (symbols[i].rank == Merge::kNever) return false;
    heap.push_back(static_cast<uint64_t>(symbols[i].rank) << 32 | i);
    return true;
  };
  const uint32_t count = static_cast<uint32_t>(symbols.size());
  for (uint32_t i = 0; i < count; ++i) {
    symbols[i].previous = i == 0 ? kNone : i - 1;
    symbols[i].next = i + 1 == count ? kNone : i + 1;
    if (i + 1 < count) Rate(text, symbols[i + 1], &symbols[i]);
    enqueue(i);
  }
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  const auto rate_and_push = [&](uint32_t i) {
    Symbol& left = symbols[i];
    if (left.next == kNone) {
      left.rank = Merge::kNever;
      return;
    }
    Rate(text, symbols[left.next], &left);
    if (enqueue(i)) std::push_heap(heap.begin(), heap.end(), std::greater<>());
  };
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    const uint64_t top = heap.back();
    heap.pop_back();
    const uint32_t i = static_cast<uint32_t>(top);
    // A symbol that changed since it was queued carries another rank; one
    // that was swallowed carries none.
    if (symbols[i].rank != top >> 32) continue;
    Symbol& left = symbols[i];
    Symbol& right = symbols[left.next];
    left.end = right.end;
    left.id = left.merged;
    left.next = right.next;
    right.rank = Merge::kNever;
    if (left.next != kNone) symbols[left.next].previous = i;
    rate_and_push(i);
    if (left.previous != kNone) rate_and_push(left.previous);
  }
}

template <typename Rules>
void MergeEngine<Rules>::Append(std::string_view text, const Symbol& symbol,
                                std::vector<TokenId>* out) const {
  if (symbol.id >= 0) {
    out->push_back(symbol.id);
  } else {
    AppendBytes(text.substr(symbol.begin, symbol.end - symbol.begin), out);
  }
}

template class MergeEngine<ScoreMerges>;
template class MergeEngine<RankMerges>;

}  // namespace carat
