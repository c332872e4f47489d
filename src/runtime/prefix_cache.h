// Caches of earlier prompts and conversations, so that a request that begins
// like one of them starts where they part. Entries share pages with running
// sequences; the least recently used go first. The engine's thread owns it.
#ifndef CARAT_RUNTIME_PREFIX_CACHE_H_
#define CARAT_RUNTIME_PREFIX_CACHE_H_

#include <cstdint>
#include <list>
#include <span>
#include <vector>

#include "kv/kv_sequence.h"
#include "tokenizer/tokenizer.h"

namespace carat {

class PrefixCache {
 public:
  explicit PrefixCache(size_t capacity) : capacity_(capacity) {}

  // A fork of the entry that shares the most with `tokens` and can be cut
  // there, at most tokens.size() - 1 long so that the last token is run.
  // An empty sequence when nothing fits.
  KvSequence Find(std::span<const TokenId> tokens, PagePool* pool);

  // Keeps the cache of `tokens` (the first kv.length() of them count). An entry
  // that is a prefix of it is replaced.
  void Insert(std::span<const TokenId> tokens, KvSequence kv);

  // Drops the least recently used entry; false when there is none.
  bool EvictOne();
  void Clear() { entries_.clear(); }
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::vector<TokenId> tokens;
    KvSequence kv;
  };
  size_t capacity_;
  std::list<Entry> entries_;  // most recently used first
};

}  // namespace carat

#endif  // CARAT_RUNTIME_PREFIX_CACHE_H_
