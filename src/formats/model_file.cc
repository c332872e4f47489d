#include "formats/model_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "formats/gguf.h"
#include "formats/parsers.h"

namespace carat {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWhatToGive =
    "give the path of a .gguf file, or of a folder with config.json and "
    "safetensors";

// "a.gguf, b.gguf and 3 more": what `folder` offers; empty when nothing.
std::string GgufFilesIn(const fs::path& folder) {
  constexpr size_t kShown = 3;
  constexpr int kMostEntries = 10000;
  std::error_code error;
  std::vector<std::string> names;
  int seen = 0;
  for (fs::directory_iterator it(folder, error), end;
       !error && it != end && seen < kMostEntries; it.increment(error)) {
    ++seen;
    if (it->path().extension() == ".gguf") {
      names.push_back(it->path().filename().string());
    }
  }
  std::sort(names.begin(), names.end());
  const size_t more = names.size() > kShown ? names.size() - kShown : 0;
  names.resize(names.size() - more);
  std::string list = fmt::format("{}", fmt::join(names, ", "));
  if (more > 0) list += fmt::format(" and {} more", more);
  return list;
}

Status Missing(const std::string& path) {
  std::string text =
      fmt::format("there is no file or folder at {}; {}", path, kWhatToGive);
  const fs::path parent = fs::absolute(path).parent_path();
  const std::string offers = GgufFilesIn(parent);
  if (!offers.empty()) {
    text += fmt::format(". In {} there is: {}", parent.string(), offers);
  }
  return NotFound(text);
}

Result<std::unique_ptr<ModelFile>> OpenFolder(const std::string& path) {
  std::error_code error;
  if (fs::exists(fs::path(path) / "config.json", error)) {
    return SafetensorsParser::Open(path);
  }
  const std::string offers = GgufFilesIn(path);
  if (!offers.empty()) {
    return NotFound(
        fmt::format("{} is a folder with GGUF files; give the path of one of "
                    "them: {}",
                    path, offers));
  }
  return NotFound(
      fmt::format("the folder {} has no config.json, so it is not a Hugging "
                  "Face model; {}",
                  path, kWhatToGive));
}

// What a file that is not GGUF looks like, for people.
std::string Describe(std::span<const uint8_t> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()),
                              std::min<size_t>(bytes.size(), 64));
  if (text.empty()) return "it is empty; download it again";
  if (text.starts_with("version https://git-lfs")) {
    return "it is a Git LFS pointer; run \"git lfs pull\" to get the real file";
  }
  if (text.starts_with("<") || text.starts_with("\n<")) {
    return "it looks like a web page; the download has failed";
  }
  if (text.starts_with("PK\x03\x04") || text.starts_with("\x80\x02")) {
    return "it looks like a PyTorch checkpoint; carat reads GGUF and "
           "safetensors";
  }
  if (text.starts_with("tjgg") || text.starts_with("lmgg") ||
      text.starts_with("fmgg")) {
    return "it is in a format from before GGUF; convert or download it again";
  }
  if (text.size() > 9 && text[8] == '{') {
    return "it looks like safetensors; give the folder that holds it together "
           "with its config.json";
  }
  return "it does not begin with \"GGUF\"";
}

}  // namespace

Result<std::unique_ptr<ModelFile>> ModelFile::Open(const std::string& path) {
  if (path.empty()) {
    return InvalidArgument(
        fmt::format("the model's path is empty; {}", kWhatToGive));
  }
  try {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (status.type() == fs::file_type::not_found) return Missing(path);
    if (error) {
      return InvalidArgument(
          fmt::format("cannot look at {}: {}", path, error.message()));
    }
    if (status.type() == fs::file_type::directory) return OpenFolder(path);
    if (status.type() != fs::file_type::regular) {  // a pipe would block
      return InvalidArgument(fmt::format(
          "{} is neither a regular file nor a folder; {}", path, kWhatToGive));
    }
    CARAT_ASSIGN_OR_RETURN(std::shared_ptr<MappedFile> file,
                           MappedFile::Open(path));
    if (HasGgufMagic(file->bytes())) {
      return GgufParser::Open(path, std::move(file));
    }
    return Malformed(fmt::format("{} is not a model that carat can open: {}",
                                 path, Describe(file->bytes())));
  } catch (const std::exception& error) {
    return Internal(fmt::format("cannot open {}: {}", path, error.what()));
  }
}

std::vector<int64_t> ModelFile::modified_ns() const {
  std::vector<int64_t> out;
  for (const auto& file : files_) out.push_back(file->modified_ns());
  return out;
}

const TensorView* ModelFile::Find(std::string_view name) const {
  const auto it = index_.find(std::string(name));
  return it == index_.end() ? nullptr : &tensors_[it->second];
}

std::string_view ModelFile::tokenizer_json() const {
  if (tokenizer_json_ == nullptr) return {};
  const std::span<const uint8_t> bytes = tokenizer_json_->bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string_view ModelFile::tokenizer_model() const {
  if (tokenizer_model_ == nullptr) return {};
  const std::span<const uint8_t> bytes = tokenizer_model_->bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// MappedFile ignores what lies outside its mapping, so every file is asked.
void ModelFile::Release(const TensorView& tensor) const {
  for (const auto& file : files_) file->Release(tensor.data, tensor.bytes);
}
void ModelFile::RandomAccess(const TensorView& tensor) const {
  for (const auto& file : files_) file->RandomAccess(tensor.data, tensor.bytes);
}
void ModelFile::WillNeed(const TensorView& tensor) const {
  for (const auto& file : files_) file->WillNeed(tensor.data, tensor.bytes);
}

}  // namespace carat
