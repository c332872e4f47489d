// One file from a hub to its place: resumed where an earlier attempt ended,
// checked against the digest that the hub gave, and only then given its name.
#ifndef CARAT_STORE_HUB_DOWNLOAD_FILE_H_
#define CARAT_STORE_HUB_DOWNLOAD_FILE_H_

#include <functional>
#include <string>

#include "base/status.h"
#include "store/http_fetcher.h"
#include "store/hub/listing.h"
#include "store/hub/retry.h"

namespace carat {

struct Download {
  std::string url;
  HubFile file;         // size and digests
  std::string path;     // where it belongs; its folder exists
  std::string partial;  // where it grows, on the same file system
  std::string bearer;
};

struct DownloadHooks {
  HttpFetcher* fetcher = nullptr;
  RetryOptions retry;
  // Bytes so far; false ends the download, what has come is kept.
  std::function<bool(uint64_t done_bytes)> progress;
  // What an answer that is no content means to the caller.
  std::function<Status(const FetchHead& head)> explain;
  // A sentence about why nothing comes at the moment.
  std::function<void(const std::string& line)> note;
};

// Gives the file's SHA-256. Processes that download the same partial file wait
// for each other. Errors: kMalformed when the bytes have another digest or
// length than the hub said.
Result<std::string> DownloadFile(const Download& download,
                                 const DownloadHooks& hooks);

// SHA-256 of the file at `path` if it has the size and the digest of `file`;
// empty if it differs or is not there.
std::string DigestIfComplete(const std::string& path, const HubFile& file,
                             const std::function<bool(uint64_t)>& progress);

}  // namespace carat

#endif  // CARAT_STORE_HUB_DOWNLOAD_FILE_H_
