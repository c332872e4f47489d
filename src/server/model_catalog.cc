#include "server/model_catalog.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/hash.h"
#include "base/utf8.h"
#include "chat/chat_format.h"
#include "formats/model_file.h"
#include "tokenizer/tokenizer.h"

namespace carat {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kRescan = std::chrono::seconds(2);
constexpr size_t kMaxShownArray = 16;  // metadata arrays that are longer: size

// Ollama names its files by content; for others the digest stands for path,
// size and time of the last change.
std::string DigestOf(const std::string& path, uint64_t bytes,
                     int64_t modified) {
  constexpr std::string_view kBlob = "sha256-";
  const size_t slash = path.rfind('/');
  const std::string file =
      path.substr(slash == std::string::npos ? 0 : slash + 1);
  if (file.size() == kBlob.size() + 64 && file.starts_with(kBlob)) {
    return file.substr(kBlob.size());
  }
  return Sha256Hex(fmt::format("{}\n{}\n{}", path, bytes, modified));
}

HostedModel Hosted(const FoundModel& found) {
  HostedModel model = {
      .name = found.name, .path = found.path, .bytes = found.bytes};
  struct stat info = {};
  if (stat(found.path.c_str(), &info) == 0) model.modified_s = info.st_mtime;
  model.digest = found.digest;
  if (model.digest.empty()) {
    model.digest = DigestOf(model.path, model.bytes, model.modified_s);
  }
  return model;
}

// A model given by its path.
Result<HostedModel> AtPath(const std::string& path) {
  CARAT_ASSIGN_OR_RETURN(const auto file, ModelFile::Open(path));
  FoundModel found = {.path = path, .bytes = file->file_bytes()};
  std::filesystem::path name(path);
  if (!name.has_filename()) name = name.parent_path();
  found.name = name.extension() == ".gguf" ? name.stem() : name.filename();
  return Hosted(found);
}

Json MetaJson(const MetaValue& value) {
  if (const auto* i = std::get_if<int64_t>(&value)) return *i;
  if (const auto* u = std::get_if<uint64_t>(&value)) return *u;
  if (const auto* d = std::get_if<double>(&value)) return *d;
  if (const auto* b = std::get_if<bool>(&value)) return *b;
  if (const auto* s = std::get_if<std::string_view>(&value)) {
    return SanitizeUtf8(*s);
  }
  const MetaArray& array = std::get<MetaArray>(value);
  if (array.count > kMaxShownArray) return nullptr;
  Json out = Json::MakeArray();
  for (size_t i = 0; i < array.count; ++i) {
    if (array.type == MetaType::kString) {
      out.Append(SanitizeUtf8(array.strings[i]));
    } else if (array.type == MetaType::kF32 || array.type == MetaType::kF64) {
      out.Append(array.DoubleAt(i));
    } else {
      out.Append(array.IntAt(i));
    }
  }
  return out;
}

}  // namespace

Status ModelCatalog::Pin(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (IsModelPath(name)) {
      CARAT_ASSIGN_OR_RETURN(HostedModel model, AtPath(name));
      pinned_.push_back(std::move(model));
    } else {
      CARAT_ASSIGN_OR_RETURN(const FoundModel found, Scan()->Resolve(name));
      pinned_.push_back(Hosted(found));
    }
  }
  return OkStatus();
}

std::shared_ptr<const Store> ModelCatalog::Scan() {
  std::lock_guard lock(mutex_);
  if (store_ == nullptr || Clock::now() - scanned_ > kRescan) {
    store_ = std::make_shared<Store>(options_.roots);
    scanned_ = Clock::now();
  }
  return store_;
}

void ModelCatalog::Rescan() {
  std::lock_guard lock(mutex_);
  store_.reset();
}

std::vector<HostedModel> ModelCatalog::List() {
  std::vector<HostedModel> out = pinned_;
  for (const FoundModel& found : Scan()->models()) {
    const bool known = std::any_of(
        out.begin(), out.end(),
        [&](const HostedModel& model) { return model.name == found.name; });
    if (!known) out.push_back(Hosted(found));
  }
  std::sort(out.begin(), out.end(),
            [](const HostedModel& a, const HostedModel& b) {
              return a.name < b.name;
            });
  return out;
}

Result<HostedModel> ModelCatalog::FindExact(std::string_view name) {
  for (const HostedModel& model : pinned_) {
    if (model.name == name) return model;
  }
  // Never a path: names of requests do not reach the file system.
  auto found = Scan()->Resolve(name);
  if (found.ok()) return Hosted(*found);
  constexpr std::string_view kLatest = ":latest";
  if (found.status().code() == StatusCode::kNotFound &&
      name.ends_with(kLatest)) {
    return FindExact(name.substr(0, name.size() - kLatest.size()));
  }
  return found.status();
}

Result<HostedModel> ModelCatalog::Find(std::string_view name) {
  if (name.empty()) {
    if (!pinned_.empty()) return pinned_.front();
    const std::vector<HostedModel> all = List();
    if (all.size() == 1) return all.front();
    return InvalidArgument(
        "The request names no model and the server has no default; name one "
        "of /v1/models.");
  }
  const auto alias = options_.aliases.find(std::string(name));
  if (alias != options_.aliases.end()) return FindExact(alias->second);
  auto found = FindExact(name);
  const auto any = options_.aliases.find("*");
  if (!found.ok() && found.status().code() == StatusCode::kNotFound &&
      any != options_.aliases.end()) {
    return FindExact(any->second);
  }
  return found;
}

bool ModelCatalog::IsPinned(const HostedModel& model) const {
  return std::any_of(
      pinned_.begin(), pinned_.end(),
      [&](const HostedModel& other) { return other.path == model.path; });
}

Result<ModelInfo> ModelCatalog::Describe(const HostedModel& model) {
  {
    std::lock_guard lock(mutex_);
    const auto known = described_.find(model.digest);
    if (known != described_.end()) return known->second;
  }
  CARAT_ASSIGN_OR_RETURN(const auto file, ModelFile::Open(model.path));
  CARAT_ASSIGN_OR_RETURN(ModelInfo info, ReadModelInfo(*file));
  CARAT_ASSIGN_OR_RETURN(const auto tokenizer, Tokenizer::FromModelFile(*file));
  info.capabilities = {"completion"};
  const auto format = DetectChatFormat(*file, *tokenizer, options_.chat_format);
  if (format.ok()) {
    info.chat_format = std::string((*format)->name());
    if (info.chat_format != "none") info.capabilities.push_back("chat");
    if ((*format)->supports_tools()) info.capabilities.push_back("tools");
    if ((*format)->supports_thinking()) info.capabilities.push_back("thinking");
  }
  std::lock_guard lock(mutex_);
  described_[model.digest] = info;
  return info;
}

Result<Json> ModelCatalog::Metadata(const HostedModel& model) {
  CARAT_ASSIGN_OR_RETURN(const auto file, ModelFile::Open(model.path));
  Json out = Json::MakeObject();
  for (const auto& [key, value] : file->metadata().all()) {
    out.Set(SanitizeUtf8(key), MetaJson(value));
  }
  if (file->kind() == ModelFile::Kind::kSafetensors) out = file->config();
  return out;
}

}  // namespace carat
