// Owns the memory of KV pages, one free list per layer group, within a byte
// budget. Pages are reference-counted so that sequences can share what they
// have in common. Not thread-safe: the engine's thread owns it.
#ifndef CARAT_KV_PAGE_POOL_H_
#define CARAT_KV_PAGE_POOL_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "blocks/kv_layout.h"
#include "tensor/aligned_buffer.h"

namespace carat {

// One page: kKvTile positions of every layer of a group.
struct KvPage {
  AlignedBuffer memory;
  uint8_t* data = nullptr;
  int group = 0;
  int references = 0;
  int cache_references = 0;  // of references: held by the prefix index
  // Positions that some sequence has claimed for writing. One that continues
  // right there needs no copy of a shared page: nobody reads what it writes.
  int64_t claimed = 0;
};

class PagePool {
 public:
  // `budget_bytes`: most memory that pages may take together.
  PagePool(const KvLayout& layout, uint64_t budget_bytes);
  // Precondition of the end: every page has been released.
  ~PagePool() = default;
  PagePool(const PagePool&) = delete;
  PagePool& operator=(const PagePool&) = delete;

  // A zeroed or recycled page with one reference; null when the budget is
  // spent. Its bytes are finite numbers.
  KvPage* Allocate(int group);
  void Retain(KvPage* page);
  // Gives one reference back; the last one frees the page for reuse.
  void Release(KvPage* page);
  // The same for references of a cache, which can be taken back.
  void RetainForCache(KvPage* page);
  void ReleaseFromCache(KvPage* page);
  // A page with the same bytes, or null when the budget is spent.
  KvPage* Copy(const KvPage* page);

  const KvLayout& layout() const { return layout_; }
  uint64_t budget_bytes() const { return budget_bytes_; }
  uint64_t used_bytes() const { return used_bytes_; }          // referenced
  uint64_t reserved_bytes() const { return reserved_bytes_; }  // ever taken
  // Of used_bytes: pages that only a cache holds.
  uint64_t evictable_bytes() const { return evictable_bytes_; }
  // What running sequences hold.
  uint64_t pinned_bytes() const { return used_bytes_ - evictable_bytes_; }

 private:
  const KvLayout& layout_;
  uint64_t budget_bytes_;
  uint64_t used_bytes_ = 0;
  uint64_t reserved_bytes_ = 0;
  uint64_t evictable_bytes_ = 0;
  // Adds `references` and `cache_references` and keeps the totals right.
  void Change(KvPage* page, int references, int cache_references);
  // Gives memory of unused pages back until `bytes` more fit the budget.
  bool MakeRoom(uint64_t bytes);

  std::vector<std::vector<std::unique_ptr<KvPage>>> free_;  // [group]
};

}  // namespace carat

#endif  // CARAT_KV_PAGE_POOL_H_
