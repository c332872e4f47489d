#include "store/ollama.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/json.h"
#include "base/utf8.h"
#include "store/files.h"

namespace carat {
namespace {

constexpr size_t kMaxManifestBytes = 1 << 20;
constexpr std::string_view kWeights = "application/vnd.ollama.image.model";
constexpr std::string_view kTensor = "application/vnd.ollama.image.tensor";

// "sha256:" and 64 hexadecimal digits, nothing else: it becomes a file name.
bool IsDigest(std::string_view digest) {
  constexpr std::string_view kPrefix = "sha256:";
  if (!digest.starts_with(kPrefix)) return false;
  digest.remove_prefix(kPrefix.size());
  return digest.size() == 64 &&
         digest.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string StringMember(const Json& object, std::string_view key) {
  const Json* member = object.Find(key);
  return member != nullptr && member->is_string() ? member->as_string() : "";
}

struct ManifestPlace {
  std::string host, space, model, tag;
};

void NameModel(const ManifestPlace& place, FoundModel* out) {
  std::string name = place.model;
  const bool library = place.space == "library";
  const bool official = place.host == "registry.ollama.ai";
  if (!library || !official) name = place.space + "/" + name;
  if (!official) name = place.host + "/" + name;
  out->name = name + ":" + place.tag;
  if (place.tag == "latest") out->aliases.push_back(name);
  out->aliases.push_back(place.host + "/" + place.space + "/" + place.model +
                         ":" + place.tag);
}

void AddManifest(const std::string& root, const std::string& path,
                 const ManifestPlace& place, ScanResult* out) {
  FoundModel model{.store = StoreKind::kOllama};
  NameModel(place, &model);
  const std::string text = ReadSmallFile(path, kMaxManifestBytes);
  Result<std::string> blob =
      text.empty() ? Malformed("the manifest is empty, unreadable or too long")
                   : OllamaWeightsBlob(text);
  if (!blob.ok()) {
    out->notes.push_back(fmt::format("Ollama's {} is skipped: {}.",
                                     QuoteForMessage(model.name),
                                     blob.status().message()));
    return;
  }
  model.path = root + "/blobs/" + *blob;
  struct stat info;
  if (stat(model.path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) {
    out->notes.push_back(fmt::format(
        "Ollama's {} is skipped: its weights {} are missing; pull it again.",
        QuoteForMessage(model.name), model.path));
    return;
  }
  model.bytes = static_cast<uint64_t>(info.st_size);
  out->models.push_back(std::move(model));
}

}  // namespace

Result<std::string> OllamaWeightsBlob(std::string_view manifest) {
  Result<Json> json = Json::Parse(manifest, 32);
  if (!json.ok()) {
    return Malformed("the manifest is not JSON (" + json.status().message() +
                     ")");
  }
  const Json* layers = json->Find("layers");
  if (layers == nullptr || !layers->is_array()) {
    return Malformed("the manifest has no list \"layers\"");
  }
  std::string digest;
  bool tensors = false;
  for (const Json& layer : layers->as_array()) {
    const std::string type = StringMember(layer, "mediaType");
    if (type.starts_with(kTensor)) tensors = true;
    if (type != kWeights) continue;
    if (!digest.empty()) {
      return Unsupported("the manifest names several files of weights");
    }
    digest = StringMember(layer, "digest");
    if (!IsDigest(digest)) {
      return Malformed("the manifest names weights by the digest " +
                       QuoteForMessage(digest) +
                       "; expected sha256: and 64 hexadecimal digits");
    }
  }
  if (digest.empty()) {
    return Unsupported(tensors ? "its weights are not in GGUF"
                               : "the manifest names no weights");
  }
  return "sha256-" + digest.substr(digest.find(':') + 1);
}

void ScanOllama(const std::string& root, ScanResult* out) {
  auto* notes = &out->notes;
  for (const FileEntry& host : ListFolder(root + "/manifests", notes)) {
    if (!host.is_folder) continue;
    for (const FileEntry& space : ListFolder(host.path, notes)) {
      if (!space.is_folder) continue;
      for (const FileEntry& model : ListFolder(space.path, notes)) {
        if (!model.is_folder) continue;
        for (const FileEntry& tag : ListFolder(model.path, notes)) {
          if (!tag.is_file || tag.name.starts_with(".")) continue;
          AddManifest(root, tag.path,
                      {host.name, space.name, model.name, tag.name}, out);
        }
      }
    }
  }
}

}  // namespace carat
