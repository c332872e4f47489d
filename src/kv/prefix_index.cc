#include "kv/prefix_index.h"

#include <algorithm>
#include <utility>

namespace carat {
namespace {

int64_t CommonLength(std::span<const TokenId> a, std::span<const TokenId> b) {
  const size_t n = std::min(a.size(), b.size());
  return std::mismatch(a.begin(), a.begin() + static_cast<ptrdiff_t>(n),
                       b.begin())
             .first -
         a.begin();
}

std::span<const TokenId> Block(std::span<const TokenId> tokens, int64_t at) {
  const size_t first = static_cast<size_t>(at);
  return tokens.subspan(first, std::min<size_t>(static_cast<size_t>(kKvTile),
                                                tokens.size() - first));
}

}  // namespace

PrefixIndex::PrefixIndex(PagePool* pool) : pool_(pool) {}

PrefixIndex::Path PrefixIndex::Walk(std::span<const TokenId> tokens) const {
  Path path;
  const Node* at = &root_;
  while (path.length < static_cast<int64_t>(tokens.size())) {
    const auto block = Block(tokens, path.length);
    const auto next = at->children.lower_bound(block);
    // In lexicographic order what shares most with the block is beside it.
    Node* best = nullptr;
    int64_t common = 0;
    for (int side = 0; side < 2; ++side) {
      if (side == 0 ? next == at->children.end()
                    : next == at->children.begin()) {
        continue;
      }
      const auto it = side == 0 ? next : std::prev(next);
      const int64_t length = CommonLength(it->first, block);
      if (length > common) {
        common = length;
        best = it->second.get();
      }
    }
    if (best == nullptr) break;
    path.nodes.push_back(best);
    path.length += common;
    if (common < kKvTile) break;
    at = best;
  }
  return path;
}

int64_t LongestUsable(const KvLayout& layout, size_t pages, int64_t limit,
                      const std::function<bool(size_t, size_t)>& has) {
  std::vector<int64_t> run(layout.groups.size(), 0);  // first held in a row
  int64_t best = 0;
  for (size_t i = 0; i < pages; ++i) {
    const int64_t page = static_cast<int64_t>(i);
    const int64_t end = std::min((page + 1) * kKvTile, limit);
    bool usable = end > page * kKvTile;
    for (size_t g = 0; g < layout.groups.size(); ++g) {
      const KvGroup& group = layout.groups[g];
      if (!has(i, g)) {
        if (group.window == 0) return best;
        run[g] = page + 1;
      }
      usable =
          usable && KvSequence::FirstNeeded(group, end) / kKvTile >= run[g];
    }
    if (usable) best = end;
  }
  return best;
}

std::vector<const std::vector<KvPage*>*> PrefixIndex::Held(
    std::span<const TokenId> tokens) const {
  std::vector<const std::vector<KvPage*>*> out;
  const Path path = Walk(tokens);
  const size_t full = static_cast<size_t>(path.length / kKvTile);
  for (size_t i = 0; i < full; ++i) {
    for (size_t g = 0; g < path.nodes[i]->pages.size(); ++g) {
      if (!sliding(g) && path.nodes[i]->pages[g] == nullptr) return out;
    }
    out.push_back(&path.nodes[i]->pages);
  }
  return out;
}

KvSequence PrefixIndex::Take(const Path& path, int64_t length) const {
  const auto& groups = pool_->layout().groups;
  const int64_t count = (length + kKvTile - 1) / kKvTile;
  std::vector<std::vector<KvPage*>> pages(groups.size());
  for (size_t g = 0; g < groups.size(); ++g) {
    const int64_t first = KvSequence::FirstNeeded(groups[g], length) / kKvTile;
    for (int64_t i = 0; i < count; ++i) {
      pages[g].push_back(
          i < first ? nullptr : path.nodes[static_cast<size_t>(i)]->pages[g]);
    }
  }
  return KvSequence::Over(pool_, length, std::move(pages));
}

KvSequence PrefixIndex::Find(std::span<const TokenId> tokens, int64_t limit) {
  const Path path = Walk(tokens);
  const int64_t length = LongestUsable(
      pool_->layout(), path.nodes.size(), std::min(limit, path.length),
      [&](size_t page, size_t group) {
        return path.nodes[page]->pages[group] != nullptr;
      });
  if (length == 0) return KvSequence(pool_);
  ++tick_;
  const int64_t count = (length + kKvTile - 1) / kKvTile;
  int64_t first = count;
  for (const KvGroup& group : pool_->layout().groups) {
    if (group.window == 0) continue;
    first = std::min(first, KvSequence::FirstNeeded(group, length) / kKvTile);
  }
  // From the end, so that parents come to stand before their children.
  for (int64_t i = count - 1; i >= 0; --i) {
    Touch(*path.nodes[static_cast<size_t>(i)]);
    if (i >= first) TouchWindow(*path.nodes[static_cast<size_t>(i)]);
  }
  return Take(path, length);
}

PrefixIndex::Node* PrefixIndex::Child(Node& parent,
                                      std::span<const TokenId> tokens) {
  const auto found = parent.children.find(tokens);
  if (found != parent.children.end()) return found->second.get();
  const auto at =
      parent.children
          .emplace(std::vector<TokenId>(tokens.begin(), tokens.end()),
                   std::make_unique<Node>())
          .first;
  Node* node = at->second.get();
  node->parent = &parent;
  node->self = at;
  node->pages.assign(pool_->layout().groups.size(), nullptr);
  node->order = order_.insert(order_.end(), node);
  return node;
}

void PrefixIndex::Hold(Node& node, size_t group, KvPage* page) {
  if (node.pages[group] != nullptr || page == nullptr) return;
  pool_->RetainForCache(page);
  node.pages[group] = page;
  if (sliding(group) && !node.window_order) {
    node.window_order = window_order_.insert(window_order_.end(), &node);
  }
}

void PrefixIndex::DropShorter(Node& parent, const Node& node) {
  const std::span<const TokenId> tokens = node.self->first;
  for (size_t n = 1; n < tokens.size(); ++n) {
    const auto loose = parent.children.find(tokens.first(n));
    if (loose != parent.children.end()) Remove(*loose->second);
  }
}

void PrefixIndex::Insert(std::span<const TokenId> tokens, const KvSequence& kv,
                         int64_t boundary) {
  const auto& groups = pool_->layout().groups;
  ++tick_;
  std::vector<Node*> path;
  Node* at = &root_;
  for (int64_t done = 0; done < boundary; done += kKvTile) {
    const size_t page = path.size();
    const auto block = Block(tokens.first(static_cast<size_t>(boundary)), done);
    Node* node = Child(*at, block);
    for (size_t g = 0; g < groups.size(); ++g) {
      const int64_t from =
          std::max<int64_t>(0, boundary - groups[g].window - kSlack);
      if (!sliding(g) || static_cast<int64_t>(page) >= from / kKvTile) {
        Hold(*node, g, kv.pages()[g][page]);
        if (sliding(g)) node->window_used = tick_;
      }
    }
    DropShorter(*at, *node);
    path.push_back(node);
    at = node;
  }
  for (auto node = path.rbegin(); node != path.rend(); ++node) {
    Touch(**node);
    if ((*node)->window_used == tick_) TouchWindow(**node);
  }
}

void PrefixIndex::Touch(Node& node) {
  node.used = tick_;
  order_.splice(order_.begin(), order_, node.order);
}

void PrefixIndex::TouchWindow(Node& node) {
  if (!node.window_order) return;
  node.window_used = tick_;
  window_order_.splice(window_order_.begin(), window_order_,
                       *node.window_order);
}

bool PrefixIndex::Freeable(const Node& node, bool windows_only) const {
  bool empty = true;
  for (size_t g = 0; g < node.pages.size(); ++g) {
    const KvPage* page = node.pages[g];
    if (page == nullptr || (windows_only && !sliding(g))) continue;
    if (page->references == page->cache_references) return true;
    empty = false;
  }
  return empty;  // and of no use
}

void PrefixIndex::DropWindow(Node& node) {
  for (size_t g = 0; g < node.pages.size(); ++g) {
    if (!sliding(g) || node.pages[g] == nullptr) continue;
    pool_->ReleaseFromCache(node.pages[g]);
    node.pages[g] = nullptr;
  }
  if (node.window_order) window_order_.erase(*node.window_order);
  node.window_order.reset();
}

void PrefixIndex::Remove(Node& node) {
  DropWindow(node);
  for (KvPage* page : node.pages) {
    if (page != nullptr) pool_->ReleaseFromCache(page);
  }
  order_.erase(node.order);
  node.parent->children.erase(node.self);  // ends its life
}

bool PrefixIndex::EvictOne() {
  // Pages that running sequences share would free nothing: pass them by.
  const auto window =
      std::find_if(window_order_.rbegin(), window_order_.rend(),
                   [&](const Node* node) { return Freeable(*node, true); });
  const auto leaf =
      std::find_if(order_.rbegin(), order_.rend(), [&](const Node* node) {
        return node->children.empty() && Freeable(*node, false);
      });
  if (window == window_order_.rend() && leaf == order_.rend()) return false;
  ++evictions_;
  if (leaf == order_.rend() || (window != window_order_.rend() &&
                                (*window)->window_used < (*leaf)->used)) {
    DropWindow(**window);
  } else {
    Remove(**leaf);
  }
  return true;
}

void PrefixIndex::Clear() {
  // Children stand behind their parents.
  while (!order_.empty()) Remove(*order_.back());
}

}  // namespace carat
