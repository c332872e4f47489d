#include "kv/prefix_disk.h"

#include <algorithm>
#include <utility>

namespace carat {
namespace {

std::vector<PrefixKey> KeysOf(std::span<const TokenId> tokens) {
  std::vector<PrefixKey> keys;
  PrefixKey key = {};
  const size_t tile = static_cast<size_t>(kKvTile);
  for (size_t at = 0; at + tile <= tokens.size(); at += tile) {
    key = NextKey(key, tokens.subspan(at, tile));
    keys.push_back(key);
  }
  return keys;
}

}  // namespace

PrefixDisk::PrefixDisk(PagePool* pool, PrefixIndex* index,
                       std::unique_ptr<DiskTier> tier)
    : pool_(pool), index_(index), tier_(std::move(tier)) {}

PrefixDisk::Pages PrefixDisk::Pin(std::span<const TokenId> tokens) const {
  Pages pages(pool_->layout().groups.size());
  for (const std::vector<KvPage*>* held : index_->Held(tokens)) {
    for (size_t g = 0; g < pages.size(); ++g) {
      if ((*held)[g] != nullptr) pool_->Retain((*held)[g]);
      pages[g].push_back((*held)[g]);
    }
  }
  const size_t all = tokens.size() / static_cast<size_t>(kKvTile);
  for (auto& group : pages) group.resize(all, nullptr);
  return pages;
}

void PrefixDisk::Unpin(Pages& pages) const {
  for (auto& group : pages) {
    for (KvPage* page : group) {
      if (page != nullptr) pool_->Release(page);
    }
    group.clear();
  }
}

std::vector<PrefixDisk::Source> PrefixDisk::Locate(
    std::span<const PrefixKey> keys, const Pages& held) const {
  constexpr size_t kBlocks = PageFileHeader::kMaxBlocks;
  std::vector<Source> sources(keys.size());
  for (size_t first = 0; first < keys.size(); first += kBlocks) {
    const std::shared_ptr<DiskTier::File> file = tier_->Find(
        first == 0 ? PrefixKey{} : keys[first - 1],
        keys.subspan(first, std::min(kBlocks, keys.size() - first)));
    const size_t found = file == nullptr ? 0 : file->matching();
    for (size_t i = 0; i < found; ++i) {
      sources[first + i] = {file, static_cast<int64_t>(i)};
    }
    // Nothing can follow on a gap of the global groups.
    const size_t last = std::min(first + kBlocks, keys.size()) - 1;
    for (size_t g = 0; g < held.size(); ++g) {
      if (pool_->layout().groups[g].window == 0 && held[g][last] == nullptr &&
          !sources[last].Has(g)) {
        return sources;
      }
    }
  }
  return sources;
}

int64_t PrefixDisk::FirstPage(size_t group, int64_t length) const {
  const int64_t window = pool_->layout().groups[group].window;
  if (window == 0) return 0;
  return std::max<int64_t>(0, length - window - PrefixIndex::kSlack) / kKvTile;
}

bool PrefixDisk::Pays(int64_t from, int64_t length,
                      const std::vector<Source>& sources, const Pages& held,
                      double tokens_per_second) const {
  if (length - from < kLeastTokens) return false;
  double bytes = 0;
  for (size_t g = 0; g < held.size(); ++g) {
    for (int64_t i = FirstPage(g, length); i * kKvTile < length; ++i) {
      const size_t page = static_cast<size_t>(i);
      if (held[g][page] == nullptr && sources[page].Has(g)) {
        bytes += static_cast<double>(pool_->layout().groups[g].page_bytes);
      }
    }
  }
  return bytes / tier_->read_rate() * tokens_per_second <
         static_cast<double>(length - from);
}

bool PrefixDisk::Load(int64_t length, const std::vector<Source>& sources,
                      Pages& pages) {
  for (size_t g = 0; g < pages.size(); ++g) {
    for (int64_t i = FirstPage(g, length); i * kKvTile < length; ++i) {
      const size_t at = static_cast<size_t>(i);
      if (pages[g][at] != nullptr || !sources[at].Has(g)) continue;
      const int group = static_cast<int>(g);
      KvPage* page = pool_->Allocate(group);
      while (page == nullptr && index_->EvictOne()) {
        page = pool_->Allocate(group);
      }
      if (page == nullptr) return false;
      page->claimed = kKvTile;
      pages[g][at] = page;
      if (!tier_->Read(*sources[at].file, sources[at].block, group,
                       page->data)) {
        pool_->Release(page);
        pages[g][at] = nullptr;
        return false;
      }
    }
  }
  return true;
}

KvSequence PrefixDisk::Find(std::span<const TokenId> tokens, int64_t limit,
                            double tokens_per_second) {
  KvSequence best = index_->Find(tokens, limit);
  if (limit - best.length() < kLeastTokens) return best;
  const std::vector<PrefixKey> keys = KeysOf(tokens);
  // A damaged file is gone after the first try, and others may do.
  for (int attempt = 0; attempt < 3; ++attempt) {
    Pages pages = Pin(tokens);
    const std::vector<Source> sources = Locate(keys, pages);
    const int64_t length = LongestUsable(
        pool_->layout(), sources.size(),
        std::min(limit, static_cast<int64_t>(sources.size()) * kKvTile),
        [&](size_t page, size_t group) {
          return pages[group][page] != nullptr || sources[page].Has(group);
        });
    if (!Pays(best.length(), length, sources, pages, tokens_per_second)) {
      Unpin(pages);
      return best;
    }
    if (Load(length, sources, pages)) {
      // Only what the sequence needs: others' windows stay where they are.
      Pages needed(pages.size());
      for (size_t g = 0; g < pages.size(); ++g) {
        for (int64_t i = 0; i * kKvTile < length; ++i) {
          needed[g].push_back(i < FirstPage(g, length)
                                  ? nullptr
                                  : pages[g][static_cast<size_t>(i)]);
        }
      }
      ++hits_;
      tokens_ += length - best.length();
      best = KvSequence::Over(pool_, length, std::move(needed));
      index_->Insert(tokens, best, length);
      Unpin(pages);
      return best;
    }
    Unpin(pages);
  }
  return best;
}

void PrefixDisk::Prefetch(std::span<const TokenId> tokens) const {
  if (static_cast<int64_t>(tokens.size()) < kLeastTokens) return;
  tier_->Prefetch(KeysOf(tokens));
}

void PrefixDisk::Save(std::span<const TokenId> tokens, int64_t length) {
  constexpr size_t kBlocks = PageFileHeader::kMaxBlocks;
  const auto& groups = pool_->layout().groups;
  const auto held = index_->Held(tokens.first(static_cast<size_t>(length)));
  const std::vector<PrefixKey> keys =
      KeysOf(tokens.first(held.size() * static_cast<size_t>(kKvTile)));
  for (size_t first = 0; first < held.size(); first += kBlocks) {
    const size_t count = std::min(kBlocks, held.size() - first);
    if (static_cast<int64_t>(count) * kKvTile < kLeastTokens) return;
    DiskTier::Job job;
    for (const KvGroup& group : groups) {
      job.header.page_bytes.push_back(static_cast<uint64_t>(group.page_bytes));
    }
    for (size_t i = first; i < first + count; ++i) {
      for (KvPage* page : *held[i]) {
        job.pages.push_back(page);
        job.header.present.push_back(page != nullptr ? 1 : 0);
      }
    }
    if (first > 0) job.header.parent = keys[first - 1];
    if (tier_->Has(job.header.parent, std::span(keys).subspan(first, count),
                   job.header.present)) {
      continue;
    }
    job.header.model = tier_->model();
    job.header.first_block = static_cast<int64_t>(first);
    const auto run = tokens.subspan(first * static_cast<size_t>(kKvTile),
                                    count * static_cast<size_t>(kKvTile));
    job.header.tokens.assign(run.begin(), run.end());
    const std::vector<KvPage*> pages = job.pages;
    for (KvPage* page : pages) {
      if (page != nullptr) pool_->Retain(page);
    }
    if (tier_->Write(std::move(job))) continue;
    for (KvPage* page : pages) {
      if (page != nullptr) pool_->Release(page);
    }
    return;
  }
}

void PrefixDisk::Release() {
  for (const DiskTier::Job& job : tier_->TakeWritten()) {
    for (KvPage* page : job.pages) {
      if (page != nullptr) pool_->Release(page);
    }
  }
}

void PrefixDisk::ReleaseAllWritten() {
  tier_->Drain(60);
  Release();
}

void PrefixDisk::ReleaseAll() {
  tier_->CancelPending();
  tier_->Drain(60);  // what is being written cannot be called back
  Release();
}

void PrefixDisk::Stop() {
  constexpr double kSeconds = 10;
  tier_->Stop(kSeconds);
  Release();
}

}  // namespace carat
