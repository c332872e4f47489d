#include "store/gguf_names.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>

namespace carat {
namespace {

constexpr std::string_view kGgufEnd = ".gguf";

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsAlnum(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0;
}

bool IsQuantisation(const std::string& word) {
  static constexpr std::array<std::string_view, 7> kPlain = {
      "F32", "F16", "BF16", "FP16", "MXFP4", "FP32", "Q8_0"};
  if (std::find(kPlain.begin(), kPlain.end(), word) != kPlain.end()) {
    return true;
  }
  const size_t digit = word.starts_with("IQ") ? 2 : 1;
  return (word.starts_with("Q") || word.starts_with("IQ")) &&
         word.size() > digit + 2 && IsDigit(word[digit]) &&
         word[digit + 1] == '_';
}

}  // namespace

std::string UpperAscii(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

std::string LowerAscii(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool HasGgufEnd(std::string_view name) {
  return name.size() > kGgufEnd.size() &&
         LowerAscii(name.substr(name.size() - kGgufEnd.size())) == kGgufEnd;
}

std::string GgufStem(std::string_view name) {
  return std::string(
      HasGgufEnd(name) ? name.substr(0, name.size() - kGgufEnd.size()) : name);
}

bool IsProjectorName(std::string_view name) {
  return UpperAscii(name).find("MMPROJ") != std::string::npos;
}

SplitName ParseSplitName(const std::string& stem) {
  constexpr std::string_view kForm = "-00000-of-00000";
  SplitName out{.base = stem};
  if (stem.size() <= kForm.size()) return out;
  const std::string tail = stem.substr(stem.size() - kForm.size());
  for (size_t i = 0; i < kForm.size(); ++i) {
    const bool good = kForm[i] == '0' ? IsDigit(tail[i]) : tail[i] == kForm[i];
    if (!good) return out;
  }
  out.part = std::atoi(tail.substr(1, 5).c_str());
  out.parts = std::atoi(tail.substr(10).c_str());
  out.base = stem.substr(0, stem.size() - kForm.size());
  return out;
}

std::string QuantisationInName(std::string_view file_name) {
  const std::string stem = UpperAscii(GgufStem(file_name));
  const size_t cut = stem.find_last_of("-.");
  const std::string word =
      cut == std::string::npos ? stem : stem.substr(cut + 1);
  return IsQuantisation(word) ? word : "";
}

std::string QuantisationAnywhere(std::string_view file_name) {
  const std::string stem = UpperAscii(GgufStem(file_name));
  std::string out;
  for (size_t i = 0; i < stem.size(); ++i) {
    if (!IsAlnum(stem[i]) || (i > 0 && IsAlnum(stem[i - 1]))) continue;
    size_t end = i;
    while (end < stem.size() && (IsAlnum(stem[end]) || stem[end] == '_')) ++end;
    const std::string word = stem.substr(i, end - i);
    if (!IsQuantisation(word)) continue;
    out = word;
    i = end;
  }
  return out;
}

}  // namespace carat
