// What is known of earlier prompts and conversations: a tree whose nodes are
// pages of tokens with their keys and values. A request that begins like one of
// them starts where they part, with the bits a cold run would have computed.
//
// A sequence can be taken up at a position when the pages of all global groups
// up to there are held and the sliding groups' pages of the window before it.
// Global pages are kept for every position; windows only before positions that
// Insert is told of (ends of prompts and turns, every so many tokens).
//
// Pages are shared with running sequences and count as evictable when only the
// index holds them. Least recently used go first: a node when nothing hangs on
// it, a node's sliding pages whenever no lookup has used them for longer.
//
// Not thread-safe: the engine's thread owns it.
#ifndef CARAT_KV_PREFIX_INDEX_H_
#define CARAT_KV_PREFIX_INDEX_H_

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "kv/kv_sequence.h"
#include "tokenizer/tokenizer.h"

namespace carat {

// The longest length, at most `limit`, at which a sequence over `pages` pages
// can be taken up when `has(page, group)` says which are at hand.
int64_t LongestUsable(const KvLayout& layout, size_t pages, int64_t limit,
                      const std::function<bool(size_t, size_t)>& has);

class PrefixIndex {
 public:
  explicit PrefixIndex(PagePool* pool);
  ~PrefixIndex() { Clear(); }
  PrefixIndex(const PrefixIndex&) = delete;
  PrefixIndex& operator=(const PrefixIndex&) = delete;

  // The longest sequence of at most `limit` positions that begins like
  // `tokens`; empty when nothing fits.
  KvSequence Find(std::span<const TokenId> tokens, int64_t limit);

  // Keeps `kv` so that it can be taken up at `boundary` and some positions
  // before it; at its last page's begin once the conversation has gone on.
  // `tokens`: at least the first `boundary` of kv's. Pages whose window `kv`
  // has dropped already are left out.
  void Insert(std::span<const TokenId> tokens, const KvSequence& kv,
              int64_t boundary);

  // The pages, [group], of each full page of `tokens` that is known, up to the
  // first that lacks a global group's. Valid until the index changes.
  std::vector<const std::vector<KvPage*>*> Held(
      std::span<const TokenId> tokens) const;

  // Gives up the least recently used pages that nobody else holds; false when
  // there are none.
  bool EvictOne();
  void Clear();

  size_t nodes() const { return order_.size(); }
  int64_t evictions() const { return evictions_; }

  // Positions before a boundary at which it can be taken up too, so that a
  // different turn header or a repeated last token does not miss it.
  static constexpr int64_t kSlack = kKvTile;

 private:
  struct Node;
  struct Less {
    using is_transparent = void;
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return std::lexicographical_compare(a.begin(), a.end(), b.begin(),
                                          b.end());
    }
  };
  using Children = std::map<std::vector<TokenId>, std::unique_ptr<Node>, Less>;
  using Order = std::list<Node*>;
  struct Node {
    Node* parent = nullptr;
    Children::iterator self;     // in parent->children; key: its tokens,
                                 // kKvTile or, at a loose end, fewer
    std::vector<KvPage*> pages;  // [group], null where not held
    Children children;
    uint64_t used = 0, window_used = 0;  // when, in ticks
    Order::iterator order;
    std::optional<Order::iterator> window_order;  // while it holds any window
  };
  // Nodes that spell the beginning of some tokens.
  struct Path {
    std::vector<Node*> nodes;
    int64_t length = 0;  // tokens in common; the last node may be cut short
  };

  Path Walk(std::span<const TokenId> tokens) const;
  KvSequence Take(const Path& path, int64_t length) const;
  Node* Child(Node& parent, std::span<const TokenId> tokens);
  void Hold(Node& node, size_t group, KvPage* page);
  // Loose ends that `node` contains add at most a part of a page.
  void DropShorter(Node& parent, const Node& node);
  void Touch(Node& node);
  void TouchWindow(Node& node);
  bool sliding(size_t group) const {
    return pool_->layout().groups[group].window > 0;
  }
  bool Freeable(const Node& node, bool windows_only) const;
  void DropWindow(Node& node);
  void Remove(Node& node);

  PagePool* pool_;
  Node root_;
  Order order_;         // most recently used first, parents before children
  Order window_order_;  // nodes with sliding pages, the same
  uint64_t tick_ = 0;
  int64_t evictions_ = 0;
};

}  // namespace carat

#endif  // CARAT_KV_PREFIX_INDEX_H_
