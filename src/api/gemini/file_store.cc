#include "api/gemini/file_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "api/ids.h"
#include "api/wire_time.h"
#include "base/hash.h"

namespace carat {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kNsPerSecond = 1'000'000'000;

// Who asks can do nothing about a full disk but try again later.
Status WriteError(const std::string& what) {
  const bool full = errno == ENOSPC || errno == EDQUOT;
  return Status(
      full ? StatusCode::kUnavailable : StatusCode::kInternal,
      fmt::format("{} cannot be written: {}.", what, std::strerror(errno)));
}

// What a client was told is kept stays when the machine goes down.
bool Sync(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool synced = fsync(fd) == 0;
  close(fd);
  return synced;
}

Json ToJson(const StoredFile& file) {
  Json out = Json::MakeObject();
  out.Set("caller", file.caller);
  out.Set("display_name", file.display_name);
  out.Set("mime_type", file.mime_type);
  out.Set("bytes", file.bytes);
  out.Set("sha256", file.sha256);
  out.Set("created_ns", file.created_ns);
  out.Set("expires_ns", file.expires_ns);
  return out;
}

bool FromJson(const Json& json, StoredFile* file) {
  const auto text = [&](const char* name, std::string* to) {
    const Json* found = json.Find(name);
    if (found == nullptr || !found->is_string()) return false;
    *to = found->as_string();
    return true;
  };
  const auto number = [&](const char* name, int64_t* to) {
    const Json* found = json.Find(name);
    if (found == nullptr || !found->is_int()) return false;
    *to = found->as_int();
    return true;
  };
  return text("caller", &file->caller) &&
         text("display_name", &file->display_name) &&
         text("mime_type", &file->mime_type) && number("bytes", &file->bytes) &&
         text("sha256", &file->sha256) &&
         number("created_ns", &file->created_ns) &&
         number("expires_ns", &file->expires_ns);
}

std::string ReadWhole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

}  // namespace

struct FileStore::Upload {
  std::mutex mutex;  // one piece at a time
  StoredFile file;
  int64_t announced = 0;  // 0: not known
  int64_t received = 0;
  std::ofstream out;
  Sha256 hash;
  int64_t touched_ns = 0;  // guarded by the store's mutex
  bool over = false;       // finished or abandoned
};

FileStore::FileStore(const Options& options) : options_(options) {}

FileStore::~FileStore() {
  for (const auto& [id, upload] : uploads_) Forget(upload->file.id);
}

std::string FileStore::PathOf(const std::string& id,
                              std::string_view suffix) const {
  return fmt::format("{}/{}{}", options_.folder, id, suffix);
}

void FileStore::Forget(const std::string& id) {
  std::error_code ignored;
  fs::remove(PathOf(id, ".json"), ignored);
  fs::remove(PathOf(id, ".json.new"), ignored);
  fs::remove(PathOf(id, ".bin"), ignored);
}

Result<std::unique_ptr<FileStore>> FileStore::Open(const Options& options) {
  std::error_code error;
  fs::create_directories(options.folder, error);
  if (!error) {
    fs::permissions(options.folder, fs::perms::owner_all, error);
  }
  if (error) {
    return Internal(
        fmt::format("The folder for uploaded files {} cannot be made: {}.",
                    options.folder, error.message()));
  }
  std::unique_ptr<FileStore> store(new FileStore(options));
  store->LoadFolder();
  return store;
}

void FileStore::LoadFolder() {
  std::error_code error;
  std::vector<std::string> incomplete;
  for (const auto& entry : fs::directory_iterator(options_.folder, error)) {
    const fs::path name = entry.path().filename();
    if (name.extension() != ".bin") continue;
    StoredFile file;
    file.id = name.stem().string();
    const auto json = Json::Parse(ReadWhole(PathOf(file.id, ".json")));
    std::error_code size_error;
    const bool whole = json.ok() && FromJson(*json, &file) &&
                       static_cast<int64_t>(fs::file_size(
                           entry.path(), size_error)) == file.bytes &&
                       !size_error;
    if (!whole) {  // an upload that never ended
      incomplete.push_back(file.id);
      continue;
    }
    total_bytes_ += file.bytes;
    files_[file.id] = std::move(file);
  }
  for (const std::string& id : incomplete) Forget(id);
  DropOld();
}

void FileStore::DropOld() {
  const int64_t now_ns = WallClockNs();
  for (auto at = files_.begin(); at != files_.end();) {
    const auto here = at++;
    if (here->second.expires_ns > now_ns) continue;
    Forget(here->first);
    total_bytes_ -= here->second.bytes;
    files_.erase(here);
  }
  for (auto at = uploads_.begin(); at != uploads_.end();) {
    const auto here = at++;
    const std::shared_ptr<Upload> held = here->second;
    Upload& upload = *held;
    if (upload.touched_ns + options_.upload_s * kNsPerSecond > now_ns) continue;
    const std::unique_lock<std::mutex> idle(upload.mutex, std::try_to_lock);
    if (!idle) continue;  // a piece is being written
    upload.over = true;
    Forget(upload.file.id);
    total_bytes_ -= upload.received;
    uploads_.erase(here);
  }
}

Result<std::string> FileStore::BeginUpload(const StoredFile& announced) {
  if (announced.bytes > options_.max_file_bytes) {
    return InvalidArgument(
        fmt::format("The file has {} bytes; at most {} are possible.",
                    announced.bytes, options_.max_file_bytes));
  }
  auto upload = std::make_shared<Upload>();
  upload->file = announced;
  upload->file.id = NewId("");
  upload->announced = announced.bytes;
  std::lock_guard<std::mutex> lock(mutex_);
  DropOld();
  if (static_cast<int64_t>(uploads_.size()) >= options_.max_open_uploads) {
    return ResourceExhausted(fmt::format(
        "{} uploads are under way, which is the limit; try again later.",
        uploads_.size()));
  }
  if (total_bytes_ + announced.bytes > options_.max_total_bytes) {
    return ResourceExhausted(
        fmt::format("The stored files take {} bytes of {}; delete some first.",
                    total_bytes_, options_.max_total_bytes));
  }
  upload->out.open(PathOf(upload->file.id, ".bin"), std::ios::binary);
  if (!upload->out) return WriteError("The uploaded file");
  upload->touched_ns = WallClockNs();
  const std::string id = NewId("");
  uploads_[id] = std::move(upload);
  return id;
}

Result<std::shared_ptr<FileStore::Upload>> FileStore::FindUpload(
    const std::string& id) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = uploads_.find(id);
  if (found == uploads_.end()) {
    return NotFound(
        "There is no such upload; it has ended or stood still for "
        "too long. Start it again.");
  }
  found->second->touched_ns = WallClockNs();
  return found->second;
}

Result<int64_t> FileStore::Append(const std::string& id, int64_t offset,
                                  std::string_view bytes) {
  CARAT_ASSIGN_OR_RETURN(const std::shared_ptr<Upload> upload, FindUpload(id));
  std::lock_guard<std::mutex> piece(upload->mutex);
  if (upload->over) return NotFound("The upload has ended.");
  if (offset != upload->received) {
    return InvalidArgument(
        fmt::format("The piece starts at byte {}, but {} have been received; "
                    "go on from there.",
                    offset, upload->received));
  }
  const int64_t size = static_cast<int64_t>(bytes.size());
  const int64_t most =
      upload->announced > 0 ? upload->announced : options_.max_file_bytes;
  if (size > most - upload->received) {
    return InvalidArgument(fmt::format(
        "The file would have {} bytes; {} were announced or are possible.",
        upload->received + size, most));
  }
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (total_bytes_ + size > options_.max_total_bytes) {
      return ResourceExhausted(fmt::format(
          "The stored files take {} bytes of {}; delete some first.",
          total_bytes_, options_.max_total_bytes));
    }
    total_bytes_ += size;
    upload->received += size;
  }
  upload->out.write(bytes.data(), static_cast<std::streamsize>(size));
  if (!upload->out) return WriteError("The uploaded file");
  upload->hash.Update(bytes);
  return upload->received;
}

Result<int64_t> FileStore::Received(const std::string& id) {
  CARAT_ASSIGN_OR_RETURN(const std::shared_ptr<Upload> upload, FindUpload(id));
  std::lock_guard<std::mutex> piece(upload->mutex);
  return upload->received;
}

Result<StoredFile> FileStore::Finish(const std::string& id) {
  CARAT_ASSIGN_OR_RETURN(const std::shared_ptr<Upload> upload, FindUpload(id));
  std::lock_guard<std::mutex> piece(upload->mutex);
  if (upload->over) return NotFound("The upload has ended.");
  if (upload->announced > 0 && upload->received != upload->announced) {
    return InvalidArgument(
        fmt::format("The upload ended after {} bytes; {} were announced.",
                    upload->received, upload->announced));
  }
  upload->out.close();
  if (!upload->out || !Sync(PathOf(upload->file.id, ".bin"))) {
    return WriteError("The uploaded file");
  }
  StoredFile file = upload->file;
  file.bytes = upload->received;
  file.sha256 = ToHex(upload->hash.Finish());
  file.created_ns = WallClockNs();
  file.expires_ns = file.created_ns + options_.keep_s * kNsPerSecond;
  // A crash in between leaves bytes without a description, which the next
  // start removes.
  const std::string path = PathOf(file.id, ".json");
  std::ofstream out(path + ".new", std::ios::binary);
  out << ToJson(file).Dump() << "\n";
  out.close();
  std::error_code error;
  const bool written = out && Sync(path + ".new");
  if (written) fs::rename(path + ".new", path, error);
  if (!written || error || !Sync(options_.folder))
    return WriteError("The description of the uploaded file");
  upload->over = true;
  std::lock_guard<std::mutex> lock(mutex_);
  uploads_.erase(id);
  files_[file.id] = file;
  return file;
}

void FileStore::Abandon(const std::string& id) {
  const auto found = FindUpload(id);
  if (!found.ok()) return;
  Upload& upload = **found;
  std::lock_guard<std::mutex> piece(upload.mutex);
  if (upload.over) return;
  upload.over = true;
  upload.out.close();
  std::lock_guard<std::mutex> lock(mutex_);
  Forget(upload.file.id);
  total_bytes_ -= upload.received;
  uploads_.erase(id);
}

Result<StoredFile> FileStore::Find(const std::string& caller,
                                   const std::string& id) {
  std::lock_guard<std::mutex> lock(mutex_);
  DropOld();
  const auto found = files_.find(id);
  if (found == files_.end() || found->second.caller != caller) {
    return NotFound("There is no such file; it may have expired.");
  }
  return found->second;
}

std::vector<StoredFile> FileStore::List(const std::string& caller) {
  std::lock_guard<std::mutex> lock(mutex_);
  DropOld();
  std::vector<StoredFile> out;
  for (const auto& [id, file] : files_) {
    if (file.caller == caller) out.push_back(file);
  }
  std::sort(out.begin(), out.end(),
            [](const StoredFile& a, const StoredFile& b) {
              return a.created_ns < b.created_ns;
            });
  return out;
}

Status FileStore::Delete(const std::string& caller, const std::string& id) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = files_.find(id);
  if (found == files_.end() || found->second.caller != caller) {
    return NotFound("There is no such file; it may have expired.");
  }
  Forget(id);
  total_bytes_ -= found->second.bytes;
  files_.erase(found);
  return OkStatus();
}

Result<std::string> FileStore::Read(const StoredFile& file, int64_t most) {
  if (file.bytes > most) {
    return InvalidArgument(
        fmt::format("The file has {} bytes; at most {} can be read at once.",
                    file.bytes, most));
  }
  std::string bytes = ReadWhole(PathOf(file.id, ".bin"));
  if (static_cast<int64_t>(bytes.size()) != file.bytes) {
    return NotFound("There is no such file; it may have expired.");
  }
  return bytes;
}

}  // namespace carat
