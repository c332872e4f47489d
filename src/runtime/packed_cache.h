// A folder of packed weights that outlives the process: one file a model. The
// next load maps the file instead of packing again. Files are written under
// another name and renamed, never changed; whatever does not fit is left alone
// or replaced. Several processes may share the folder.
//
// Threads: any, one call at a time.
#ifndef CARAT_RUNTIME_PACKED_CACHE_H_
#define CARAT_RUNTIME_PACKED_CACHE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/thread_pool.h"
#include "blocks/weight_memory.h"
#include "runtime/packed_file.h"

namespace carat {

class PackedCache {
 public:
  // Makes the folder. `go_on` is asked while files are read and written, maybe
  // from several threads; false ends that with kCancelled. Errors: the folder
  // cannot be made or written to.
  static Result<PackedCache> Open(const std::string& folder,
                                  uint64_t limit_bytes,
                                  std::function<bool()> go_on = {});

  // The weights under `key`, `weights_bytes` of them. Errors: kNotFound; others
  // say what is wrong with the file that is there.
  Result<std::unique_ptr<WeightMemory>> Find(const Sha256Digest& key,
                                             uint64_t weights_bytes,
                                             ThreadPool& pool) const;
  // Writes `weights` for `model`, after removing files that were used longest
  // ago until all are within the limit. Errors: more than the limit; a full
  // disk; whatever the system says. Nothing is left behind then.
  Status Write(const Sha256Digest& key, const std::string& model,
               std::span<const uint8_t> weights, ThreadPool& pool) const;

  std::string PathOf(const Sha256Digest& key) const;

  struct Entry {
    std::string path;
    uint64_t bytes = 0;
    int64_t used_s = 0;  // when, in seconds of the system's clock
    std::string model;   // empty: a file that is not readable by this program
  };
  // What a folder holds, used last first; nothing when there is no folder.
  static std::vector<Entry> List(const std::string& folder);

 private:
  PackedCache(std::string folder, uint64_t limit_bytes,
              std::function<bool()> go_on)
      : folder_(std::move(folder)),
        limit_bytes_(limit_bytes),
        go_on_(std::move(go_on)) {}
  bool GivenUp() const { return go_on_ && !go_on_(); }
  Status WriteTo(const std::string& path, const std::string& header,
                 std::span<const uint8_t> weights) const;
  Status MakeRoom(uint64_t bytes, const std::string& path) const;

  std::string folder_;
  uint64_t limit_bytes_;
  std::function<bool()> go_on_;
};

}  // namespace carat

#endif  // CARAT_RUNTIME_PACKED_CACHE_H_
