#include "runtime/packed_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <utility>

#include "blocks/weight_loader.h"
#include "kernels/matmul.h"
#include "kv/file_io.h"

namespace carat {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".packed";
constexpr std::string_view kTemporary = ".part";
// A temporary file that nobody has written to for so long is a leftover.
constexpr int64_t kLeftoverSeconds = 3600;
constexpr size_t kWritePiece = size_t{16} << 20;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

// A file's size and time of last use; false when it is gone or no file.
bool Look(const std::string& path, PackedCache::Entry* entry) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return false;
  *entry = {.path = path,
            .bytes = static_cast<uint64_t>(info.st_size),
            .used_s = info.st_mtim.tv_sec,
            .model = ""};
  return true;
}

std::string ModelIn(const std::string& path, uint64_t file_bytes) {
  const Descriptor file(
      ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  uint8_t bytes[PackedFileHeader::kBytes];
  if (file.get() < 0 || !ReadAll(file.get(), bytes, sizeof bytes, 0)) return "";
  const auto header = PackedFileHeader::Parse(bytes, file_bytes);
  return header.ok() ? header->model : "";
}

void SyncFolder(const std::string& folder) {
  const Descriptor fd(
      ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() >= 0) ::fsync(fd.get());
}

}  // namespace

Result<PackedCache> PackedCache::Open(const std::string& folder,
                                      uint64_t limit_bytes,
                                      std::function<bool()> go_on) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error && ::access(folder.c_str(), R_OK | W_OK | X_OK) != 0) {
    error = {errno, std::generic_category()};
  }
  if (error) {
    return FailedPrecondition(fmt::format(
        "the folder for packed weights, {}, cannot be used: {}; name another "
        "(--packed-cache) or leave it out",
        folder, error.message()));
  }
  return PackedCache(folder, limit_bytes, std::move(go_on));
}

std::string PackedCache::PathOf(const Sha256Digest& key) const {
  return folder_ + "/" + ToHex(key.data(), size_t{16}) + std::string(kSuffix);
}

Result<std::unique_ptr<WeightMemory>> PackedCache::Find(
    const Sha256Digest& key, uint64_t weights_bytes, ThreadPool& pool) const {
  const std::string path = PathOf(key);
  CARAT_ASSIGN_OR_RETURN(const std::shared_ptr<MappedFile> file,
                         MappedFile::Open(path));
  const std::span<const uint8_t> bytes = file->bytes();
  CARAT_ASSIGN_OR_RETURN(const PackedFileHeader header,
                         PackedFileHeader::Parse(bytes, bytes.size()));
  if (header.key != key || header.weights_bytes != weights_bytes) {
    return Malformed("it holds the weights of another model");
  }
  const std::span<const uint8_t> weights =
      bytes.subspan(PackedFileHeader::kWeightsAt);
  file->HugePages(weights.data(), weights.size());
  file->WillNeed(weights.data(), weights.size());
  // Reads all of it, which the first step would do otherwise.
  const uint64_t checksum = WeightsChecksum(weights, pool, go_on_);
  if (GivenUp()) return LoadingGivenUp();
  if (checksum != header.checksum) {
    return Malformed("the checksum of the weights is wrong");
  }
  ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0);  // used now
  return WeightMemory::Packed(file, weights);
}

Status PackedCache::MakeRoom(uint64_t bytes, const std::string& path) const {
  if (bytes > limit_bytes_) {
    return ResourceExhausted(
        fmt::format("{} MiB are more than the {} MiB that {} may hold "
                    "(--packed-cache-size)",
                    bytes >> 20, limit_bytes_ >> 20, folder_));
  }
  uint64_t total = bytes;
  for (const Entry& entry : List(folder_)) {
    if (entry.path == path) continue;  // is replaced
    total += entry.bytes;
    // Who has mapped it keeps it.
    if (total > limit_bytes_ && ::unlink(entry.path.c_str()) == 0) {
      total -= entry.bytes;
    }
  }
  return OkStatus();
}

Status PackedCache::WriteTo(const std::string& path, const std::string& header,
                            std::span<const uint8_t> weights) const {
  const Descriptor file(::open(path.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                               S_IRUSR | S_IWUSR));
  if (file.get() < 0) return Failed("create", path, errno);
  // A full disk shows before anything has been written.
  const off_t begin = static_cast<off_t>(PackedFileHeader::kWeightsAt);
  const int reserved =
      ::posix_fallocate(file.get(), begin, static_cast<off_t>(weights.size()));
  if (reserved == ENOSPC || reserved == EDQUOT || reserved == EFBIG) {
    return Failed("write to", path, reserved);
  }
  if (::lseek(file.get(), begin, SEEK_SET) < 0) {
    return Failed("write to", path, errno);
  }
  for (size_t at = 0; at < weights.size(); at += kWritePiece) {
    if (GivenUp()) return LoadingGivenUp();
    CARAT_RETURN_IF_ERROR(WriteAll(file.get(), weights.data() + at,
                                   std::min(kWritePiece, weights.size() - at),
                                   path));
  }
  if (::lseek(file.get(), 0, SEEK_SET) < 0) {
    return Failed("write to", path, errno);
  }
  CARAT_RETURN_IF_ERROR(
      WriteAll(file.get(), header.data(), header.size(), path));
  if (::fsync(file.get()) != 0) return Failed("write to", path, errno);
  return OkStatus();
}

Status PackedCache::Write(const Sha256Digest& key, const std::string& model,
                          std::span<const uint8_t> weights,
                          ThreadPool& pool) const {
  static std::atomic<int> number{0};
  PackedFileHeader header;
  header.layout_version = kPackedLayoutVersion;
  header.weights_bytes = weights.size();
  header.key = key;
  header.model = model;
  const std::string path = PathOf(key);
  CARAT_RETURN_IF_ERROR(MakeRoom(header.FileBytes(), path));
  header.checksum = WeightsChecksum(weights, pool, go_on_);
  const std::string part = fmt::format("{}.{}-{}{}", path, ::getpid(),
                                       number.fetch_add(1), kTemporary);
  Status status = WriteTo(part, header.Encode(), weights);
  if (status.ok() && ::rename(part.c_str(), path.c_str()) != 0) {
    status = Failed("rename", part, errno);
  }
  if (!status.ok()) {
    ::unlink(part.c_str());
    return status;
  }
  SyncFolder(folder_);
  return OkStatus();
}

std::vector<PackedCache::Entry> PackedCache::List(const std::string& folder) {
  std::vector<Entry> out;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    const std::string path = it->path().string();
    Entry entry;
    if (!Look(path, &entry)) continue;
    if (path.ends_with(kSuffix)) {
      entry.model = ModelIn(path, entry.bytes);
      out.push_back(std::move(entry));
    } else if (path.ends_with(kTemporary) &&
               std::time(nullptr) - entry.used_s > kLeftoverSeconds) {
      ::unlink(path.c_str());
    }
  }
  std::sort(out.begin(), out.end(), [](const Entry& a, const Entry& b) {
    return a.used_s != b.used_s ? a.used_s > b.used_s : a.path < b.path;
  });
  return out;
}

}  // namespace carat
