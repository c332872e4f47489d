#include "store/hub/model_name.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/utf8.h"
#include "store/gguf_names.h"
#include "store/hub/hub_path.h"

namespace carat {
namespace {

constexpr size_t kMaxPartBytes = 96;
constexpr size_t kMaxRevisionBytes = 200;

bool IsWord(std::string_view text, std::string_view marks) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') || marks.find(c) != std::string_view::npos;
  });
}

// As the hub allows: letters, digits, '-', '_', '.'; neither ".." nor "--".
bool IsRepositoryPart(std::string_view text) {
  return !text.empty() && text.size() <= kMaxPartBytes && IsWord(text, "-_.") &&
         text.front() != '.' && text.front() != '-' && text.back() != '.' &&
         text.back() != '-' && text.find("..") == std::string_view::npos &&
         text.find("--") == std::string_view::npos;
}

bool IsRevision(std::string_view text) {
  return !text.empty() && text.size() <= kMaxRevisionBytes &&
         IsWord(text, "-_./") && text.front() != '-' && text.front() != '/' &&
         text.find("..") == std::string_view::npos;
}

// Cuts what stands behind the first `mark` off.
std::string TakeBehind(char mark, std::string_view* text) {
  const size_t at = text->find(mark);
  if (at == std::string_view::npos) return "";
  std::string out(text->substr(at + 1));
  *text = text->substr(0, at);
  return out;
}

Status BadName(std::string_view text, const char* what) {
  return InvalidArgument(fmt::format(
      "{} {}. Expected ORG/REPO, ORG/REPO:QUANTISATION or ORG/REPO:FILE, each "
      "with @REVISION if wanted, or a short name such as gemma4:e2b-qat.",
      QuoteForMessage(text), what));
}

Result<HubName> FromTable(std::string_view name, std::string_view text) {
  std::string wanted = LowerAscii(name);
  constexpr std::string_view kLatest = ":latest";
  if (wanted.ends_with(kLatest)) wanted.resize(wanted.size() - kLatest.size());
  for (const ShortName& entry : ShortNames()) {
    if (wanted != entry.name) continue;
    return HubName{.repository = entry.repository,
                   .selector = entry.selector,
                   .short_name = entry.name};
  }
  std::vector<std::string> names;
  for (const ShortName& entry : ShortNames()) names.push_back(entry.name);
  return NotFound(fmt::format(
      "{} is no short name that can be pulled. There are {}; any other model "
      "is named by its Hugging Face repository, as in ORG/REPO:Q4_0.",
      QuoteForMessage(text), fmt::join(names, ", ")));
}

}  // namespace

const std::vector<ShortName>& ShortNames() {
  // Google's own builds where there are any. A plain size means the
  // quantisation-aware Q4_0, which is what fits an ordinary computer.
  static const std::vector<ShortName> names = {
      {"gemma4", "google/gemma-4-E2B-it-qat-q4_0-gguf", ""},
      {"gemma4:e2b", "google/gemma-4-E2B-it-qat-q4_0-gguf", ""},
      {"gemma4:e2b-qat", "google/gemma-4-E2B-it-qat-q4_0-gguf", ""},
      {"gemma4:e2b-bf16", "google/gemma-4-E2B-it", ""},
      {"gemma4:e4b", "google/gemma-4-E4B-it-qat-q4_0-gguf", ""},
      {"gemma4:e4b-qat", "google/gemma-4-E4B-it-qat-q4_0-gguf", ""},
      {"gemma4:e4b-bf16", "google/gemma-4-E4B-it", ""},
      {"gemma4:12b", "google/gemma-4-12B-it-qat-q4_0-gguf", ""},
      {"gemma4:12b-qat", "google/gemma-4-12B-it-qat-q4_0-gguf", ""},
      {"gemma4:12b-bf16", "google/gemma-4-12B-it", ""},
      {"gemma4:26b", "google/gemma-4-26B-A4B-it-qat-q4_0-gguf", ""},
      {"gemma4:26b-qat", "google/gemma-4-26B-A4B-it-qat-q4_0-gguf", ""},
      {"gemma4:26b-bf16", "google/gemma-4-26B-A4B-it", ""},
      {"gemma4:31b", "google/gemma-4-31B-it-qat-q4_0-gguf", ""},
      {"gemma4:31b-qat", "google/gemma-4-31B-it-qat-q4_0-gguf", ""},
      {"gemma4:31b-bf16", "google/gemma-4-31B-it", ""},
      // Google has no GGUF of this size; this one is llama.cpp's maintainers'.
      {"gemma3:270m", "ggml-org/gemma-3-270m-it-qat-GGUF", "Q4_0"},
      {"gemma3:1b", "google/gemma-3-1b-it-qat-q4_0-gguf", ""},
      {"gemma3:4b", "google/gemma-3-4b-it-qat-q4_0-gguf", ""},
      {"gemma3:12b", "google/gemma-3-12b-it-qat-q4_0-gguf", ""},
      {"gemma3:27b", "google/gemma-3-27b-it-qat-q4_0-gguf", ""},
  };
  return names;
}

Result<HubName> ParseHubName(std::string_view text) {
  std::string_view rest = text;
  for (const std::string_view prefix :
       {"https://", "hf.co/", "huggingface.co/"}) {
    if (rest.starts_with(prefix)) rest.remove_prefix(prefix.size());
  }
  if (rest.find('@') != std::string_view::npos && rest.ends_with("@")) {
    return BadName(text, "has an empty revision");
  }
  const std::string revision = TakeBehind('@', &rest);
  if (!revision.empty() && !IsRevision(revision)) {
    return BadName(text, "has a revision that cannot be one");
  }
  const size_t slash = rest.find('/');
  if (slash == std::string_view::npos || rest.find(':') < slash) {
    CARAT_ASSIGN_OR_RETURN(HubName out, FromTable(rest, text));
    out.revision = revision;
    return out;
  }
  HubName out = {.revision = revision};
  if (rest.ends_with(":")) return BadName(text, "has an empty selector");
  out.selector = TakeBehind(':', &rest);
  const size_t second = rest.find('/', slash + 1);
  if (second != std::string_view::npos && out.selector.empty()) {
    out.selector = std::string(rest.substr(second + 1));
    rest = rest.substr(0, second);
  }
  if (LowerAscii(out.selector) == "latest") out.selector.clear();
  out.repository = std::string(rest);
  const std::string_view repo = out.repository;
  if (!IsRepositoryPart(repo.substr(0, slash)) ||
      !IsRepositoryPart(repo.substr(slash + 1))) {
    return BadName(text, "is not a repository's name");
  }
  if (!out.selector.empty() && !IsSafeHubPath(out.selector)) {
    return BadName(text, "selects something that cannot be a file");
  }
  return out;
}

}  // namespace carat
