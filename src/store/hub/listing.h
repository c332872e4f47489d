// The hub's answer about a repository at one revision: JSON from a stranger.
#ifndef CARAT_STORE_HUB_LISTING_H_
#define CARAT_STORE_HUB_LISTING_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace carat {

struct HubFile {
  std::string path;  // IsSafeHubPath
  uint64_t bytes = 0;
  std::string sha256;    // of large files (LFS); else empty
  std::string git_blob;  // SHA-1 that git gives the file; may be empty
};

struct HubListing {
  std::string commit;          // 40 hexadecimal digits
  std::vector<HubFile> files;  // by path
  // Names that cannot be files here ("../x"), for a message. Hidden files are
  // left out in silence.
  size_t unsafe_names = 0;
};

// Reads the answer to /api/models/REPO/revision/REVISION?blobs=true. Bounded in
// depth, number of files and lengths of names.
Result<HubListing> ReadHubListing(std::string_view json);

}  // namespace carat

#endif  // CARAT_STORE_HUB_LISTING_H_
