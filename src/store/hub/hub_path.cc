#include "store/hub/hub_path.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.h"

namespace carat {
namespace {

constexpr size_t kMaxComponents = 8;
constexpr size_t kMaxComponentBytes = 200;

bool IsSafeComponent(std::string_view part) {
  if (part.empty() || part.size() > kMaxComponentBytes) return false;
  if (part.front() == '.') return false;
  return std::all_of(part.begin(), part.end(), [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return u >= 0x20 && u != 0x7F && c != '\\' && c != ':';
  });
}

}  // namespace

bool IsSafeHubPath(std::string_view path) {
  if (!IsValidUtf8(path)) return false;
  for (size_t parts = 1; parts <= kMaxComponents; ++parts) {
    const size_t slash = path.find('/');
    if (!IsSafeComponent(path.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
  return false;
}

std::string UrlEncode(std::string_view text, Slash slash) {
  constexpr std::string_view kPlain = "-._~";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                       (c >= 'A' && c <= 'Z') ||
                       kPlain.find(c) != std::string_view::npos ||
                       (c == '/' && slash == Slash::kKeep);
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

bool IsHexDigest(std::string_view text, size_t digits) {
  return text.size() == digits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace carat
