// Looking into folders without exceptions and without surprises from what is
// in them.
#ifndef CARAT_STORE_FILES_H_
#define CARAT_STORE_FILES_H_

#include <cstdint>
#include <string>
#include <vector>

namespace carat {

struct FileEntry {
  std::string name;  // never "." or ".."
  std::string path;
  bool is_file = false;    // regular, links followed
  bool is_folder = false;  // links followed
  uint64_t bytes = 0;
  int64_t modified = 0;  // seconds, only for comparing
};

// By name. Dangling links are left out; at most 10,000 entries are read. A
// folder that cannot be read gives nothing and a note; one that does not
// exist gives nothing.
std::vector<FileEntry> ListFolder(const std::string& path,
                                  std::vector<std::string>* notes);

bool FolderExists(const std::string& path);

// The regular file's bytes; empty when it cannot be read or is longer than
// `max_bytes`.
std::string ReadSmallFile(const std::string& path, size_t max_bytes);

}  // namespace carat

#endif  // CARAT_STORE_FILES_H_
