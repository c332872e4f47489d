#include "runtime/prefix_cache.h"

#include <algorithm>

namespace carat {
namespace {

int64_t CommonPrefix(std::span<const TokenId> a, std::span<const TokenId> b) {
  const size_t n = std::min(a.size(), b.size());
  size_t i = 0;
  while (i < n && a[i] == b[i]) ++i;
  return static_cast<int64_t>(i);
}

}  // namespace

KvSequence PrefixCache::Find(std::span<const TokenId> tokens, PagePool* pool) {
  auto best = entries_.end();
  int64_t best_length = 0;
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    const int64_t length =
        std::min<int64_t>(CommonPrefix(it->tokens, tokens),
                          static_cast<int64_t>(tokens.size()) - 1);
    if (length > best_length && it->kv.CanTruncate(length)) {
      best = it;
      best_length = length;
    }
  }
  if (best == entries_.end()) return KvSequence(pool);
  entries_.splice(entries_.begin(), entries_, best);
  return best->kv.Fork(best_length);
}

void PrefixCache::Insert(std::span<const TokenId> tokens, KvSequence kv) {
  if (capacity_ == 0 || kv.length() == 0) return;
  const auto held = tokens.first(static_cast<size_t>(kv.length()));
  // An older entry that this one contains adds nothing, unless it still holds
  // window pages that this one has dropped.
  std::erase_if(entries_, [&](const Entry& e) {
    return CommonPrefix(e.tokens, held) ==
               static_cast<int64_t>(e.tokens.size()) &&
           kv.CanTruncate(static_cast<int64_t>(e.tokens.size()));
  });
  entries_.push_front({{held.begin(), held.end()}, std::move(kv)});
  while (entries_.size() > capacity_) entries_.pop_back();
}

bool PrefixCache::EvictOne() {
  if (entries_.empty()) return false;
  entries_.pop_back();
  return true;
}

}  // namespace carat
