#include "store/own_models.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <vector>

#include "base/hash.h"
#include "base/utf8.h"
#include "formats/model_file.h"
#include "store/gguf_names.h"
#include "store/pulled.h"

namespace carat {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxNameBytes = 128;

Status Failed(std::string_view what, const std::string& path, int error) {
  return FailedPrecondition(
      fmt::format("{} {} failed: {}.", what, path, std::strerror(error)));
}

bool IsDigest(std::string_view digest) {
  return digest.size() == 64 &&
         digest.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// "name", "name:tag"; no folders, nothing hidden.
bool IsName(std::string_view name) {
  constexpr std::string_view kMarks = ".-_:";
  if (name.empty() || name.size() > kMaxNameBytes) return false;
  if (kMarks.find(name.front()) != std::string_view::npos) return false;
  return std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') || kMarks.find(c) != std::string_view::npos;
  });
}

Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Failed("Writing", path, errno);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return fsync(fd) == 0 ? OkStatus() : Failed("Writing", path, errno);
}

// The record that `name` means, else one whose model lies at `path`.
std::optional<PulledModel> FindRecord(const std::string& folder,
                                      const std::string& name,
                                      const std::string& path) {
  std::vector<std::string> notes;
  std::optional<PulledModel> at_path;
  for (PulledModel& model : ListPulled(folder, &notes)) {
    if (PulledPath(folder, model) != path) continue;
    if (LowerAscii(model.name) == LowerAscii(name)) return model;
    at_path = std::move(model);
  }
  return at_path;
}

// All files of the series that `path` begins; else only `path`.
std::vector<std::string> PartsOf(const std::string& path) {
  const SplitName split = ParseSplitName(GgufStem(path));
  std::vector<std::string> out = {path};
  for (int part = 2; part <= split.parts && split.part == 1; ++part) {
    out.push_back(
        fmt::format("{}-{:05}-of-{:05}.gguf", split.base, part, split.parts));
  }
  return out;
}

}  // namespace

std::string OwnModels::BlobPath(std::string_view digest) const {
  return fmt::format("{}/.blobs/sha256-{}", path_, digest);
}

Result<std::string> OwnModels::PathFor(const std::string& name) const {
  if (path_.empty()) {
    return FailedPrecondition(
        "carat has no models folder: set CARAT_MODELS or HOME.");
  }
  std::string plain = name;
  if (plain.ends_with(":latest")) plain.resize(plain.size() - 7);
  if (!IsName(plain)) {
    return InvalidArgument(fmt::format(
        "{} cannot be a model's name here; expected letters, digits and . - _ "
        ":, at most {} of them.",
        QuoteForMessage(name), kMaxNameBytes));
  }
  return path_ + "/" + plain;
}

Status OwnModels::Make(const std::string& folder) const {
  std::error_code error;
  fs::create_directories(folder, error);
  return error ? Failed("Making the folder", folder, error.value())
               : OkStatus();
}

Status OwnModels::Link(const std::string& source,
                       const std::string& name) const {
  CARAT_ASSIGN_OR_RETURN(std::string to, PathFor(name));
  if (auto record = FindRecord(path_, "", source)) {
    record->name = to.substr(path_.size() + 1);
    return SavePulled(path_, *record);
  }
  std::error_code error;
  const bool folder = fs::is_directory(source, error);
  if (source.find("-of-") != std::string::npos && !folder) {
    return Unsupported(
        "A model in several files cannot be given a second name; use the name "
        "that it has.");
  }
  if (!folder) to += ".gguf";
  CARAT_RETURN_IF_ERROR(Make(path_));
  // The final file, so that removing one name leaves the other.
  const fs::path real = fs::canonical(source, error);
  if (error) return Failed("Reading", source, error.value());
  if (fs::is_symlink(to, error)) fs::remove(to, error);
  fs::create_symlink(real, to, error);
  return error ? Failed("Linking", to, error.value()) : OkStatus();
}

Status OwnModels::CheckInside(const std::string& path) const {
  std::error_code error;
  const fs::path folder = fs::weakly_canonical(path_, error);
  const fs::path parent =
      fs::weakly_canonical(fs::path(path).parent_path(), error);
  const auto [end, unused] =
      std::mismatch(folder.begin(), folder.end(), parent.begin(), parent.end());
  if (!error && end == folder.end()) return OkStatus();
  return FailedPrecondition(
      fmt::format("{} belongs to another program; delete it there.", path));
}

// An uploaded file lives on as a blob; nobody needs it any more.
void OwnModels::DropBlobOf(uint64_t device, uint64_t inode) const {
  std::error_code error;
  for (const auto& blob : fs::directory_iterator(path_ + "/.blobs", error)) {
    struct stat info = {};
    if (lstat(blob.path().c_str(), &info) == 0 && info.st_ino == inode &&
        info.st_dev == device && info.st_nlink == 1) {
      fs::remove(blob.path(), error);
      break;
    }
  }
}

Status OwnModels::Remove(const std::string& name,
                         const std::string& path) const {
  CARAT_RETURN_IF_ERROR(CheckInside(path));
  const auto record = FindRecord(path_, name, path);
  if (record) return RemovePulled(path_, record->name);
  std::error_code error;
  struct stat gone = {};
  lstat(path.c_str(), &gone);
  if (fs::is_directory(path, error) && !fs::is_symlink(path, error)) {
    fs::remove_all(path, error);
  } else {
    for (const std::string& part : PartsOf(path)) fs::remove(part, error);
  }
  if (error) return Failed("Deleting", path, error.value());
  if (S_ISREG(gone.st_mode)) DropBlobOf(gone.st_dev, gone.st_ino);
  return OkStatus();
}

bool OwnModels::HasBlob(std::string_view digest) const {
  std::error_code error;
  return IsDigest(digest) && fs::is_regular_file(BlobPath(digest), error);
}

Status OwnModels::PutBlob(std::string_view digest,
                          std::string_view bytes) const {
  if (!IsDigest(digest)) {
    return InvalidArgument(fmt::format(
        "{} is no digest; expected sha256: and 64 hexadecimal digits.",
        QuoteForMessage(digest)));
  }
  if (path_.empty()) return PathFor("x").status();
  const std::string found = Sha256Hex(bytes);
  if (found != digest) {
    return InvalidArgument(fmt::format(
        "The uploaded bytes have the digest {}, not {}.", found, digest));
  }
  if (HasBlob(digest)) return OkStatus();
  CARAT_RETURN_IF_ERROR(Make(path_ + "/.blobs"));
  std::string part = BlobPath(digest) + ".XXXXXX";
  const int fd = mkstemp(part.data());
  if (fd < 0) return Failed("Writing", part, errno);
  Status status = WriteAll(fd, bytes, part);
  close(fd);
  if (status.ok() && rename(part.c_str(), BlobPath(digest).c_str()) != 0) {
    status = Failed("Writing", part, errno);
  }
  if (!status.ok()) unlink(part.c_str());
  return status;
}

Status OwnModels::NameBlob(std::string_view digest,
                           const std::string& name) const {
  CARAT_ASSIGN_OR_RETURN(const std::string to, PathFor(name));
  if (!HasBlob(digest)) {
    return NotFound(fmt::format("No file with the digest {} was uploaded.",
                                QuoteForMessage(digest)));
  }
  const std::string from = BlobPath(digest);
  CARAT_RETURN_IF_ERROR(ModelFile::Open(from).status());
  const std::string file = to + ".gguf";
  std::error_code error;
  fs::remove(file, error);
  fs::create_hard_link(from, file, error);
  return error ? Failed("Linking", file, error.value()) : OkStatus();
}

}  // namespace carat
