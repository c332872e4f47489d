#include "grammar/leaf_cache.h"

namespace carat {

void LocalMask::AddTo(std::span<uint64_t> mask) const {
  for (size_t i = 0; i < dense.size(); ++i) mask[i] |= dense[i];
  for (TokenId token : sparse) mask[token / 64] |= uint64_t{1} << (token % 64);
}

size_t LocalMask::Bytes() const {
  return sizeof(*this) + dense.size() * 8 + sparse.size() * 4 +
         exit_nodes.size() * 4 + exits.nodes.size() * sizeof(TokenTrie::Node) +
         exits.tokens.size() * 4;
}

LocalMaskPtr MaskCache::Find(const Key& key) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto it = masks_.find(key);
  return it == masks_.end() ? nullptr : it->second;
}

void MaskCache::Insert(const Key& key, LocalMaskPtr mask) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (bytes_ > kMaxBytes) {
    masks_.clear();
    bytes_ = 0;
  }
  const size_t bytes = mask->Bytes();
  if (masks_.emplace(key, std::move(mask)).second) bytes_ += bytes;
}

std::shared_ptr<MaskCache> LeafCache::Get(const std::string& content) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto it = index_.find(content);
  if (it != index_.end()) {
    entries_.splice(entries_.begin(), entries_, it->second);
    return it->second->second;
  }
  entries_.emplace_front(content, std::make_shared<MaskCache>());
  index_[content] = entries_.begin();
  if (entries_.size() > kCapacity) {
    index_.erase(entries_.back().first);
    entries_.pop_back();
  }
  return entries_.front().second;
}

}  // namespace carat
