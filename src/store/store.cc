#include "store/store.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "base/utf8.h"

namespace carat {
namespace {

constexpr size_t kMaxNamed = 8;      // names in one message
constexpr size_t kMaxCompared = 96;  // bytes of a name that are compared

std::string Lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return out;
}

// Edits (insert, delete, replace) that turn one text into the other.
size_t EditDistance(std::string_view a, std::string_view b) {
  a = a.substr(0, kMaxCompared);
  b = b.substr(0, kMaxCompared);
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

std::string JoinNames(const std::vector<std::string>& names) {
  const size_t n = std::min(names.size(), kMaxNamed);
  std::string out =
      fmt::format("{}", fmt::join(names.begin(), names.begin() + n, ", "));
  if (n < names.size()) {
    out += fmt::format(" and {} more (see carat list)", names.size() - n);
  }
  return out;
}

// The store that a qualified name begins with; `name` loses the prefix.
std::optional<StoreKind> TakeQualifier(std::string* name) {
  for (const StoreKind kind : {StoreKind::kCarat, StoreKind::kOllama,
                               StoreKind::kHuggingFace, StoreKind::kLmStudio}) {
    const std::string prefix = std::string(StoreKindName(kind)) + ":";
    if (!name->starts_with(prefix)) continue;
    name->erase(0, prefix.size());
    return kind;
  }
  return std::nullopt;
}

}  // namespace

std::string QualifiedName(const FoundModel& model) {
  return std::string(StoreKindName(model.store)) + ":" + model.name;
}

bool IsModelPath(const std::string& argument) {
  struct stat info;
  if (stat(argument.c_str(), &info) == 0) return true;
  if (argument.starts_with("/") || argument.starts_with("./") ||
      argument.starts_with("../") || argument.starts_with("~")) {
    return true;
  }
  // "models/x.gguf" is a path; "org/repo/x.gguf" is a name as well.
  return Lower(argument).ends_with(".gguf") &&
         std::count(argument.begin(), argument.end(), '/') == 1;
}

Store::Store(const std::vector<StoreRoot>& roots) : roots_(roots) {
  std::set<std::pair<uint64_t, uint64_t>> seen;
  for (const StoreRoot& root : roots) {
    ScanResult found = ScanRoot(root);
    for (FoundModel& model : found.models) {
      struct stat info;
      if (stat(model.path.c_str(), &info) != 0) continue;
      // Two names of one file within a store (Ollama tags) both stay; the
      // same root reached twice does not.
      const bool again = !seen.emplace(info.st_dev, info.st_ino).second;
      const bool same_name =
          again && std::any_of(models_.begin(), models_.end(),
                               [&](const FoundModel& other) {
                                 return other.name == model.name &&
                                        other.store == model.store;
                               });
      if (!same_name) models_.push_back(std::move(model));
    }
    notes_.insert(notes_.end(), found.notes.begin(), found.notes.end());
  }
}

std::vector<std::string> Store::Nearest(std::string_view name) const {
  const std::string wanted = Lower(name);
  std::vector<std::pair<size_t, std::string>> ranked;
  for (const FoundModel& model : models_) {
    const std::string have = Lower(model.name);
    size_t distance = EditDistance(wanted, have);
    for (const std::string& alias : model.aliases) {
      distance = std::min(distance, EditDistance(wanted, Lower(alias)));
    }
    const bool part =
        wanted.size() >= 3 && (have.find(wanted) != std::string::npos ||
                               wanted.find(have) != std::string::npos);
    if (part) distance = std::min<size_t>(distance, 1);
    if (distance <= std::max<size_t>(2, wanted.size() / 3)) {
      ranked.emplace_back(distance, model.name);
    }
  }
  std::sort(ranked.begin(), ranked.end());
  std::vector<std::string> out;
  for (auto& [distance, near] : ranked) {
    if (std::find(out.begin(), out.end(), near) == out.end()) {
      out.push_back(std::move(near));
    }
  }
  return out;
}

Status Store::NotFoundStatus(std::string_view name) const {
  const std::string quoted = QuoteForMessage(name);
  if (models_.empty()) {
    std::vector<std::string> places;
    for (const StoreRoot& root : roots_) places.push_back(root.path);
    return NotFound(fmt::format(
        "No model named {} was found, nor any other model. Give the path of a "
        ".gguf file or of a folder with safetensors, or put one into {}. "
        "Looked in: {}.",
        quoted, places.empty() ? "carat's models folder" : places.front(),
        fmt::join(places, ", ")));
  }
  const std::vector<std::string> near = Nearest(name);
  if (!near.empty()) {
    return NotFound(fmt::format(
        "No model named {} was found. Did you mean {}?", quoted,
        JoinNames(
            {near.begin(), near.begin() + std::min<size_t>(3, near.size())})));
  }
  std::vector<std::string> names;
  for (const FoundModel& model : models_) names.push_back(model.name);
  return NotFound(fmt::format(
      "No model named {} was found, and no file or folder of that name. Models "
      "on this machine: {}.",
      quoted, JoinNames(names)));
}

Result<FoundModel> Store::Resolve(std::string_view name) const {
  std::string wanted = Lower(name);
  const std::optional<StoreKind> only = TakeQualifier(&wanted);
  std::vector<const FoundModel*> full, shorter;
  for (const FoundModel& model : models_) {
    if (only && model.store != *only) continue;
    if (Lower(model.name) == wanted) {
      full.push_back(&model);
    } else if (std::any_of(
                   model.aliases.begin(), model.aliases.end(),
                   [&](const std::string& a) { return Lower(a) == wanted; })) {
      shorter.push_back(&model);
    }
  }
  const auto& fits = full.empty() ? shorter : full;
  if (fits.empty()) return NotFoundStatus(name);
  if (fits.size() == 1) return *fits.front();
  // Several names of one file are no choice to be made.
  const bool one_file = std::all_of(
      fits.begin(), fits.end(),
      [&](const FoundModel* m) { return m->path == fits.front()->path; });
  if (one_file) return *fits.front();
  std::vector<std::string> choices;
  for (const FoundModel* model : fits) {
    const bool twice =
        std::any_of(fits.begin(), fits.end(), [&](const FoundModel* other) {
          return other != model &&
                 QualifiedName(*other) == QualifiedName(*model);
        });
    choices.push_back(twice ? model->path : QualifiedName(*model));
  }
  return InvalidArgument(
      fmt::format("{} could mean any of {} models; name one of them: {}.",
                  QuoteForMessage(name), fits.size(), JoinNames(choices)));
}

}  // namespace carat
