// carat pull --from-file: a local model, copied.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/utf8.h"
#include "formats/model_file.h"
#include "store/files.h"
#include "store/gguf_names.h"
#include "store/hub/hub_path.h"
#include "store/hub/pull.h"

namespace carat {
namespace {

namespace fs = std::filesystem;

constexpr size_t kCopyBytes = 1 << 20;

Status Failed(const char* what, const std::string& path, int error) {
  const std::string text =
      fmt::format("{} {} failed: {}.", what, path, std::strerror(error));
  return error == ENOSPC || error == EDQUOT ? ResourceExhausted(text)
                                            : FailedPrecondition(text);
}

class FileHandle {
 public:
  FileHandle(const std::string& path, int flags)
      : fd_(open(path.c_str(), flags | O_CLOEXEC, 0644)) {}
  ~FileHandle() {
    if (fd_ >= 0) close(fd_);
  }
  FileHandle(const FileHandle&) = delete;
  FileHandle& operator=(const FileHandle&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

// Copies and hashes; `from` may share its blocks with `to` afterwards.
Result<std::string> CopyFile(const std::string& from, const std::string& to,
                             const std::function<bool(uint64_t)>& progress) {
  const FileHandle in(from, O_RDONLY);
  if (in.fd() < 0) return Failed("Opening", from, errno);
  const FileHandle out(to, O_RDWR | O_CREAT | O_EXCL);
  if (out.fd() < 0) return Failed("Writing", to, errno);
  const bool shared = ioctl(out.fd(), FICLONE, in.fd()) == 0;
  Sha256 hash;
  std::vector<char> buffer(kCopyBytes);
  uint64_t done = 0;
  for (;;) {
    const ssize_t n =
        read(shared ? out.fd() : in.fd(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Failed("Reading", from, errno);
    if (n == 0) break;
    const size_t bytes = static_cast<size_t>(n);
    hash.Update(buffer.data(), bytes);
    for (size_t at = 0; !shared && at < bytes;) {
      const ssize_t written = write(out.fd(), buffer.data() + at, bytes - at);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return Failed("Writing", to, errno);
      at += static_cast<size_t>(written);
    }
    done += bytes;
    if (!progress(done)) {
      return Status(StatusCode::kCancelled, "The import was ended.");
    }
  }
  if (fsync(out.fd()) != 0) return Failed("Writing", to, errno);
  return ToHex(hash.Finish());
}

// A folder's files, as a hub would list them.
HubListing ListingOf(const std::string& folder) {
  HubListing out;
  std::vector<std::string> notes;
  for (const FileEntry& entry : ListFolder(folder, &notes)) {
    if (!entry.is_file || !IsSafeHubPath(entry.name)) continue;
    out.files.push_back({.path = entry.name, .bytes = entry.bytes});
  }
  return out;
}

// A folder that is deleted again unless it was moved away.
class Workshop {
 public:
  explicit Workshop(const std::string& models_folder)
      : path_(models_folder + "/hub/.partial/import-XXXXXX") {}
  ~Workshop() {
    std::error_code error;
    if (made_) fs::remove_all(path_, error);
  }
  Workshop(const Workshop&) = delete;
  Workshop& operator=(const Workshop&) = delete;

  Status Make() {
    std::error_code error;
    fs::create_directories(fs::path(path_).parent_path(), error);
    made_ = mkdtemp(path_.data()) != nullptr;
    return made_ ? OkStatus() : Failed("Making the folder", path_, errno);
  }
  // As `to`, unless the same content is there already.
  Status MoveTo(const std::string& to) {
    std::error_code error;
    if (fs::exists(to, error)) return OkStatus();
    fs::create_directories(fs::path(to).parent_path(), error);
    chmod(path_.c_str(), 0755);
    if (rename(path_.c_str(), to.c_str()) != 0) {
      return Failed("Renaming", path_, errno);
    }
    made_ = false;
    return OkStatus();
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  bool made_ = false;
};

struct Source {
  std::string folder;
  Selection selection;
};

Result<Source> FindSource(const ImportRequest& request) {
  Source out;
  std::error_code error;
  if (fs::is_directory(request.source, error)) {
    out.folder = request.source;
    CARAT_ASSIGN_OR_RETURN(out.selection, SelectFiles(ListingOf(out.folder), "",
                                                      request.projector));
    return out;
  }
  if (!fs::is_regular_file(request.source, error)) {
    return NotFound(fmt::format("There is no file or folder {}.",
                                QuoteForMessage(request.source, 200)));
  }
  const fs::path path(request.source);
  const std::string name = path.filename();
  if (!HasGgufEnd(name) || !IsSafeHubPath(name)) {
    return InvalidArgument(
        fmt::format("{} is no file whose name ends in .gguf, and no folder.",
                    QuoteForMessage(request.source, 200)));
  }
  out.folder = path.has_parent_path() ? path.parent_path().string() : ".";
  HubListing listing = ListingOf(out.folder);
  // Neighbours matter only as parts of one series.
  const std::string base = ParseSplitName(GgufStem(name)).base;
  std::erase_if(listing.files, [&](const HubFile& file) {
    return ParseSplitName(GgufStem(file.path)).base != base ||
           !HasGgufEnd(file.path);
  });
  CARAT_ASSIGN_OR_RETURN(out.selection,
                         SelectFiles(listing, name, Projector::kLeaveOut));
  return out;
}

Status CheckDigest(const ImportRequest& request, const PulledModel& model) {
  if (request.sha256.empty()) return OkStatus();
  const std::string wanted = LowerAscii(request.sha256);
  if (!IsHexDigest(wanted, 64)) {
    return InvalidArgument("--sha256 takes 64 hexadecimal digits.");
  }
  if (model.files.size() != 1) {
    return InvalidArgument(fmt::format(
        "--sha256 is for one file; this model has {}.", model.files.size()));
  }
  if (model.files.front().sha256 == wanted) return OkStatus();
  return Malformed(fmt::format("{} has the SHA-256 {}, not {}.",
                               QuoteForMessage(request.source, 200),
                               model.files.front().sha256, wanted));
}

}  // namespace

Result<PullOutcome> ImportModel(const ImportRequest& request,
                                const std::string& models_folder,
                                const PullListener& progress) {
  if (models_folder.empty()) {
    return FailedPrecondition(
        "carat has no models folder: set CARAT_MODELS or HOME.");
  }
  if (!IsPulledName(request.name)) {
    return InvalidArgument(
        fmt::format("{} cannot be a model's name; expected NAME, NAME:TAG or "
                    "ORG/NAME:TAG of letters, digits and . - _.",
                    QuoteForMessage(request.name)));
  }
  CARAT_ASSIGN_OR_RETURN(const Source source, FindSource(request));
  PullOutcome out;
  PulledModel& model = out.model;
  model.name = request.name;
  model.model = source.selection.model;
  model.quantisation = source.selection.quantisation;
  model.pulled_s = static_cast<int64_t>(std::time(nullptr));
  for (const HubFile& file : source.selection.files) {
    model.files.push_back({.path = file.path, .bytes = file.bytes});
    out.fetched_bytes += file.bytes;
  }
  const std::string place =
      "imported/" + UrlEncode(LowerAscii(request.name), Slash::kEncode);
  out.path = models_folder + "/" + place;
  CARAT_RETURN_IF_ERROR(ModelFile::Open(model.model.empty()
                                            ? source.folder
                                            : source.folder + "/" + model.model)
                            .status());
  if (request.dry_run) return out;

  Workshop workshop(models_folder);
  CARAT_RETURN_IF_ERROR(workshop.Make());
  for (PulledFile& file : model.files) {
    PullProgress now = {
        .status = "copying", .file = file.path, .total_bytes = file.bytes};
    CARAT_ASSIGN_OR_RETURN(
        file.sha256,
        CopyFile(source.folder + "/" + file.path,
                 workshop.path() + "/" + file.path, [&](uint64_t done) {
                   now.done_bytes = done;
                   return !progress || progress(now);
                 }));
    file.bytes = now.done_bytes;
  }
  CARAT_RETURN_IF_ERROR(CheckDigest(request, model));
  model.folder = place + "/" + model.digest().substr(0, 16);
  CARAT_RETURN_IF_ERROR(workshop.MoveTo(models_folder + "/" + model.folder));
  out.path = PulledPath(models_folder, model);
  CARAT_RETURN_IF_ERROR(ModelFile::Open(out.path).status());
  CARAT_RETURN_IF_ERROR(SavePulled(models_folder, model));
  return out;
}

}  // namespace carat
