#include "store/scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>

#include "base/utf8.h"
#include "store/files.h"
#include "store/ollama.h"

namespace carat {
namespace {

constexpr std::string_view kGgufEnd = ".gguf";

std::string Upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return std::toupper(c); });
  return out;
}

bool HasGgufEnd(std::string_view name) {
  return name.size() > kGgufEnd.size() &&
         Upper(name.substr(name.size() - kGgufEnd.size())) == ".GGUF";
}

std::string Stem(std::string_view name) {
  return std::string(
      HasGgufEnd(name) ? name.substr(0, name.size() - kGgufEnd.size()) : name);
}

// Vision and audio towers that other programs keep in a file of their own.
bool IsProjector(std::string_view name) {
  return Upper(name).find("MMPROJ") != std::string::npos;
}

// "model-00002-of-00004" -> part 2; `base` becomes "model".
struct SplitName {
  std::string base;
  int part = 0;  // 0: not a part of a series
};
SplitName ParseSplit(const std::string& stem) {
  constexpr size_t kTail = sizeof("-00001-of-00002") - 1;
  SplitName out{.base = stem};
  if (stem.size() <= kTail) return out;
  const std::string tail = stem.substr(stem.size() - kTail);
  for (size_t i = 0; i < kTail; ++i) {
    const bool digit = (i >= 1 && i <= 5) || i >= 10;
    const char wanted = "-00000-of-00000"[i];
    if (digit ? std::isdigit(static_cast<unsigned char>(tail[i])) == 0
              : tail[i] != wanted) {
      return out;
    }
  }
  out.part = std::atoi(tail.substr(1, 5).c_str());
  out.base = stem.substr(0, stem.size() - kTail);
  return out;
}

// A GGUF or a series of parts within one folder.
struct GgufEntry {
  std::string base;   // file name without end and part number
  std::string first;  // path of the file or of part 1
  uint64_t bytes = 0;
};

std::vector<GgufEntry> GgufsIn(const std::vector<FileEntry>& entries) {
  std::map<std::string, GgufEntry> series;
  for (const FileEntry& entry : entries) {
    if (!entry.is_file || !HasGgufEnd(entry.name)) continue;
    if (IsProjector(entry.name)) continue;
    const SplitName split = ParseSplit(Stem(entry.name));
    GgufEntry& gguf = series[split.base];
    gguf.base = split.base;
    gguf.bytes += entry.bytes;
    if (split.part <= 1) gguf.first = entry.path;
  }
  std::vector<GgufEntry> out;
  for (auto& [base, gguf] : series) {
    if (!gguf.first.empty()) out.push_back(std::move(gguf));
  }
  return out;
}

// Bytes of the safetensors files if the folder is a complete model, else 0.
uint64_t SafetensorsBytes(const std::vector<FileEntry>& entries) {
  bool config = false;
  uint64_t bytes = 0;
  for (const FileEntry& entry : entries) {
    if (!entry.is_file) continue;
    if (entry.name == "config.json") config = true;
    if (entry.name.ends_with(".safetensors")) bytes += entry.bytes;
  }
  return config ? bytes : 0;
}

void AddAlias(FoundModel* model, std::string alias) {
  if (alias.empty() || alias == model->name) return;
  auto& all = model->aliases;
  if (std::find(all.begin(), all.end(), alias) == all.end()) {
    all.push_back(std::move(alias));
  }
}

// Models in the folder of one repository ("org/repo"), as Hugging Face and LM
// Studio arrange them.
void AddRepository(const std::string& folder, const std::string& repo,
                   StoreKind kind, ScanResult* out) {
  const std::vector<FileEntry> entries = ListFolder(folder, &out->notes);
  const std::string short_repo = repo.substr(repo.find('/') + 1);
  const std::vector<GgufEntry> ggufs = GgufsIn(entries);
  std::map<std::string, int> quantisations;
  for (const GgufEntry& gguf : ggufs) {
    ++quantisations[QuantisationInName(gguf.base)];
  }
  for (const GgufEntry& gguf : ggufs) {
    FoundModel model{.path = gguf.first, .store = kind, .bytes = gguf.bytes};
    const std::string quantisation = QuantisationInName(gguf.base);
    const bool unique =
        !quantisation.empty() && quantisations[quantisation] == 1;
    model.name = unique ? repo + ":" + quantisation : repo + "/" + gguf.base;
    AddAlias(&model, repo + "/" + gguf.base + ".gguf");
    AddAlias(&model, repo + "/" + gguf.base);
    AddAlias(&model, gguf.base);
    AddAlias(&model, gguf.base + ".gguf");
    if (unique) AddAlias(&model, short_repo + ":" + quantisation);
    AddAlias(&model, repo);
    AddAlias(&model, short_repo);
    out->models.push_back(std::move(model));
  }
  if (const uint64_t bytes = SafetensorsBytes(entries)) {
    FoundModel model{
        .name = repo, .path = folder, .store = kind, .bytes = bytes};
    AddAlias(&model, short_repo);
    out->models.push_back(std::move(model));
  }
}

// carat's own folder: GGUF files and model folders, at most two folders deep.
void ScanCarat(const std::string& folder, int depth, ScanResult* out) {
  const std::vector<FileEntry> entries = ListFolder(folder, &out->notes);
  for (const GgufEntry& gguf : GgufsIn(entries)) {
    FoundModel model{.name = gguf.base,
                     .path = gguf.first,
                     .store = StoreKind::kCarat,
                     .bytes = gguf.bytes};
    AddAlias(&model, gguf.base + ".gguf");
    const std::string quantisation = QuantisationInName(gguf.base);
    if (!quantisation.empty() && gguf.base.size() > quantisation.size() + 1) {
      AddAlias(&model,
               gguf.base.substr(0, gguf.base.size() - quantisation.size() - 1));
    }
    out->models.push_back(std::move(model));
  }
  for (const FileEntry& entry : entries) {
    if (!entry.is_folder || entry.name.starts_with(".")) continue;
    std::vector<std::string> unused;
    if (const uint64_t bytes =
            SafetensorsBytes(ListFolder(entry.path, &unused))) {
      out->models.push_back({.name = entry.name,
                             .path = entry.path,
                             .store = StoreKind::kCarat,
                             .bytes = bytes});
    }
    if (depth > 0) ScanCarat(entry.path, depth - 1, out);
  }
}

// The snapshot that refs/main names, or the newest one.
std::string SnapshotFolder(const std::string& repo_folder,
                           std::vector<std::string>* notes) {
  const std::string main = ReadSmallFile(repo_folder + "/refs/main", 256);
  std::string revision = main.substr(0, main.find_last_not_of(" \r\n") + 1);
  const std::vector<FileEntry> snapshots =
      ListFolder(repo_folder + "/snapshots", notes);
  const FileEntry* newest = nullptr;
  for (const FileEntry& entry : snapshots) {
    if (!entry.is_folder) continue;
    if (entry.name == revision) return entry.path;
    if (newest == nullptr || entry.modified > newest->modified) {
      newest = &entry;
    }
  }
  return newest == nullptr ? "" : newest->path;
}

void ScanHuggingFace(const std::string& root, ScanResult* out) {
  constexpr std::string_view kPrefix = "models--";
  for (const FileEntry& entry : ListFolder(root, &out->notes)) {
    if (!entry.is_folder || !entry.name.starts_with(kPrefix)) continue;
    std::string repo = entry.name.substr(kPrefix.size());
    if (const size_t dashes = repo.find("--"); dashes != std::string::npos) {
      repo.replace(dashes, 2, "/");
    }
    const std::string folder = SnapshotFolder(entry.path, &out->notes);
    if (!folder.empty()) {
      AddRepository(folder, repo, StoreKind::kHuggingFace, out);
    }
  }
}

void ScanLmStudio(const std::string& root, ScanResult* out) {
  for (const FileEntry& publisher : ListFolder(root, &out->notes)) {
    if (!publisher.is_folder) continue;
    for (const FileEntry& repo : ListFolder(publisher.path, &out->notes)) {
      if (!repo.is_folder) continue;
      AddRepository(repo.path, publisher.name + "/" + repo.name,
                    StoreKind::kLmStudio, out);
    }
  }
}

bool IsQuantisation(const std::string& word) {
  static constexpr std::array<std::string_view, 7> kPlain = {
      "F32", "F16", "BF16", "FP16", "MXFP4", "FP32", "Q8_0"};
  if (std::find(kPlain.begin(), kPlain.end(), word) != kPlain.end()) {
    return true;
  }
  const size_t digit = word.starts_with("IQ") ? 2 : 1;
  return (word.starts_with("Q") || word.starts_with("IQ")) &&
         word.size() > digit + 2 &&
         std::isdigit(static_cast<unsigned char>(word[digit])) != 0 &&
         word[digit + 1] == '_';
}

}  // namespace

std::string QuantisationInName(std::string_view file_name) {
  const std::string stem = Upper(Stem(file_name));
  const size_t cut = stem.find_last_of("-.");
  const std::string word =
      cut == std::string::npos ? stem : stem.substr(cut + 1);
  return IsQuantisation(word) ? word : "";
}

ScanResult ScanRoot(const StoreRoot& root) {
  ScanResult out;
  if (!FolderExists(root.path)) return out;
  switch (root.kind) {
    case StoreKind::kCarat:
      ScanCarat(root.path, 1, &out);
      break;
    case StoreKind::kOllama:
      ScanOllama(root.path, &out);
      break;
    case StoreKind::kHuggingFace:
      ScanHuggingFace(root.path, &out);
      break;
    case StoreKind::kLmStudio:
      ScanLmStudio(root.path, &out);
      break;
  }
  std::stable_sort(
      out.models.begin(), out.models.end(),
      [](const FoundModel& a, const FoundModel& b) { return a.name < b.name; });
  return out;
}

}  // namespace carat
