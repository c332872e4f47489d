// Reads the folder trees of model stores. Nothing is copied or changed; what
// cannot be used is skipped with a note. Folders, links and manifests are
// foreign input: depth, entries and sizes are bounded, digests are checked
// before they become part of a path.
#ifndef CARAT_STORE_SCAN_H_
#define CARAT_STORE_SCAN_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store/roots.h"

namespace carat {

struct FoundModel {
  std::string name;  // what a person types: "gemma3:270m", "org/repo:Q4_0"
  // Shorter or longer spellings that also mean this model.
  std::vector<std::string> aliases;
  std::string path;  // for ModelFile::Open: a GGUF file or a folder
  StoreKind store = StoreKind::kCarat;
  uint64_t bytes = 0;  // on disk, all parts together
  // Of models that carat pulled; else empty.
  std::string repository;
  std::string revision;  // commit
  std::string digest;    // of the content, 64 hexadecimal digits
};

struct ScanResult {
  std::vector<FoundModel> models;  // by name
  std::vector<std::string> notes;  // one sentence for each thing skipped
};

// A root that does not exist gives nothing and no note.
ScanResult ScanRoot(const StoreRoot& root);

}  // namespace carat

#endif  // CARAT_STORE_SCAN_H_
