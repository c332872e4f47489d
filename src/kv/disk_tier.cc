#include "kv/disk_tier.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <set>
#include <tuple>
#include <utility>

#include "base/log.h"
#include "kv/file_io.h"

namespace carat {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::string_view kSuffix = ".pages";
constexpr std::string_view kTemporary = ".part";
// After a failed write, e.g. on a full disk.
constexpr auto kSuspension = std::chrono::seconds(60);
// A temporary file that nobody has written to for so long is a leftover.
constexpr int64_t kLeftoverSeconds = 3600;

int64_t NowNs() { return Clock::now().time_since_epoch().count(); }

std::string NameOf(const PrefixKey& parent, const PrefixKey& end) {
  return ToHex(parent.data(), parent.size()) + "-" +
         ToHex(end.data(), end.size()) + std::string(kSuffix);
}

int64_t CommonKeys(std::span<const PrefixKey> a, std::span<const PrefixKey> b) {
  const size_t n = std::min(a.size(), b.size());
  size_t i = 0;
  while (i < n && a[i] == b[i]) ++i;
  return static_cast<int64_t>(i);
}

// Whether all that `a` has is in `b`, which may be longer.
bool Contained(std::span<const uint8_t> a, std::span<const uint8_t> b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != 0 && b[i] == 0) return false;
  }
  return true;
}

uint64_t JobBytes(const DiskTier::Job& job) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < job.pages.size(); ++i) {
    if (job.pages[i] != nullptr) {
      bytes += job.header.page_bytes[i % job.header.page_bytes.size()];
    }
  }
  return bytes;
}

}  // namespace

DiskTier::File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

DiskTier::DiskTier(const KvLayout& layout, const Options& options)
    : layout_(layout),
      options_(options),
      model_folder_(options.folder + "/" +
                    ToHex(options.model.data(), size_t{16})) {}

Result<std::unique_ptr<DiskTier>> DiskTier::Open(const KvLayout& layout,
                                                 const Options& options) {
  if (layout.groups.size() > PageFileHeader::kMaxGroups) {
    return Unsupported(fmt::format(
        "a model with {} kinds of layers; the cache on disk knows up to {}",
        layout.groups.size(), PageFileHeader::kMaxGroups));
  }
  std::unique_ptr<DiskTier> tier(new DiskTier(layout, options));
  std::error_code error;
  fs::create_directories(options.folder, error);
  if (!error && ::mkdir(tier->model_folder_.c_str(), S_IRWXU) != 0 &&
      errno != EEXIST) {
    error = {errno, std::generic_category()};
  }
  if (!error &&
      ::access(tier->model_folder_.c_str(), R_OK | W_OK | X_OK) != 0) {
    error = {errno, std::generic_category()};
  }
  if (error) {
    return FailedPrecondition(fmt::format(
        "the folder for cached prompts, {}, cannot be used: {}; name another "
        "(--cache-dir) or leave it out",
        tier->model_folder_, error.message()));
  }
  tier->Rescan();
  tier->KeepToLimit();
  tier->thread_ = std::thread([t = tier.get()] { t->WriterLoop(); });
  return tier;
}

void DiskTier::Stop(double seconds) {
  if (!thread_.joinable()) return;
  Drain(seconds);
  CancelPending();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

Result<PageFileHeader> DiskTier::ReadHeader(int fd) const {
  struct stat info;
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    return Malformed("it is no regular file");
  }
  const uint64_t size = static_cast<uint64_t>(info.st_size);
  std::vector<uint8_t> bytes(
      std::min<uint64_t>(size, PageFileHeader::kMaxBytes));
  if (!ReadAll(fd, bytes.data(), bytes.size(), 0)) {
    return Malformed("it cannot be read");
  }
  CARAT_ASSIGN_OR_RETURN(PageFileHeader header,
                         PageFileHeader::Parse(bytes, size));
  bool fits = header.model == options_.model &&
              header.page_bytes.size() == layout_.groups.size() &&
              header.first_block % PageFileHeader::kMaxBlocks == 0;
  for (size_t g = 0; fits && g < layout_.groups.size(); ++g) {
    fits = header.page_bytes[g] ==
           static_cast<uint64_t>(layout_.groups[g].page_bytes);
  }
  if (!fits) return Malformed("it belongs to another model");
  return header;
}

void DiskTier::Rescan() {
  struct stat info;
  if (::stat(model_folder_.c_str(), &info) != 0) return;
  const int64_t time = static_cast<int64_t>(info.st_mtim.tv_sec) * 1000000000 +
                       info.st_mtim.tv_nsec;
  std::set<std::string> known;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (time == folder_time_ns_) return;
    folder_time_ns_ = time;
    for (const auto& [key, entry] : files_) known.insert(entry.name);
  }
  std::error_code error;
  for (fs::directory_iterator it(model_folder_, error), end;
       !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (known.erase(name) > 0) continue;
    const std::string path = PathOf(name);
    if (name.ends_with(kTemporary)) {
      struct stat part;
      if (::stat(path.c_str(), &part) == 0 &&
          ::time(nullptr) - part.st_mtime > kLeftoverSeconds) {
        ::unlink(path.c_str());
      }
      continue;
    }
    if (!name.ends_with(kSuffix)) continue;
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) continue;
    const auto header = ReadHeader(fd);
    ::close(fd);
    if (!header.ok()) {
      Damaged(path, header.status().message());
    } else if (name != NameOf(header->parent, header->Keys().back())) {
      Damaged(path, "its name does not fit its content");
    } else {
      Add(name, *header);
    }
  }
  for (const std::string& name : known) Forget(name);
}

void DiskTier::Add(const std::string& name, const PageFileHeader& header) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto [at, end] = files_.equal_range(header.parent);
  for (; at != end; ++at) {
    if (at->second.name == name) {
      at->second.present = header.present;
      return;
    }
  }
  files_.emplace(header.parent, Entry{name, header.Keys(), header.present});
}

void DiskTier::Forget(const std::string& name) {
  std::lock_guard<std::mutex> lock(mutex_);
  std::erase_if(files_, [&](const auto& f) { return f.second.name == name; });
}

void DiskTier::Damaged(const std::string& path, const std::string& why) {
  Log(LogLevel::kWarning, "removing the cached pages in {}: {}", path, why);
  ::unlink(path.c_str());
  Forget(fs::path(path).filename().string());
  std::lock_guard<std::mutex> lock(mutex_);
  ++stats_.errors;
}

std::pair<std::string, int64_t> DiskTier::BestFile(
    const PrefixKey& parent, std::span<const PrefixKey> keys) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const Entry* best = nullptr;
  int64_t most = 0;
  auto [at, end] = files_.equal_range(parent);
  for (; at != end; ++at) {
    const int64_t common = CommonKeys(at->second.keys, keys);
    // Of two the shorter file has its window at the end of what matches.
    if (common > most || (best != nullptr && common == most &&
                          at->second.keys.size() < best->keys.size())) {
      most = common;
      best = &at->second;
    }
  }
  return {best == nullptr ? std::string() : PathOf(best->name), most};
}

void DiskTier::Prefetch(std::span<const PrefixKey> keys) const {
  constexpr size_t kBlocks = PageFileHeader::kMaxBlocks;
  for (size_t first = 0; first < keys.size(); first += kBlocks) {
    const auto [path, count] =
        BestFile(first == 0 ? PrefixKey{} : keys[first - 1],
                 keys.subspan(first, std::min(kBlocks, keys.size() - first)));
    if (count == 0) return;
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return;
    (void)::posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED);
    ::close(fd);
  }
}

std::unique_ptr<DiskTier::File> DiskTier::Find(
    const PrefixKey& parent, std::span<const PrefixKey> keys) {
  Rescan();
  auto file = std::make_unique<File>();
  std::tie(file->path_, file->matching_) = BestFile(parent, keys);
  if (file->matching_ == 0) return nullptr;
  file->fd_ = ::open(file->path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file->fd_ < 0) {
    Forget(fs::path(file->path_).filename().string());
    return nullptr;
  }
  auto header = ReadHeader(file->fd_);
  if (!header.ok()) {
    Damaged(file->path_, header.status().message());
    return nullptr;
  }
  file->header_ = std::move(header).value();
  file->matching_ = file->header_.parent == parent
                        ? CommonKeys(file->header_.Keys(), keys)
                        : 0;
  if (file->matching_ == 0) return nullptr;
  ::futimens(file->fd_, nullptr);  // used now
  return file;
}

bool DiskTier::Read(const File& file, int64_t block, int64_t group,
                    uint8_t* page) {
  const auto begin = Clock::now();
  const PageFileHeader& header = file.header();
  const size_t bytes = header.page_bytes[static_cast<size_t>(group)];
  if (!ReadAll(file.fd_, page, bytes, header.OffsetOf(block, group)) ||
      PageChecksum(page, bytes) !=
          header.checksums[header.Index(block, group)]) {
    std::memset(page, 0, bytes);  // pages hold finite numbers
    Damaged(file.path_, "a page is not what was written");
    return false;
  }
  const std::chrono::duration<double> took = Clock::now() - begin;
  if (took.count() > 0) {
    read_rate_ +=
        0.05 * (static_cast<double>(bytes) / took.count() - read_rate_);
  }
  std::lock_guard<std::mutex> lock(mutex_);
  ++stats_.reads;
  return true;
}

bool DiskTier::Has(const PrefixKey& parent, std::span<const PrefixKey> keys,
                   std::span<const uint8_t> present) {
  std::string path;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    auto [at, end] = files_.equal_range(parent);
    for (; at != end && path.empty(); ++at) {
      const Entry& entry = at->second;
      if (CommonKeys(entry.keys, keys) == static_cast<int64_t>(keys.size()) &&
          Contained(present, entry.present)) {
        path = PathOf(entry.name);
      }
    }
    for (const Job& job : pending_) {
      if (job.header.parent == parent &&
          job.header.Keys().back() == keys.back())
        return true;
    }
  }
  return !path.empty() && ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0) == 0;
}

bool DiskTier::Write(Job job) {
  const uint64_t bytes = JobBytes(job);
  {
    std::lock_guard<std::mutex> lock(mutex_);
    // One may be larger than what may wait.
    if (stop_ || NowNs() < suspended_until_ns_ ||
        (pending_bytes_ > 0 &&
         pending_bytes_ + bytes > options_.pending_bytes) ||
        bytes > options_.limit_bytes) {
      return false;
    }
    pending_bytes_ += bytes;
    pending_.push_back(std::move(job));
  }
  wake_.notify_all();
  return true;
}

std::vector<DiskTier::Job> DiskTier::TakeWritten() {
  std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(written_, {});
}

void DiskTier::CancelPending() {
  std::lock_guard<std::mutex> lock(mutex_);
  for (Job& job : pending_) {
    pending_bytes_ -= JobBytes(job);
    written_.push_back(std::move(job));
  }
  pending_.clear();
}

void DiskTier::Drain(double seconds) {
  std::unique_lock<std::mutex> lock(mutex_);
  idle_.wait_for(lock, std::chrono::duration<double>(seconds),
                 [&] { return pending_.empty() && !writing_; });
}

DiskTier::Stats DiskTier::stats() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return stats_;
}

void DiskTier::WriterLoop() {
  // Whatever computes goes first. Threads have priorities of their own here.
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), 10);
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return stop_ || !pending_.empty(); });
    if (stop_) return;
    Job job = std::move(pending_.front());
    pending_.pop_front();
    writing_ = true;
    lock.unlock();
    const Status status = WriteFile(job);
    if (status.ok()) {
      KeepToLimit();
    } else {
      Log(LogLevel::kWarning, "cached prompts are not written for a minute: {}",
          status.message());
    }
    lock.lock();
    if (status.ok()) {
      stats_.writes += std::count_if(job.pages.begin(), job.pages.end(),
                                     [](KvPage* page) { return page; });
    } else {
      ++stats_.errors;
      suspended_until_ns_ =
          NowNs() +
          std::chrono::duration_cast<std::chrono::nanoseconds>(kSuspension)
              .count();
    }
    pending_bytes_ -= JobBytes(job);
    written_.push_back(std::move(job));
    writing_ = false;
    idle_.notify_all();
  }
}

Status DiskTier::WriteFile(Job& job) {
  PageFileHeader& header = job.header;
  header.checksums.assign(job.pages.size(), 0);
  for (size_t i = 0; i < job.pages.size(); ++i) {
    if (job.pages[i] == nullptr) continue;
    header.checksums[i] = PageChecksum(
        job.pages[i]->data, header.page_bytes[i % header.page_bytes.size()]);
  }
  static std::atomic<uint64_t> counter{0};
  const std::string name = NameOf(header.parent, header.Keys().back());
  const std::string part = PathOf(
      fmt::format("{}.{}.{}{}", name, ::getpid(), ++counter, kTemporary));
  const int fd = ::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                        S_IRUSR | S_IWUSR);
  if (fd < 0) return Failed("make", part, errno);
  const std::string head = header.Encode();
  Status status = WriteAll(fd, head.data(), head.size(), part);
  for (size_t i = 0; i < job.pages.size() && status.ok(); ++i) {
    if (job.pages[i] == nullptr) continue;
    status = WriteAll(fd, job.pages[i]->data,
                      header.page_bytes[i % header.page_bytes.size()], part);
  }
  if (::close(fd) != 0 && status.ok()) status = Failed("write", part, errno);
  if (status.ok() && ::rename(part.c_str(), PathOf(name).c_str()) != 0) {
    status = Failed("rename", part, errno);
  }
  if (!status.ok()) {
    ::unlink(part.c_str());
    return status;
  }
  Add(name, header);
  DropContained(header, name);
  return OkStatus();
}

void DiskTier::DropContained(const PageFileHeader& header,
                             const std::string& name) {
  const std::vector<PrefixKey> keys = header.Keys();
  std::vector<std::string> gone;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    auto [at, end] = files_.equal_range(header.parent);
    for (; at != end; ++at) {
      const Entry& entry = at->second;
      if (entry.name != name &&
          CommonKeys(entry.keys, keys) ==
              static_cast<int64_t>(entry.keys.size()) &&
          Contained(entry.present, header.present)) {
        gone.push_back(entry.name);
      }
    }
  }
  for (const std::string& old : gone) {
    ::unlink(PathOf(old).c_str());
    Forget(old);
  }
}

void DiskTier::KeepToLimit() {
  struct Found {
    int64_t used_ns;
    uint64_t bytes;
    std::string path;
  };
  std::vector<Found> found;
  uint64_t total = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator
           it(options_.folder, fs::directory_options::skip_permission_denied,
              error),
       end;
       !error && it != end; it.increment(error)) {
    if (it.depth() > 1) it.disable_recursion_pending();
    const std::string path = it->path().string();
    struct stat info;
    if (!path.ends_with(kSuffix) || ::lstat(path.c_str(), &info) != 0 ||
        !S_ISREG(info.st_mode)) {
      continue;
    }
    found.push_back({static_cast<int64_t>(info.st_mtim.tv_sec) * 1000000000 +
                         info.st_mtim.tv_nsec,
                     static_cast<uint64_t>(info.st_size), path});
    total += found.back().bytes;
  }
  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
    return a.used_ns < b.used_ns;
  });
  for (const Found& file : found) {
    if (total <= options_.limit_bytes) break;
    if (::unlink(file.path.c_str()) == 0) total -= file.bytes;
    Forget(fs::path(file.path).filename().string());
  }
  std::lock_guard<std::mutex> lock(mutex_);
  stats_.bytes = total;
}

}  // namespace carat
