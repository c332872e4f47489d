#include "kv/page_pool.h"

#include <cstring>

namespace carat {
PagePool::PagePool(const KvLayout& layout, uint64_t budget_bytes)
    : layout_(layout),
      budget_bytes_(budget_bytes),
      free_(layout.groups.size()) {}

bool PagePool::MakeRoom(uint64_t bytes) {
  for (size_t g = 0; g < free_.size(); ++g) {
    while (reserved_bytes_ + bytes > budget_bytes_ && !free_[g].empty()) {
      free_[g].pop_back();
      reserved_bytes_ -= layout_.groups[g].page_bytes;
    }
  }
  return reserved_bytes_ + bytes <= budget_bytes_;
}

KvPage* PagePool::Allocate(int group) {
  const uint64_t bytes = layout_.groups[group].page_bytes;
  auto& free = free_[group];
  std::unique_ptr<KvPage> page;
  if (!free.empty()) {
    page = std::move(free.back());
    free.pop_back();
  } else {
    if (!MakeRoom(bytes)) return nullptr;
    page = std::make_unique<KvPage>();
    page->memory = AlignedBuffer(bytes);
    if (page->memory.data() == nullptr) return nullptr;
    page->data = page->memory.data();
    page->group = group;
    reserved_bytes_ += bytes;
  }
  page->references = 1;
  page->claimed = 0;
  used_bytes_ += bytes;
  return page.release();
}

void PagePool::Change(KvPage* page, int references, int cache_references) {
  const uint64_t bytes = layout_.groups[page->group].page_bytes;
  const auto evictable = [&] {
    return page->references > 0 && page->references == page->cache_references;
  };
  if (evictable()) evictable_bytes_ -= bytes;
  page->references += references;
  page->cache_references += cache_references;
  if (evictable()) evictable_bytes_ += bytes;
  if (page->references > 0) return;
  used_bytes_ -= bytes;
  free_[page->group].emplace_back(page);
}

void PagePool::Retain(KvPage* page) { Change(page, 1, 0); }
void PagePool::Release(KvPage* page) { Change(page, -1, 0); }
void PagePool::RetainForCache(KvPage* page) { Change(page, 1, 1); }
void PagePool::ReleaseFromCache(KvPage* page) { Change(page, -1, -1); }

KvPage* PagePool::Copy(const KvPage* page) {
  KvPage* copy = Allocate(page->group);
  if (copy != nullptr) {
    copy->claimed = page->claimed;
    std::memcpy(copy->data, page->data, layout_.groups[page->group].page_bytes);
  }
  return copy;
}

}  // namespace carat
