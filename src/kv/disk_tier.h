// A folder of cached pages that outlives the memory and the process: one folder
// a model, one file for each run of up to PageFileHeader::kMaxBlocks pages that
// begins at a multiple of as many. Files are written under another name and
// renamed, never changed, and removed when damaged or when the folder is over
// its limit, those unused for longest first. Several processes may share it.
//
// Threads: one engine thread calls it, unless said otherwise; a thread of its
// own writes.
#ifndef CARAT_KV_DISK_TIER_H_
#define CARAT_KV_DISK_TIER_H_

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/status.h"
#include "kv/page_file.h"
#include "kv/page_pool.h"

namespace carat {

class DiskTier {
 public:
  struct Options {
    std::string folder;
    uint64_t limit_bytes = 0;
    Sha256Digest model{};
    // Pages that wait for the disk hold memory: at most so much.
    uint64_t pending_bytes = uint64_t{64} << 20;
  };
  struct Stats {
    int64_t reads = 0, writes = 0;  // pages
    int64_t errors = 0;             // failed writes, damaged files
    uint64_t bytes = 0;             // in the folder, at the last look
  };

  // Makes the folder. Errors: it cannot be made or written to.
  static Result<std::unique_ptr<DiskTier>> Open(const KvLayout& layout,
                                                const Options& options);
  ~DiskTier() { Stop(0); }
  DiskTier(const DiskTier&) = delete;
  DiskTier& operator=(const DiskTier&) = delete;

  // A file that begins behind `parent` with the most of the pages that `keys`
  // names, open for reading.
  class File {
   public:
    ~File();
    const PageFileHeader& header() const { return header_; }
    int64_t matching() const { return matching_; }  // pages

   private:
    friend class DiskTier;
    std::string path_;
    int fd_ = -1;
    PageFileHeader header_;
    int64_t matching_ = 0;
  };
  std::unique_ptr<File> Find(const PrefixKey& parent,
                             std::span<const PrefixKey> keys);
  // Has the system read ahead the files that Find would give for a whole
  // prompt's keys. Any thread.
  void Prefetch(std::span<const PrefixKey> keys) const;
  // Reads one page that is present. False when it is damaged: the file is gone
  // then.
  bool Read(const File& file, int64_t block, int64_t group, uint8_t* page);
  // Bytes a second that reading has brought.
  double read_rate() const { return read_rate_; }

  // A file to be. The pages must stay as they are until Written hands the job
  // back. False when too much waits already or writing is suspended.
  struct Job {
    PageFileHeader header;       // without checksums
    std::vector<KvPage*> pages;  // like header.present, null where absent
  };
  bool Write(Job job);
  // Whether a file holds exactly these pages; it counts as used now.
  bool Has(const PrefixKey& parent, std::span<const PrefixKey> keys,
           std::span<const uint8_t> present);
  // Jobs that are done with.
  std::vector<Job> TakeWritten();
  // Gives up what has not been begun; it comes back from TakeWritten.
  void CancelPending();
  // Waits until nothing is left to write, at most `seconds`.
  void Drain(double seconds);
  // Drains, gives up the rest and ends the writer. Nothing is written later.
  void Stop(double seconds);

  const Sha256Digest& model() const { return options_.model; }

  Stats stats() const;

 private:
  struct Entry {
    std::string name;
    std::vector<PrefixKey> keys;
    std::vector<uint8_t> present;
  };

  DiskTier(const KvLayout& layout, const Options& options);
  std::string PathOf(const std::string& name) const {
    return model_folder_ + "/" + name;
  }
  // The path of the file with the most of `keys` behind `parent`, and how many.
  std::pair<std::string, int64_t> BestFile(
      const PrefixKey& parent, std::span<const PrefixKey> keys) const;
  Result<PageFileHeader> ReadHeader(int fd) const;
  // Reads the names that other processes and earlier ones have left.
  void Rescan();
  void Add(const std::string& name, const PageFileHeader& header);
  void Forget(const std::string& name);
  void Damaged(const std::string& path, const std::string& why);
  void WriterLoop();
  Status WriteFile(Job& job);
  void DropContained(const PageFileHeader& header, const std::string& name);
  void KeepToLimit();

  const KvLayout& layout_;
  const Options options_;
  std::string model_folder_;
  double read_rate_ = 500e6;  // until measured; the engine's thread only

  mutable std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::multimap<PrefixKey, Entry> files_;  // by parent; guarded by mutex_
  int64_t folder_time_ns_ = -1;            // guarded by mutex_
  std::deque<Job> pending_;                // guarded by mutex_
  std::vector<Job> written_;               // guarded by mutex_
  uint64_t pending_bytes_ = 0;             // guarded by mutex_
  bool writing_ = false;                   // guarded by mutex_
  int64_t suspended_until_ns_ = 0;         // guarded by mutex_
  Stats stats_;                            // guarded by mutex_
  bool stop_ = false;                      // guarded by mutex_
  std::thread thread_;
};

}  // namespace carat

#endif  // CARAT_KV_DISK_TIER_H_
