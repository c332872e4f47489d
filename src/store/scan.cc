#include "store/scan.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>

#include "base/utf8.h"
#include "store/files.h"
#include "store/gguf_names.h"
#include "store/ollama.h"
#include "store/pulled.h"

namespace carat {
namespace {

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
    if (IsProjectorName(entry.name)) continue;
    const SplitName split = ParseSplitName(GgufStem(entry.name));
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

// Models with a record; their files lie deeper than ScanCarat looks.
void ScanPulled(const std::string& root, ScanResult* out) {
  for (const PulledModel& pulled : ListPulled(root, &out->notes)) {
    FoundModel model{.name = pulled.name,
                     .aliases = pulled.aliases(),
                     .path = PulledPath(root, pulled),
                     .store = StoreKind::kCarat,
                     .bytes = pulled.bytes(),
                     .repository = pulled.repository,
                     .revision = pulled.revision,
                     .digest = pulled.digest()};
    const bool whole = std::all_of(
        pulled.files.begin(), pulled.files.end(), [&](const PulledFile& file) {
          struct stat info;
          const std::string path = root + "/" + pulled.folder + "/" + file.path;
          return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
                 static_cast<uint64_t>(info.st_size) == file.bytes;
        });
    if (whole) {
      out->models.push_back(std::move(model));
    } else {
      out->notes.push_back(
          fmt::format("{} is skipped: files of it are missing or changed; pull "
                      "it again.",
                      QuoteForMessage(pulled.name)));
    }
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

}  // namespace

ScanResult ScanRoot(const StoreRoot& root) {
  ScanResult out;
  if (!FolderExists(root.path)) return out;
  switch (root.kind) {
    case StoreKind::kCarat:
      ScanPulled(root.path, &out);
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
