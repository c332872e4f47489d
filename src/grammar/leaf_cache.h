// Token masks that outlive a single Mask call. A LocalMask says what the text
// tokens do from one state of a rule, whatever the rules to return to:
// `accepted` tokens stay inside the rule (or end exactly with it), and `exits`
// are the remainders of tokens that run past its end, which only the caller's
// position can judge. Shared between sequences and, for rules that call no
// others, between grammars.
#ifndef CARAT_GRAMMAR_LEAF_CACHE_H_
#define CARAT_GRAMMAR_LEAF_CACHE_H_

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "grammar/token_trie.h"

namespace carat {

struct LocalMask {
  std::vector<uint64_t> dense;  // one bit per token, or empty
  std::vector<TokenId> sparse;  // instead of `dense` when few are accepted
  // Remainders, with the tokens they finish; empty when nothing runs past.
  TokenTrie::Nodes exits;
  // Nested calls the accepted tokens need, at most.
  uint32_t reach = 0;
  // Too many remainders to list: nodes of the whole trie where the rule ends.
  std::vector<uint32_t> exit_nodes;

  void AddTo(std::span<uint64_t> mask) const;
  size_t Bytes() const;
};
using LocalMaskPtr = std::shared_ptr<const LocalMask>;

// The masks of one rule. Thread-safe.
class MaskCache {
 public:
  // State inside the rule, and what of the register matters.
  using Key = std::pair<uint32_t, uint64_t>;

  LocalMaskPtr Find(const Key& key) const;
  void Insert(const Key& key, LocalMaskPtr mask);

 private:
  // Beyond this the rule's masks are dropped and built again when needed.
  static constexpr size_t kMaxBytes = size_t{48} << 20;

  mutable std::mutex mutex_;
  std::map<Key, LocalMaskPtr> masks_;
  size_t bytes_ = 0;
};

// MaskCaches by the content of their rule, least recently used dropped first.
// Thread-safe.
class LeafCache {
 public:
  std::shared_ptr<MaskCache> Get(const std::string& content);

 private:
  static constexpr size_t kCapacity = 128;

  std::mutex mutex_;
  std::list<std::pair<std::string, std::shared_ptr<MaskCache>>> entries_;
  std::unordered_map<std::string, decltype(entries_)::iterator> index_;
};

}  // namespace carat

#endif  // CARAT_GRAMMAR_LEAF_CACHE_H_
