#include "kv/kv_sequence.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace carat {

KvSequence::KvSequence(PagePool* pool)
    : pool_(pool),
      pages_(pool->layout().groups.size()),
      first_(pool->layout().groups.size(), 0) {
  tables_.tables.resize(pages_.size());
}

KvSequence::KvSequence(KvSequence&& other) noexcept : KvSequence(other.pool_) {
  *this = std::move(other);
}

KvSequence& KvSequence::operator=(KvSequence&& other) noexcept {
  std::swap(pool_, other.pool_);
  std::swap(length_, other.length_);
  std::swap(tables_, other.tables_);
  std::swap(pages_, other.pages_);
  std::swap(first_, other.first_);
  return *this;
}

int64_t KvSequence::FirstNeeded(const KvGroup& group, int64_t next) {
  if (group.window <= 0) return 0;
  return std::max<int64_t>(0, next + 1 - group.window);
}

void KvSequence::Set(int group, int64_t page, KvPage* value) {
  pages_[group][page] = value;
  tables_.tables[group][page] = value == nullptr ? nullptr : value->data;
}

Status KvSequence::Extend(int64_t count) {
  const KvLayout& layout = pool_->layout();
  const int64_t last = (length_ + count + kKvTile - 1) / kKvTile;
  bool full = false;
  for (size_t g = 0; g < pages_.size() && !full; ++g) {
    const int group = static_cast<int>(g);
    const int64_t needed = FirstNeeded(layout.groups[g], length_) / kKvTile;
    for (; first_[g] < needed; ++first_[g]) {
      if (first_[g] < static_cast<int64_t>(pages_[g].size()) &&
          pages_[g][first_[g]] != nullptr) {
        pool_->Release(pages_[g][first_[g]]);
        Set(group, first_[g], nullptr);
      }
    }
    // The partly filled last page may be shared with a fork.
    const int64_t open = length_ / kKvTile;
    if (length_ % kKvTile != 0 && pages_[g][open]->references > 1 &&
        pages_[g][open]->claimed != length_ % kKvTile) {
      KvPage* copy = pool_->Copy(pages_[g][open]);
      full = copy == nullptr;
      if (full) break;
      pool_->Release(pages_[g][open]);
      Set(group, open, copy);
    }
    while (static_cast<int64_t>(pages_[g].size()) < last) {
      KvPage* page = pool_->Allocate(group);
      full = page == nullptr;
      if (full) break;
      pages_[g].push_back(page);
      tables_.tables[g].push_back(page->data);
    }
  }
  if (!full) {
    for (size_t g = 0; g < pages_.size(); ++g) {
      for (int64_t page = length_ / kKvTile; page < last; ++page) {
        pages_[g][page]->claimed =
            std::min(kKvTile, length_ + count - page * kKvTile);
      }
    }
    return OkStatus();
  }
  Truncate(length_);
  return ResourceExhausted(fmt::format(
      "the KV cache is full: {} MiB are in use of {} MiB; ask for a shorter "
      "context or give the cache more memory",
      pool_->used_bytes() >> 20, pool_->budget_bytes() >> 20));
}

bool KvSequence::CanTruncate(int64_t length) const {
  if (length > length_) return false;
  for (size_t g = 0; g < pages_.size(); ++g) {
    const int64_t needed =
        FirstNeeded(pool_->layout().groups[g], length) / kKvTile;
    if (length > 0 && needed < first_[g]) return false;
  }
  return true;
}

void KvSequence::Truncate(int64_t length) {
  const int64_t keep = (length + kKvTile - 1) / kKvTile;
  for (size_t g = 0; g < pages_.size(); ++g) {
    while (static_cast<int64_t>(pages_[g].size()) > keep) {
      if (pages_[g].back() != nullptr) pool_->Release(pages_[g].back());
      pages_[g].pop_back();
      tables_.tables[g].pop_back();
    }
    if (length == 0) first_[g] = 0;
  }
  length_ = length;
}

KvSequence KvSequence::Fork(int64_t length) const {
  KvSequence fork(pool_);
  const int64_t keep = (length + kKvTile - 1) / kKvTile;
  for (size_t g = 0; g < pages_.size(); ++g) {
    const auto& from = pages_[g];
    fork.pages_[g].assign(from.begin(), from.begin() + keep);
    fork.tables_.tables[g].assign(tables_.tables[g].begin(),
                                  tables_.tables[g].begin() + keep);
    for (KvPage* page : fork.pages_[g]) {
      if (page != nullptr) pool_->Retain(page);
    }
    fork.first_[g] = first_[g];
  }
  fork.length_ = length;
  return fork;
}

KvSequence KvSequence::Over(PagePool* pool, int64_t length,
                            std::vector<std::vector<KvPage*>> pages) {
  KvSequence kv(pool);
  kv.length_ = length;
  kv.pages_ = std::move(pages);
  for (size_t g = 0; g < kv.pages_.size(); ++g) {
    auto& table = kv.tables_.tables[g];
    for (KvPage* page : kv.pages_[g]) {
      if (page != nullptr) pool->Retain(page);
      table.push_back(page == nullptr ? nullptr : page->data);
    }
    const auto held =
        std::find_if(kv.pages_[g].begin(), kv.pages_[g].end(),
                     [](KvPage* page) { return page != nullptr; });
    kv.first_[g] = held - kv.pages_[g].begin();
  }
  return kv;
}

void KvSequence::Clear() { Truncate(0); }

uint64_t KvSequence::GroupBytesFor(const KvGroup& group, int64_t positions,
                                   int64_t step) {
  int64_t held = positions;
  if (group.window > 0) {
    // The window, the step being written, and the borders of pages.
    held = std::min(positions, group.window + step + kKvTile);
  }
  return (held + kKvTile - 1) / kKvTile *
         static_cast<uint64_t>(group.page_bytes);
}

uint64_t KvSequence::BytesFor(const KvLayout& layout, int64_t positions,
                              int64_t step) {
  uint64_t bytes = 0;
  for (const KvGroup& group : layout.groups) {
    bytes += GroupBytesFor(group, positions, step);
  }
  return bytes;
}

}  // namespace carat
