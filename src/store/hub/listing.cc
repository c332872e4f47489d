#include "store/hub/listing.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "base/utf8.h"
#include "store/hub/hub_path.h"

namespace carat {
namespace {

constexpr int kMaxDepth = 32;
constexpr size_t kMaxFiles = 20000;
constexpr int64_t kMaxFileBytes = int64_t{1} << 44;  // 16 TiB

Status Bad(std::string what) {
  return Malformed("The hub's answer about the repository " + std::move(what) +
                   ".");
}

std::string StringIn(const Json& object, std::string_view key) {
  const Json* member = object.Find(key);
  return member != nullptr && member->is_string() ? member->as_string() : "";
}

Result<uint64_t> SizeIn(const Json& object, const std::string& path) {
  const Json* size = object.Find("size");
  if (size == nullptr || !size->is_int() || size->as_int() < 0 ||
      size->as_int() > kMaxFileBytes) {
    return Bad(fmt::format("gives {} no size that a file can have",
                           QuoteForMessage(path)));
  }
  return static_cast<uint64_t>(size->as_int());
}

Result<HubFile> FileOf(const Json& entry, const std::string& path) {
  HubFile file = {.path = path};
  CARAT_ASSIGN_OR_RETURN(file.bytes, SizeIn(entry, path));
  const std::string blob = StringIn(entry, "blobId");
  if (IsHexDigest(blob, 40)) file.git_blob = blob;
  const Json* lfs = entry.Find("lfs");
  if (lfs == nullptr || lfs->is_null()) return file;
  // The listing of a folder says "oid" where the repository's says "sha256".
  file.sha256 = StringIn(*lfs, "sha256");
  if (file.sha256.empty()) file.sha256 = StringIn(*lfs, "oid");
  if (!IsHexDigest(file.sha256, 64)) {
    return Bad(
        fmt::format("gives {} the SHA-256 {}; expected 64 hexadecimal "
                    "digits",
                    QuoteForMessage(path), QuoteForMessage(file.sha256)));
  }
  file.git_blob.clear();  // that of the pointer, not of the file
  CARAT_ASSIGN_OR_RETURN(const uint64_t bytes, SizeIn(*lfs, path));
  if (bytes != file.bytes) {
    return Bad(fmt::format("gives {} two sizes, {} and {}",
                           QuoteForMessage(path), file.bytes, bytes));
  }
  return file;
}

bool IsHidden(std::string_view path) {
  return path.starts_with('.') || path.find("/.") != std::string_view::npos;
}

}  // namespace

Result<HubListing> ReadHubListing(std::string_view text) {
  Result<Json> json = Json::Parse(text, kMaxDepth);
  if (!json.ok()) return Bad("is not JSON: " + json.status().message());
  if (!json->is_object()) return Bad("is no JSON object");
  HubListing out = {.commit = StringIn(*json, "sha")};
  if (!IsHexDigest(out.commit, 40)) {
    return Bad(
        fmt::format("names the commit {}; expected 40 hexadecimal "
                    "digits",
                    QuoteForMessage(out.commit)));
  }
  const Json* siblings = json->Find("siblings");
  if (siblings == nullptr || !siblings->is_array()) {
    return Bad("has no list \"siblings\"");
  }
  if (siblings->as_array().size() > kMaxFiles) {
    return Bad(fmt::format("lists {} files; at most {} are read",
                           siblings->as_array().size(), kMaxFiles));
  }
  for (const Json& entry : siblings->as_array()) {
    const std::string path = StringIn(entry, "rfilename");
    if (!IsSafeHubPath(path)) {
      const bool climbs = path.find("..") != std::string::npos;
      if (climbs || !IsHidden(path)) ++out.unsafe_names;
      continue;
    }
    CARAT_ASSIGN_OR_RETURN(HubFile file, FileOf(entry, path));
    out.files.push_back(std::move(file));
  }
  std::sort(out.files.begin(), out.files.end(),
            [](const HubFile& a, const HubFile& b) { return a.path < b.path; });
  const auto twice = std::adjacent_find(
      out.files.begin(), out.files.end(),
      [](const HubFile& a, const HubFile& b) { return a.path == b.path; });
  if (twice != out.files.end()) {
    return Bad("lists " + QuoteForMessage(twice->path) + " twice");
  }
  return out;
}

}  // namespace carat
