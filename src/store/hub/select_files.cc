#include "store/hub/select_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/utf8.h"
#include "store/gguf_names.h"

namespace carat {
namespace {

constexpr size_t kMaxNamed = 24;

// What a folder of safetensors needs beside its weights.
constexpr std::array<std::string_view, 13> kFolderFiles = {
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "preprocessor_config.json",
    "processor_config.json",
    "video_preprocessor_config.json",
    "model.safetensors.index.json"};

std::string_view FileName(std::string_view path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

// A GGUF or all parts of a series.
struct Series {
  std::string base;  // with its folder
  int parts = 0;     // as the names say; 0: a single file
  std::vector<HubFile> files;
  std::string quantisation;
};

std::vector<Series> SeriesOf(const HubListing& listing) {
  std::map<std::pair<std::string, int>, Series> found;
  for (const HubFile& file : listing.files) {
    if (!HasGgufEnd(file.path) || IsProjectorName(FileName(file.path))) {
      continue;
    }
    const SplitName split = ParseSplitName(GgufStem(file.path));
    Series& series = found[{split.base, split.parts}];
    series.base = split.base;
    series.parts = split.parts;
    series.files.push_back(file);
  }
  std::vector<Series> out;
  for (auto& [key, series] : found) {
    series.quantisation = QuantisationAnywhere(FileName(series.base));
    if (series.quantisation.empty()) {
      series.quantisation = QuantisationAnywhere(series.base);
    }
    out.push_back(std::move(series));
  }
  return out;
}

std::string NamesOf(const std::vector<Series>& all) {
  std::vector<std::string> names;
  for (const Series& series : all) {
    if (names.size() == kMaxNamed) {
      names.push_back(fmt::format("and {} more", all.size() - kMaxNamed));
      break;
    }
    names.push_back(QuoteForMessage(series.base));
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

bool IsNamed(const Series& series, const std::string& selector) {
  const std::string wanted = LowerAscii(GgufStem(selector));
  const std::string base = LowerAscii(series.base);
  if (wanted == base || wanted == FileName(base)) return true;
  return std::any_of(series.files.begin(), series.files.end(),
                     [&](const HubFile& file) {
                       const std::string stem = LowerAscii(GgufStem(file.path));
                       return wanted == stem || wanted == FileName(stem);
                     });
}

// The series that `selector` means, or without one the kind most people want.
Result<Series> Choose(const std::vector<Series>& all,
                      const std::string& selector) {
  std::vector<Series> fits;
  if (selector.empty()) {
    if (all.size() == 1) return all.front();
    for (const char* kind : {"Q4_K_M", "Q4_0", "Q8_0"}) {
      std::copy_if(all.begin(), all.end(), std::back_inserter(fits),
                   [&](const Series& s) { return s.quantisation == kind; });
      if (fits.size() == 1) return fits.front();
      if (!fits.empty()) break;
    }
    return InvalidArgument("The repository has several models; name one of " +
                           NamesOf(all) + " behind a colon.");
  }
  std::copy_if(all.begin(), all.end(), std::back_inserter(fits),
               [&](const Series& s) { return IsNamed(s, selector); });
  if (fits.empty()) {
    std::copy_if(all.begin(), all.end(), std::back_inserter(fits),
                 [&](const Series& s) {
                   return s.quantisation == UpperAscii(selector);
                 });
  }
  if (fits.size() == 1) return fits.front();
  if (fits.empty()) {
    return NotFound(
        fmt::format("The repository has no GGUF file or quantisation {}; it "
                    "has {}.",
                    QuoteForMessage(selector), NamesOf(all)));
  }
  return InvalidArgument(fmt::format("{} could mean any of {}; name one.",
                                     QuoteForMessage(selector), NamesOf(fits)));
}

Status CheckParts(const Series& series) {
  if (series.parts == 0) return OkStatus();
  if (static_cast<int>(series.files.size()) == series.parts) {
    return OkStatus();
  }
  return NotFound(fmt::format(
      "The repository has {} parts of {}, whose names say that "
      "there are {}.",
      series.files.size(), QuoteForMessage(series.base), series.parts));
}

// Exact types first: a projector is small, and its activations are not.
const HubFile* ChooseProjector(const HubListing& listing) {
  const HubFile* best = nullptr;
  int best_rank = 0;
  constexpr std::array<std::string_view, 4> kOrder = {"BF16", "F16", "F32",
                                                      "Q8_0"};
  for (const HubFile& file : listing.files) {
    if (!HasGgufEnd(file.path) || !IsProjectorName(FileName(file.path))) {
      continue;
    }
    const std::string kind = QuantisationAnywhere(FileName(file.path));
    const int rank = static_cast<int>(
        std::find(kOrder.begin(), kOrder.end(), kind) - kOrder.begin());
    if (best == nullptr || rank < best_rank) {
      best = &file;
      best_rank = rank;
    }
  }
  return best;
}

Result<Selection> SelectFolder(const HubListing& listing) {
  Selection out;
  bool config = false;
  bool weights = false;
  for (const HubFile& file : listing.files) {
    const bool tensor = file.path.ends_with(".safetensors") &&
                        file.path.find('/') == std::string::npos;
    const bool beside = std::find(kFolderFiles.begin(), kFolderFiles.end(),
                                  file.path) != kFolderFiles.end();
    config |= file.path == "config.json";
    weights |= tensor;
    if (tensor || beside) out.files.push_back(file);
  }
  if (!config || !weights) {
    return NotFound(fmt::format(
        "The repository holds no model that carat can run: neither GGUF files "
        "nor safetensors with a config.json among its {} files.",
        listing.files.size()));
  }
  // What tells soonest that something is wrong comes first.
  std::stable_sort(
      out.files.begin(), out.files.end(),
      [](const HubFile& a, const HubFile& b) { return a.bytes < b.bytes; });
  return out;
}

}  // namespace

Result<Selection> SelectFiles(const HubListing& listing,
                              const std::string& selector,
                              Projector projector) {
  const std::vector<Series> all = SeriesOf(listing);
  if (all.empty()) {
    if (selector.empty()) return SelectFolder(listing);
    return NotFound(fmt::format(
        "The repository has no GGUF files, so there is no {} to choose.",
        QuoteForMessage(selector)));
  }
  CARAT_ASSIGN_OR_RETURN(const Series chosen, Choose(all, selector));
  CARAT_RETURN_IF_ERROR(CheckParts(chosen));
  Selection out = {.files = chosen.files,
                   .model = chosen.files.front().path,
                   .quantisation = chosen.quantisation,
                   .base = std::string(FileName(chosen.base))};
  out.quantisation_is_unique =
      !chosen.quantisation.empty() &&
      std::count_if(all.begin(), all.end(), [&](const Series& s) {
        return s.quantisation == chosen.quantisation;
      }) == 1;
  const HubFile* tower =
      projector == Projector::kInclude ? ChooseProjector(listing) : nullptr;
  if (tower != nullptr) out.files.push_back(*tower);
  return out;
}

}  // namespace carat
