#include "store/hub/unfinished.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace carat {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTag = ".etag";
// Imports lock nothing: one that was written to so recently may be under way.
constexpr int64_t kImportSeconds = 3600;

bool IsFolder(const struct stat& info) { return S_ISDIR(info.st_mode); }

// Adds the file or folder at `path`, without following links.
void Measure(const std::string& path, Unfinished* out) {
  struct stat info = {};
  if (lstat(path.c_str(), &info) != 0) return;
  out->touched_s = std::max<int64_t>(out->touched_s, info.st_mtim.tv_sec);
  if (S_ISREG(info.st_mode)) out->bytes += static_cast<uint64_t>(info.st_size);
  if (!IsFolder(info)) return;
  std::error_code error;
  for (fs::directory_iterator it(path, error), end; !error && it != end;
       it.increment(error)) {
    Measure(it->path().string(), out);
  }
}

// False when a process works on it.
bool DropFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return false;
  struct stat mine = {};
  struct stat there = {};
  // Who had the lock before may have given the file its name in the meantime.
  const bool free = flock(fd, LOCK_EX | LOCK_NB) == 0 &&
                    fstat(fd, &mine) == 0 && lstat(path.c_str(), &there) == 0 &&
                    mine.st_ino == there.st_ino && mine.st_dev == there.st_dev;
  const bool gone = free && unlink(path.c_str()) == 0;
  if (gone) unlink((path + std::string(kTag)).c_str());
  close(fd);
  return gone;
}

bool Drop(const Unfinished& entry, int64_t now_s) {
  struct stat info = {};
  if (lstat(entry.path.c_str(), &info) != 0) return false;
  if (!IsFolder(info)) return DropFile(entry.path);
  if (now_s - entry.touched_s < kImportSeconds) return false;
  std::error_code error;
  fs::remove_all(entry.path, error);
  return !error;
}

}  // namespace

std::vector<Unfinished> ListUnfinished(const std::string& models_folder) {
  std::vector<Unfinished> out;
  std::error_code error;
  for (fs::directory_iterator it(models_folder + "/hub/.partial", error), end;
       !error && it != end; it.increment(error)) {
    Unfinished entry = {.path = it->path().string()};
    if (std::string_view(entry.path).ends_with(kTag)) continue;
    Measure(entry.path, &entry);
    out.push_back(std::move(entry));
  }
  std::sort(out.begin(), out.end(),
            [](const Unfinished& a, const auto& b) { return a.path < b.path; });
  return out;
}

std::vector<Unfinished> DropUnfinished(const std::string& models_folder,
                                       int64_t age_s,
                                       const std::set<std::string>& keep) {
  const int64_t now_s = static_cast<int64_t>(std::time(nullptr));
  std::vector<Unfinished> out;
  for (Unfinished& entry : ListUnfinished(models_folder)) {
    if (now_s - entry.touched_s < age_s || keep.contains(entry.path)) continue;
    if (Drop(entry, now_s)) out.push_back(std::move(entry));
  }
  return out;
}

}  // namespace carat
