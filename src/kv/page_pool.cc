#include "kv/page_pool.h"

#include <algorithm>
#include <cstring>

namespace carat {
namespace {
// Pages are cut from slabs of about this size, so that a long context costs few
// system calls and a short one little memory.
constexpr int64_t kSlabBytes = int64_t{4} << 20;
}  // namespace

PagePool::PagePool(const KvLayout& layout, uint64_t budget_bytes)
    : layout_(layout),
      budget_bytes_(budget_bytes),
      free_(layout.groups.size()) {}

KvPage* PagePool::Allocate(int group) {
  const uint64_t bytes = layout_.groups[group].page_bytes;
  std::vector<KvPage*>& free = free_[group];
  if (free.empty()) {
    if (reserved_bytes_ + bytes > budget_bytes_) return nullptr;
    const uint64_t fit = (budget_bytes_ - reserved_bytes_) / bytes;
    const uint64_t want = std::max<uint64_t>(1, kSlabBytes / bytes);
    // Small at first: a short conversation should not reserve a whole slab.
    const uint64_t grow =
        std::max<uint64_t>(1, reserved_bytes_ / bytes / 4 + 1);
    const uint64_t count = std::min({fit, want, grow});
    AlignedBuffer slab(count * bytes);
    if (slab.data() == nullptr) return nullptr;
    for (uint64_t i = 0; i < count; ++i) {
      pages_.push_back(std::make_unique<KvPage>(
          KvPage{.data = slab.data() + i * bytes, .group = group}));
      free.push_back(pages_.back().get());
    }
    slabs_.push_back(std::move(slab));
    reserved_bytes_ += count * bytes;
  }
  KvPage* page = free.back();
  free.pop_back();
  page->references = 1;
  used_bytes_ += bytes;
  return page;
}

void PagePool::Release(KvPage* page) {
  if (--page->references > 0) return;
  used_bytes_ -= layout_.groups[page->group].page_bytes;
  free_[page->group].push_back(page);
}

KvPage* PagePool::Copy(const KvPage* page) {
  KvPage* copy = Allocate(page->group);
  if (copy != nullptr) {
    std::memcpy(copy->data, page->data,
                layout_.groups[page->group].page_bytes);
  }
  return copy;
}

}  // namespace carat
