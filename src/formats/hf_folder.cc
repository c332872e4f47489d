// Puts a Hugging Face folder together as a ModelFile.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/utf8.h"
#include "formats/hf_config.h"
#include "formats/parsers.h"
#include "formats/safetensors.h"

namespace carat {
namespace {

constexpr const char* kSingle = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";
constexpr size_t kMaxTemplateBytes = size_t{4} << 20;

std::string InFolder(const std::string& folder, std::string_view name) {
  return (std::filesystem::path(folder) / name).string();
}

bool Exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

std::string_view TextOf(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()),
          file.bytes().size()};
}

// Null when the file does not exist.
Result<std::shared_ptr<MappedFile>> OpenIfPresent(const std::string& path) {
  if (!Exists(path)) return std::shared_ptr<MappedFile>();
  return MappedFile::Open(path);
}

// A null value when the file does not exist.
Result<Json> ReadConfig(const std::string& path) {
  CARAT_ASSIGN_OR_RETURN(const std::shared_ptr<MappedFile> file,
                         OpenIfPresent(path));
  if (file == nullptr) return Json();
  Result<Json> json = ParseConfigJson(TextOf(*file));
  if (!json.ok()) return json.status().WithContext(path);
  return json;
}

// The template inside a JSON file; empty when there is none.
Result<std::string> TemplateIn(const std::string& path) {
  CARAT_ASSIGN_OR_RETURN(const Json config, ReadConfig(path));
  Result<std::string> text = ChatTemplateOf(config);
  if (!text.ok()) return text.status().WithContext(path);
  return text;
}

std::string NoWeights(const std::string& folder) {
  return fmt::format(
      "{} has a config.json but neither {} nor {}; if the weights are still "
      "being downloaded, wait until that is finished",
      folder, kSingle, kIndex);
}

}  // namespace

Status SafetensorsParser::AddShard(const std::string& path, ModelFile* model) {
  CARAT_ASSIGN_OR_RETURN(std::shared_ptr<MappedFile> file,
                         MappedFile::Open(path));
  Result<std::vector<TensorView>> tensors = ParseSafetensors(file->bytes());
  if (!tensors.ok()) return tensors.status().WithContext(path);
  for (TensorView& view : *tensors) {
    const size_t position = model->tensors_.size();
    if (!model->index_.emplace(view.name, position).second) {
      return Malformed(
          fmt::format("{}: the tensor {} is in another file as well", path,
                      QuoteForMessage(view.name)));
    }
    model->tensors_.push_back(std::move(view));
  }
  model->file_bytes_ += file->bytes().size();
  model->files_.push_back(std::move(file));
  return OkStatus();
}

Status SafetensorsParser::AddWeights(const std::string& folder,
                                     ModelFile* model) {
  const std::string single = InFolder(folder, kSingle);
  if (Exists(single)) return AddShard(single, model);
  const std::string index_path = InFolder(folder, kIndex);
  if (!Exists(index_path)) return NotFound(NoWeights(folder));

  CARAT_ASSIGN_OR_RETURN(const std::shared_ptr<MappedFile> index_file,
                         MappedFile::Open(index_path));
  Result<std::map<std::string, std::string>> index =
      ParseSafetensorsIndex(TextOf(*index_file));
  if (!index.ok()) return index.status().WithContext(index_path);
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : *index) shards.insert(shard);
  for (const std::string& shard : shards) {
    CARAT_RETURN_IF_ERROR(
        AddShard(InFolder(folder, shard), model)
            .WithContext(
                fmt::format("{} names {} files", index_path, shards.size())));
  }
  for (const auto& [tensor, shard] : *index) {
    const TensorView* view = model->Find(tensor);
    if (view == nullptr) {
      return Malformed(
          fmt::format("{} says that {} holds the tensor {}, but "
                      "no file does",
                      index_path, shard, QuoteForMessage(tensor)));
    }
  }
  return OkStatus();
}

Status SafetensorsParser::AddConfigs(const std::string& folder,
                                     ModelFile* model) {
  CARAT_ASSIGN_OR_RETURN(model->config_,
                         ReadConfig(InFolder(folder, "config.json")));
  CARAT_ASSIGN_OR_RETURN(
      model->generation_config_,
      ReadConfig(InFolder(folder, "generation_config.json")));
  return OkStatus();
}

Status SafetensorsParser::AddTokenizer(const std::string& folder,
                                       ModelFile* model) {
  CARAT_ASSIGN_OR_RETURN(model->tokenizer_json_,
                         OpenIfPresent(InFolder(folder, "tokenizer.json")));
  CARAT_ASSIGN_OR_RETURN(model->tokenizer_model_,
                         OpenIfPresent(InFolder(folder, "tokenizer.model")));
  const std::string jinja = InFolder(folder, "chat_template.jinja");
  CARAT_ASSIGN_OR_RETURN(const std::shared_ptr<MappedFile> file,
                         OpenIfPresent(jinja));
  if (file != nullptr) {
    if (file->bytes().size() > kMaxTemplateBytes) {
      return Malformed(fmt::format("{} has {} bytes; at most {} are allowed",
                                   jinja, file->bytes().size(),
                                   kMaxTemplateBytes));
    }
    model->chat_template_ = std::string(TextOf(*file));
    return OkStatus();
  }
  for (const char* name : {"tokenizer_config.json", "chat_template.json"}) {
    CARAT_ASSIGN_OR_RETURN(model->chat_template_,
                           TemplateIn(InFolder(folder, name)));
    if (!model->chat_template_.empty()) break;
  }
  return OkStatus();
}

Result<std::unique_ptr<ModelFile>> SafetensorsParser::Open(
    const std::string& folder) {
  auto model = std::make_unique<ModelFile>();
  model->kind_ = ModelFile::Kind::kSafetensors;
  model->path_ = folder;
  CARAT_RETURN_IF_ERROR(AddConfigs(folder, model.get()));
  CARAT_RETURN_IF_ERROR(AddWeights(folder, model.get()));
  CARAT_RETURN_IF_ERROR(AddTokenizer(folder, model.get()));
  return model;
}

}  // namespace carat
