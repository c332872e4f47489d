// Uploaded files on disk, in a folder of their own: ID.bin holds the bytes and
// ID.json what is known of them, so that files survive a restart. Ids are
// random; no name from a request ever reaches the file system. Thread-safe.
#ifndef CARAT_API_GEMINI_FILE_STORE_H_
#define CARAT_API_GEMINI_FILE_STORE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace carat {

struct StoredFile {
  std::string id;
  std::string caller;  // whose it is; never shown
  std::string display_name;
  std::string mime_type;
  int64_t bytes = 0;
  std::string sha256;  // hexadecimal
  int64_t created_ns = 0;
  int64_t expires_ns = 0;
};

class FileStore {
 public:
  struct Options {
    std::string folder;
    int64_t max_file_bytes = int64_t{2} << 30;
    int64_t max_total_bytes = int64_t{20} << 30;
    int64_t max_open_uploads = 256;
    int64_t keep_s = 48 * 3600;
    int64_t upload_s = 3600;  // an upload that stands still is dropped
  };
  // Makes the folder, reads what is there and removes what is incomplete or
  // too old.
  static Result<std::unique_ptr<FileStore>> Open(const Options& options);
  ~FileStore();

  // `announced`: the file as far as it is known; its size may be 0 when the
  // client did not say. Returns the upload's id, which is a secret.
  Result<std::string> BeginUpload(const StoredFile& announced);
  // Appends at `offset`, which must be what has been received so far.
  Result<int64_t> Append(const std::string& upload, int64_t offset,
                         std::string_view bytes);
  Result<int64_t> Received(const std::string& upload);
  Result<StoredFile> Finish(const std::string& upload);
  void Abandon(const std::string& upload);

  Result<StoredFile> Find(const std::string& caller, const std::string& id);
  // Oldest first.
  std::vector<StoredFile> List(const std::string& caller);
  Status Delete(const std::string& caller, const std::string& id);
  // The bytes; errors when there are more than `most`.
  Result<std::string> Read(const StoredFile& file, int64_t most);

 private:
  struct Upload;
  explicit FileStore(const Options& options);
  void LoadFolder();
  void DropOld();
  Result<std::shared_ptr<Upload>> FindUpload(const std::string& id);
  std::string PathOf(const std::string& id, std::string_view suffix) const;
  void Forget(const std::string& id);

  const Options options_;
  std::mutex mutex_;
  std::map<std::string, StoredFile> files_;
  std::map<std::string, std::shared_ptr<Upload>> uploads_;
  int64_t total_bytes_ = 0;  // of files and of uploads under way
};

}  // namespace carat

#endif  // CARAT_API_GEMINI_FILE_STORE_H_
