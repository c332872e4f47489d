// The prefix index with a disk behind it: what a prompt has in common with
// files is read back where that beats computing it, and finished conversations
// are written. The engine's thread owns it.
#ifndef CARAT_KV_PREFIX_DISK_H_
#define CARAT_KV_PREFIX_DISK_H_

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kv/disk_tier.h"
#include "kv/prefix_index.h"

namespace carat {

class PrefixDisk {
 public:
  PrefixDisk(PagePool* pool, PrefixIndex* index,
             std::unique_ptr<DiskTier> tier);
  ~PrefixDisk() { Stop(); }

  // PrefixIndex::Find with the files in reach. `tokens_per_second`: how fast
  // prompts are read otherwise, 0 when unknown. What was read is in the index
  // afterwards.
  KvSequence Find(std::span<const TokenId> tokens, int64_t limit,
                  double tokens_per_second);

  // Has the system read ahead what Find may want. Any thread.
  void Prefetch(std::span<const TokenId> tokens) const;

  // Has the index's pages of the first `length` tokens written, as far as they
  // are not in files yet.
  void Save(std::span<const TokenId> tokens, int64_t length);

  // Lets go of pages that have been written; to be called now and then.
  void Release();
  // The same once everything has been written.
  void ReleaseAllWritten();
  // Lets go of all pages, whether written or not.
  void ReleaseAll();
  // Finishes writing, for a while, and lets go of all pages.
  void Stop();

  DiskTier::Stats stats() const { return tier_->stats(); }
  int64_t hits() const { return hits_; }
  int64_t tokens() const { return tokens_; }

  // Fewer tokens than this are neither written nor read for themselves.
  static constexpr int64_t kLeastTokens = 4 * kKvTile;

 private:
  using Pages = std::vector<std::vector<KvPage*>>;  // [group][page]
  // Where pages are that memory does not hold.
  struct Source {
    std::shared_ptr<DiskTier::File> file;
    int64_t block = 0;  // in the file
    bool Has(size_t group) const {
      return file != nullptr && file->header().present[file->header().Index(
                                    block, static_cast<int64_t>(group))] != 0;
    }
  };

  // The pages that memory holds, with a reference each.
  Pages Pin(std::span<const TokenId> tokens) const;
  void Unpin(Pages& pages) const;
  std::vector<Source> Locate(std::span<const PrefixKey> keys,
                             const Pages& held) const;
  // Reads what is missing for `length` positions into `pages`. False when the
  // memory did not suffice or a file was damaged.
  bool Load(int64_t length, const std::vector<Source>& sources, Pages& pages);
  bool Pays(int64_t from, int64_t length, const std::vector<Source>& sources,
            const Pages& held, double tokens_per_second) const;
  // First page that is read of a group for `length` positions.
  int64_t FirstPage(size_t group, int64_t length) const;

  PagePool* pool_;
  PrefixIndex* index_;
  std::unique_ptr<DiskTier> tier_;
  int64_t hits_ = 0, tokens_ = 0;
};

}  // namespace carat

#endif  // CARAT_KV_PREFIX_DISK_H_
