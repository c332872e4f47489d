#include "store/pulled.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>
#include <utility>

#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"
#include "store/files.h"
#include "store/gguf_names.h"
#include "store/hub/hub_path.h"

namespace carat {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxRecordBytes = 8 << 20;
constexpr size_t kMaxNameBytes = 220;
constexpr int kVersion = 1;

std::string RecordFolder(const std::string& models_folder) {
  return models_folder + "/pulled";
}

// Case does not part names, so neither do files.
std::string RecordPath(const std::string& models_folder,
                       const std::string& name) {
  return RecordFolder(models_folder) + "/" +
         UrlEncode(LowerAscii(name), Slash::kEncode) + ".json";
}

std::string StringIn(const Json& object, std::string_view key) {
  const Json* member = object.Find(key);
  return member != nullptr && member->is_string() ? member->as_string() : "";
}

int64_t IntIn(const Json& object, std::string_view key) {
  const Json* member = object.Find(key);
  return member != nullptr && member->is_int() ? member->as_int() : -1;
}

Status Failed(const char* what, const std::string& path, int error) {
  return FailedPrecondition(
      fmt::format("{} {} failed: {}.", what, path, std::strerror(error)));
}

// The name appears only once all bytes are on the disk.
Status WriteAtOnce(const std::string& path, const std::string& text) {
  std::string part = path + ".XXXXXX";
  const int fd = mkostemp(part.data(), O_CLOEXEC);
  if (fd < 0) return Failed("Writing", part, errno);
  bool good = fchmod(fd, 0644) == 0;
  std::string_view rest = text;
  while (good && !rest.empty()) {
    const ssize_t n = write(fd, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    good = n > 0;
    if (good) rest.remove_prefix(static_cast<size_t>(n));
  }
  good = good && fsync(fd) == 0;
  const int error = errno;
  close(fd);
  if (good && rename(part.c_str(), path.c_str()) == 0) return OkStatus();
  const Status status = Failed("Writing", path, good ? errno : error);
  unlink(part.c_str());
  return status;
}

// "folder/path" of every file that a record names.
std::set<std::string> NamedFiles(const std::string& models_folder) {
  std::vector<std::string> notes;
  std::set<std::string> out;
  for (const PulledModel& model : ListPulled(models_folder, &notes)) {
    for (const PulledFile& file : model.files) {
      out.insert(model.folder + "/" + file.path);
    }
  }
  return out;
}

}  // namespace

uint64_t PulledModel::bytes() const {
  uint64_t sum = 0;
  for (const PulledFile& file : files) sum += file.bytes;
  return sum;
}

std::string PulledModel::digest() const {
  if (files.size() == 1) return files.front().sha256;
  Sha256 hash;
  for (const PulledFile& file : files) {
    hash.Update(file.path + "\n" + file.sha256 + "\n");
  }
  return ToHex(hash.Finish());
}

std::vector<std::string> PulledModel::aliases() const {
  std::vector<std::string> out;
  const auto add = [&](const std::string& alias) {
    if (alias != name) out.push_back(alias);
  };
  const std::string stem = ParseSplitName(GgufStem(model)).base;
  const std::string base = stem.substr(stem.rfind('/') + 1);
  if (!base.empty()) {
    add(base);
    add(base + ".gguf");
  }
  if (repository.empty()) return out;
  const std::string short_repo = repository.substr(repository.find('/') + 1);
  for (const std::string& repo :
       {repository, short_repo, "hf.co/" + repository}) {
    add(repo);
    if (!quantisation.empty()) add(repo + ":" + quantisation);
    if (!base.empty()) {
      add(repo + "/" + base);
      add(repo + "/" + base + ".gguf");
    }
  }
  return out;
}

bool IsPulledName(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes) return false;
  constexpr std::string_view kMarks = ".-_:";
  int slashes = 0;
  bool first = true;
  for (const char c : name) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                       (c >= 'A' && c <= 'Z');
    if (c == '/') ++slashes;
    if (first && !plain) return false;
    if (!plain && c != '/' && kMarks.find(c) == std::string_view::npos) {
      return false;
    }
    first = c == '/';
  }
  return !first && slashes <= 2;
}

std::string WriteRecord(const PulledModel& model) {
  Json files = Json::MakeArray();
  for (const PulledFile& file : model.files) {
    Json one = Json::MakeObject();
    one.Set("path", file.path);
    one.Set("bytes", file.bytes);
    one.Set("sha256", file.sha256);
    files.Append(std::move(one));
  }
  Json out = Json::MakeObject();
  out.Set("version", kVersion);
  out.Set("name", model.name);
  out.Set("repository", model.repository);
  out.Set("revision", model.revision);
  out.Set("folder", model.folder);
  out.Set("model", model.model);
  out.Set("quantisation", model.quantisation);
  out.Set("pulled", model.pulled_s);
  out.Set("files", std::move(files));
  return out.Dump(2) + "\n";
}

Result<PulledModel> ReadRecord(std::string_view text) {
  CARAT_ASSIGN_OR_RETURN(const Json json, Json::Parse(text, 16));
  if (IntIn(json, "version") != kVersion) {
    return Unsupported("the record is not of version 1");
  }
  PulledModel out = {.name = StringIn(json, "name"),
                     .repository = StringIn(json, "repository"),
                     .revision = StringIn(json, "revision"),
                     .folder = StringIn(json, "folder"),
                     .model = StringIn(json, "model"),
                     .quantisation = StringIn(json, "quantisation"),
                     .pulled_s = std::max<int64_t>(IntIn(json, "pulled"), 0)};
  if (!IsPulledName(out.name) || !IsSafeHubPath(out.folder) ||
      (!out.model.empty() && !IsSafeHubPath(out.model))) {
    return Malformed("the record has a name or path that cannot be one");
  }
  const Json* files = json.Find("files");
  if (files == nullptr || !files->is_array() || files->as_array().empty()) {
    return Malformed("the record names no files");
  }
  bool has_model = out.model.empty();
  for (const Json& entry : files->as_array()) {
    PulledFile file = {.path = StringIn(entry, "path"),
                       .sha256 = StringIn(entry, "sha256")};
    const int64_t bytes = IntIn(entry, "bytes");
    if (!IsSafeHubPath(file.path) || bytes < 0 ||
        !IsHexDigest(file.sha256, 64)) {
      return Malformed("the record has a file that cannot be one");
    }
    file.bytes = static_cast<uint64_t>(bytes);
    has_model |= file.path == out.model;
    out.files.push_back(std::move(file));
  }
  if (!has_model) return Malformed("the record's model is not among its files");
  return out;
}

std::vector<PulledModel> ListPulled(const std::string& models_folder,
                                    std::vector<std::string>* notes) {
  std::vector<PulledModel> out;
  for (const FileEntry& entry :
       ListFolder(RecordFolder(models_folder), notes)) {
    if (!entry.is_file || !entry.name.ends_with(".json")) continue;
    auto model = ReadRecord(ReadSmallFile(entry.path, kMaxRecordBytes));
    if (!model.ok()) {
      notes->push_back(fmt::format("{} is skipped: {}.",
                                   QuoteForMessage(entry.path, 200),
                                   model.status().message()));
      continue;
    }
    out.push_back(std::move(model).value());
  }
  return out;
}

std::string PulledPath(const std::string& models_folder,
                       const PulledModel& model) {
  const std::string folder = models_folder + "/" + model.folder;
  return model.model.empty() ? folder : folder + "/" + model.model;
}

void DropFiles(const std::string& models_folder, const PulledModel& model) {
  const std::set<std::string> named = NamedFiles(models_folder);
  std::error_code error;
  for (const PulledFile& file : model.files) {
    const std::string path = model.folder + "/" + file.path;
    if (named.contains(path)) continue;
    fs::remove(models_folder + "/" + path, error);
  }
  // Folders that have become empty, up to the models folder.
  for (const PulledFile& file : model.files) {
    fs::path at = fs::path(model.folder) / fs::path(file.path).parent_path();
    if (!at.has_filename()) at = at.parent_path();
    for (; !at.empty(); at = at.parent_path()) {
      if (rmdir((models_folder + "/" + at.string()).c_str()) != 0 &&
          errno != ENOENT) {
        break;
      }
    }
  }
}

Status SavePulled(const std::string& models_folder, const PulledModel& model) {
  std::error_code error;
  fs::create_directories(RecordFolder(models_folder), error);
  if (error) {
    return Failed("Making the folder", RecordFolder(models_folder),
                  error.value());
  }
  const std::string path = RecordPath(models_folder, model.name);
  const auto old = ReadRecord(ReadSmallFile(path, kMaxRecordBytes));
  CARAT_RETURN_IF_ERROR(WriteAtOnce(path, WriteRecord(model)));
  if (old.ok()) DropFiles(models_folder, *old);
  return OkStatus();
}

Status RemovePulled(const std::string& models_folder, const std::string& name) {
  const std::string path = RecordPath(models_folder, name);
  const auto old = ReadRecord(ReadSmallFile(path, kMaxRecordBytes));
  if (unlink(path.c_str()) != 0) {
    if (errno != ENOENT) return Failed("Deleting", path, errno);
    return NotFound(
        fmt::format("No model {} was pulled.", QuoteForMessage(name)));
  }
  if (old.ok()) DropFiles(models_folder, *old);
  return OkStatus();
}

}  // namespace carat
