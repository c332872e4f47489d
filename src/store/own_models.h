// Changes to carat's own models folder: second names, deleting, uploaded
// files. No name from a request leaves the folder; files of other programs are
// linked to and never changed. Thread-safe as far as the file system is.
#ifndef CARAT_STORE_OWN_MODELS_H_
#define CARAT_STORE_OWN_MODELS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace carat {

class OwnModels {
 public:
  // `path` is made when something is put into it.
  explicit OwnModels(std::string path) : path_(std::move(path)) {}

  // A second name for the model at `source`: a record for pulled models, a
  // link for others.
  Status Link(const std::string& source, const std::string& name) const;
  // Deletes the model at `path`, which must lie in this folder, with all its
  // parts. Of files that several pulled models share `name` tells which is
  // meant, and only what no other needs goes.
  Status Remove(const std::string& name, const std::string& path) const;
  // `digest`: 64 hexadecimal digits.
  bool HasBlob(std::string_view digest) const;
  Status PutBlob(std::string_view digest, std::string_view bytes) const;
  // Names an uploaded file, if it is a model.
  Status NameBlob(std::string_view digest, const std::string& name) const;

 private:
  std::string BlobPath(std::string_view digest) const;
  // Where a model of that name belongs. Errors: the name is not one.
  Result<std::string> PathFor(const std::string& name) const;
  Status Make(const std::string& folder) const;
  Status CheckInside(const std::string& path) const;
  void DropBlobOf(uint64_t device, uint64_t inode) const;

  std::string path_;
};

}  // namespace carat

#endif  // CARAT_STORE_OWN_MODELS_H_
