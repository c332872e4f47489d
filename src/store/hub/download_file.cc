#include "store/hub/download_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "base/hash.h"
#include "base/utf8.h"
#include "store/files.h"

namespace carat {
namespace {

constexpr size_t kReadBytes = 1 << 20;
constexpr size_t kMaxTagBytes = 512;

Status Failed(const char* what, const std::string& path) {
  const int error = errno;
  const std::string text =
      fmt::format("{} {} failed: {}.", what, path, std::strerror(error));
  return error == ENOSPC || error == EDQUOT || error == EFBIG
             ? ResourceExhausted(text)
             : FailedPrecondition(text);
}

Status Cancelled() {
  return Status(StatusCode::kCancelled, "The download was ended.");
}

// SHA-256 always; SHA-1 as git names a file ("blob SIZE\0" and the bytes) when
// the hub knows no other.
class Digests {
 public:
  explicit Digests(const HubFile& file) {
    if (file.sha256.empty() && !file.git_blob.empty()) {
      git_.emplace();
      git_->Update(fmt::format("blob {}", file.bytes));
      git_->Update("\0", 1);
    }
  }
  void Update(const void* data, size_t bytes) {
    sha256_.Update(data, bytes);
    if (git_) git_->Update(data, bytes);
  }
  // SHA-256 of all, or empty when one differs from the hub's.
  std::string Finish(const HubFile& file) {
    std::string out = ToHex(sha256_.Finish());
    if (!file.sha256.empty() && out != file.sha256) return "";
    if (git_ && git_->FinishHex() != file.git_blob) return "";
    return out;
  }

 private:
  Sha256 sha256_;
  std::optional<Sha1> git_;
};

class PartialFile {
 public:
  PartialFile(const HubFile& file, const std::string& path)
      : file_(file), path_(path) {}
  ~PartialFile() {
    if (fd_ >= 0) close(fd_);
  }
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  // Opens and locks the file and reads what is there already.
  Status Open(const DownloadHooks& hooks);
  uint64_t size() const { return size_; }
  bool resumed() const { return resumed_; }
  Status Restart();
  Status Append(std::string_view bytes);
  std::string tag() const { return ReadSmallFile(TagPath(), kMaxTagBytes); }
  void SetTag(const std::string& tag) const;
  // Checks all of it and gives it the name `to`; returns the SHA-256, empty
  // when the bytes are wrong.
  Result<std::string> Finish(const std::string& to);

 private:
  std::string TagPath() const { return path_ + ".etag"; }
  Status Lock(const DownloadHooks& hooks);
  Status ReadBack(const DownloadHooks& hooks);

  const HubFile& file_;
  const std::string path_;
  int fd_ = -1;
  uint64_t size_ = 0;
  bool resumed_ = false;
  std::optional<Digests> digests_;
};

Status PartialFile::Lock(const DownloadHooks& hooks) {
  bool told = false;
  while (flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return Failed("Locking", path_);
    if (!told && hooks.note) {
      hooks.note("another process downloads this file; waiting for it");
    }
    told = true;
    if (!hooks.progress(0)) return Cancelled();
    if (!hooks.retry.sleep(std::chrono::milliseconds(200))) return Cancelled();
  }
  return OkStatus();
}

Status PartialFile::Open(const DownloadHooks& hooks) {
  // Whoever had the lock before may have moved the file away.
  for (;;) {
    fd_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd_ < 0) return Failed("Opening", path_);
    CARAT_RETURN_IF_ERROR(Lock(hooks));
    struct stat mine = {};
    struct stat there = {};
    if (fstat(fd_, &mine) != 0) return Failed("Reading", path_);
    if (stat(path_.c_str(), &there) == 0 && mine.st_ino == there.st_ino &&
        mine.st_dev == there.st_dev) {
      size_ = static_cast<uint64_t>(mine.st_size);
      break;
    }
    close(fd_);
    fd_ = -1;
  }
  return ReadBack(hooks);
}

Status PartialFile::ReadBack(const DownloadHooks& hooks) {
  digests_.emplace(file_);
  resumed_ = size_ > 0;
  if (size_ > file_.bytes) return Restart();
  std::vector<char> buffer(kReadBytes);
  uint64_t done = 0;
  while (done < size_) {
    const ssize_t n = read(fd_, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return Failed("Reading", path_);
    digests_->Update(buffer.data(), static_cast<size_t>(n));
    done += static_cast<uint64_t>(n);
    if (!hooks.progress(done)) return Cancelled();
  }
  return OkStatus();
}

Status PartialFile::Restart() {
  if (ftruncate(fd_, 0) != 0 || lseek(fd_, 0, SEEK_SET) != 0) {
    return Failed("Emptying", path_);
  }
  size_ = 0;
  resumed_ = false;
  digests_.emplace(file_);
  return OkStatus();
}

Status PartialFile::Append(std::string_view bytes) {
  digests_->Update(bytes.data(), bytes.size());
  while (!bytes.empty()) {
    const ssize_t n = write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Failed("Writing", path_);
    size_ += static_cast<uint64_t>(n);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return OkStatus();
}

// Losing the tag only means that a range is asked for without a condition.
void PartialFile::SetTag(const std::string& tag) const {
  const std::unique_ptr<FILE, int (*)(FILE*)> out(
      std::fopen(TagPath().c_str(), "we"), std::fclose);
  if (out != nullptr) std::fwrite(tag.data(), 1, tag.size(), out.get());
}

Result<std::string> PartialFile::Finish(const std::string& to) {
  const std::string digest = digests_->Finish(file_);
  if (digest.empty()) return digest;
  if (fsync(fd_) != 0) return Failed("Writing", path_);
  if (rename(path_.c_str(), to.c_str()) != 0) return Failed("Renaming", path_);
  unlink(TagPath().c_str());
  return digest;
}

// A strong tag can stand in If-Range; a weak one cannot.
bool IsStrongTag(std::string_view tag) {
  return tag.size() >= 2 && tag.front() == '"' && tag.back() == '"' &&
         tag.size() < kMaxTagBytes &&
         std::all_of(
             tag.begin(), tag.end(),
             [](char c) { return c > 0x20 && c < 0x7F; });
}

class Attempts {
 public:
  Attempts(const Download& download, const DownloadHooks& hooks,
           PartialFile* file)
      : download_(download), hooks_(hooks), file_(file), retry_(hooks.retry) {}

  // Until all bytes are there.
  Status Run();

 private:
  Status Once();
  Status OnHead(const FetchHead& head);
  Status OnBody(std::string_view bytes);
  std::string Name() const { return QuoteForMessage(download_.file.path); }

  const Download& download_;
  const DownloadHooks& hooks_;
  PartialFile* file_;
  Retry retry_;
  int64_t retry_after_s_ = 0;
  bool stopped_ = false;
};

Status Attempts::OnHead(const FetchHead& head) {
  retry_after_s_ = head.retry_after_s;
  const uint64_t wanted = download_.file.bytes;
  if (head.status == 416) {  // the range is none: begin again
    CARAT_RETURN_IF_ERROR(file_->Restart());
    return Status(StatusCode::kUnavailable,
                  fmt::format("{} cannot go on with {}.", head.host, Name()));
  }
  if (head.status == 200) {
    if (file_->size() > 0) CARAT_RETURN_IF_ERROR(file_->Restart());
    if (head.length && *head.length != wanted) {
      return Malformed(fmt::format("{} sends {} bytes of {}, which has {}.",
                                   head.host, *head.length, Name(), wanted));
    }
  } else if (head.status == 206) {
    if (head.range_start != file_->size() ||
        head.range_total.value_or(wanted) != wanted) {
      return Malformed(
          fmt::format("{} sends another part of {} than the one from byte {} "
                      "of {}.",
                      head.host, Name(), file_->size(), wanted));
    }
  } else {
    return hooks_.explain ? hooks_.explain(head) : StatusOfAnswer(head, Name());
  }
  if (IsStrongTag(head.etag)) file_->SetTag(head.etag);
  return OkStatus();
}

Status Attempts::OnBody(std::string_view bytes) {
  if (bytes.size() > download_.file.bytes - file_->size()) {
    return Malformed(fmt::format("More bytes come for {} than the {} it has.",
                                 Name(), download_.file.bytes));
  }
  CARAT_RETURN_IF_ERROR(file_->Append(bytes));
  retry_.Progressed();
  if (hooks_.progress(file_->size())) return OkStatus();
  stopped_ = true;
  return Cancelled();
}

Status Attempts::Once() {
  const std::string tag = file_->size() > 0 ? file_->tag() : "";
  retry_after_s_ = 0;
  const FetchRequest request = {.url = download_.url,
                                .bearer = download_.bearer,
                                .from = file_->size(),
                                .if_range = IsStrongTag(tag) ? tag : ""};
  CARAT_RETURN_IF_ERROR(hooks_.fetcher->Fetch(
      request,
      {.head = [this](const FetchHead& head) { return OnHead(head); },
       .body = [this](std::string_view bytes) { return OnBody(bytes); },
       .cancelled = [this] { return !hooks_.progress(file_->size()); }}));
  if (file_->size() == download_.file.bytes) return OkStatus();
  return Status(StatusCode::kUnavailable,
                fmt::format("The transfer of {} ended after {} of {} bytes.",
                            Name(), file_->size(), download_.file.bytes));
}

Status Attempts::Run() {
  while (file_->size() < download_.file.bytes) {
    const Status status = Once();
    if (status.ok()) continue;
    if (status.code() == StatusCode::kUnavailable && hooks_.note) {
      hooks_.note(status.message() + " Trying again.");
    }
    CARAT_RETURN_IF_ERROR(retry_.Wait(status, retry_after_s_));
  }
  return OkStatus();
}

}  // namespace

std::string DigestIfComplete(const std::string& path, const HubFile& file,
                             const std::function<bool(uint64_t)>& progress) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode) ||
      static_cast<uint64_t>(info.st_size) != file.bytes) {
    return "";
  }
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return "";
  Digests digests(file);
  std::vector<char> buffer(kReadBytes);
  uint64_t done = 0;
  bool good = true;
  while (good && done < file.bytes) {
    const ssize_t n = read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    good = n > 0;
    if (!good) break;
    digests.Update(buffer.data(), static_cast<size_t>(n));
    done += static_cast<uint64_t>(n);
    good = progress(done);
  }
  close(fd);
  return good ? digests.Finish(file) : "";
}

Result<std::string> DownloadFile(const Download& download,
                                 const DownloadHooks& hooks) {
  // Wrong bytes that began in an earlier run are fetched anew, once.
  for (int round = 0;; ++round) {
    PartialFile file(download.file, download.partial);
    CARAT_RETURN_IF_ERROR(file.Open(hooks));
    // Another process may have finished while this one waited.
    std::string there =
        DigestIfComplete(download.path, download.file, hooks.progress);
    if (!there.empty()) {
      unlink(download.partial.c_str());
      return there;
    }
    const bool resumed = file.resumed();
    CARAT_RETURN_IF_ERROR(Attempts(download, hooks, &file).Run());
    CARAT_ASSIGN_OR_RETURN(std::string digest, file.Finish(download.path));
    if (!digest.empty()) return digest;
    unlink(download.partial.c_str());
    if (!resumed || round > 0) {
      return Malformed(fmt::format(
          "The bytes of {} do not have the digest {} that the hub gives; they "
          "were thrown away. Something between here and the hub changes them, "
          "or the hub is broken; try again later.",
          QuoteForMessage(download.file.path),
          download.file.sha256.empty() ? download.file.git_blob
                                       : download.file.sha256));
    }
    if (hooks.note) {
      hooks.note("what an earlier attempt left is damaged; beginning again");
    }
  }
}

}  // namespace carat
