// How far a download is, for people and protocols.
#ifndef CARAT_STORE_HUB_PULL_PROGRESS_H_
#define CARAT_STORE_HUB_PULL_PROGRESS_H_

#include <cstdint>
#include <functional>
#include <string>

namespace carat {

struct PullProgress {
  // "pulling manifest", "pulling", "verifying sha256 digest", "writing
  // manifest", or a sentence about waiting.
  std::string status;
  std::string file;    // under way; may be empty
  std::string digest;  // its SHA-256 in hexadecimal; may be empty
  uint64_t total_bytes = 0;
  uint64_t done_bytes = 0;
};

// Returns false to stop.
using PullListener = std::function<bool(const PullProgress&)>;

}  // namespace carat

#endif  // CARAT_STORE_HUB_PULL_PROGRESS_H_
