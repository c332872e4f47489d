// What broken-off downloads and imports left in a models folder, below
// ROOT/hub/.partial: files named by their digest, each with its ".etag", and
// folders of imports. The next pull of the same file goes on with it; who never
// asks again gets the room back here.
//
// Safe beside processes that download: they hold a lock on their file.
#ifndef CARAT_STORE_HUB_UNFINISHED_H_
#define CARAT_STORE_HUB_UNFINISHED_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace carat {

struct Unfinished {
  std::string path;
  uint64_t bytes = 0;
  int64_t touched_s = 0;  // Unix time of the last write
};

// Deleted by the next pull when nobody went on with it for so long.
inline constexpr int64_t kUnfinishedSeconds = 7 * 86400;

// By path; nothing without such a folder.
std::vector<Unfinished> ListUnfinished(const std::string& models_folder);

// Deletes what nobody has written to for `age_s` and no process works on, but
// not the paths in `keep`. Returns what went.
std::vector<Unfinished> DropUnfinished(const std::string& models_folder,
                                       int64_t age_s,
                                       const std::set<std::string>& keep = {});

}  // namespace carat

#endif  // CARAT_STORE_HUB_UNFINISHED_H_
