#include "store/files.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "base/utf8.h"

namespace carat {
namespace {

constexpr size_t kMaxEntries = 10000;

}  // namespace

std::vector<FileEntry> ListFolder(const std::string& path,
                                  std::vector<std::string>* notes) {
  std::vector<FileEntry> out;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(path.c_str()),
                                                   closedir);
  if (folder == nullptr) {
    if (errno != ENOENT && errno != ENOTDIR) {
      notes->push_back(fmt::format("{} cannot be read: {}.",
                                   QuoteForMessage(path, 200),
                                   std::strerror(errno)));
    }
    return out;
  }
  while (const dirent* item = readdir(folder.get())) {
    FileEntry entry{.name = item->d_name};
    if (entry.name == "." || entry.name == "..") continue;
    if (out.size() == kMaxEntries) {
      notes->push_back(
          fmt::format("{} has more than {} entries; the rest is not read.",
                      QuoteForMessage(path, 200), kMaxEntries));
      break;
    }
    entry.path = path + "/" + entry.name;
    struct stat info;
    if (stat(entry.path.c_str(), &info) != 0) continue;
    entry.is_file = S_ISREG(info.st_mode);
    entry.is_folder = S_ISDIR(info.st_mode);
    entry.bytes = static_cast<uint64_t>(info.st_size);
    entry.modified = info.st_mtime;
    out.push_back(std::move(entry));
  }
  std::sort(out.begin(), out.end(), [](const FileEntry& a, const FileEntry& b) {
    return a.name < b.name;
  });
  return out;
}

bool FolderExists(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

std::string ReadSmallFile(const std::string& path, size_t max_bytes) {
  struct stat info;
  // Checked first: opening a pipe would wait for a writer.
  if (stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return "";
  const std::unique_ptr<FILE, int (*)(FILE*)> file(
      std::fopen(path.c_str(), "rb"), std::fclose);
  if (file == nullptr) return "";
  std::string out(max_bytes + 1, '\0');
  out.resize(std::fread(out.data(), 1, out.size(), file.get()));
  return out.size() > max_bytes ? "" : out;
}

}  // namespace carat
