// Puts one GGUF file, or all files of a split series, together as a ModelFile.
#include <fmt/format.h>

#include <optional>
#include <string_view>
#include <utility>

#include "base/utf8.h"
#include "formats/gguf.h"
#include "formats/parsers.h"

namespace carat {
namespace {

// NAME-00002-of-00003.gguf
struct SplitName {
  std::string_view prefix;  // NAME
  int64_t number;           // from 1
  int64_t count;
};

std::optional<int64_t> FiveDigits(std::string_view text) {
  int64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

std::optional<SplitName> ParseSplitName(std::string_view path) {
  constexpr std::string_view kPattern = "-00000-of-00000.gguf";
  if (path.size() < kPattern.size()) return std::nullopt;
  const std::string_view tail = path.substr(path.size() - kPattern.size());
  const std::optional<int64_t> number = FiveDigits(tail.substr(1, 5));
  const std::optional<int64_t> count = FiveDigits(tail.substr(10, 5));
  if (!number || !count || tail[0] != '-' || tail.substr(6, 4) != "-of-" ||
      tail.substr(15) != ".gguf") {
    return std::nullopt;
  }
  return SplitName{path.substr(0, path.size() - kPattern.size()), *number,
                   *count};
}

std::string SplitPath(const SplitName& name, int64_t number) {
  return fmt::format("{}-{:05}-of-{:05}.gguf", name.prefix, number, name.count);
}

// An integer that must be there.
Result<int64_t> Require(const Metadata& metadata, std::string_view key) {
  CARAT_ASSIGN_OR_RETURN(const std::optional<int64_t> value, metadata.Int(key));
  if (!value.has_value()) {
    return Malformed(fmt::format(
        "this part of a split model lacks the metadata key \"{}\"", key));
  }
  return *value;
}

// Part `number` of `count`, counting from 1.
Status CheckPart(const Metadata& metadata, int64_t number, int64_t count) {
  CARAT_ASSIGN_OR_RETURN(const int64_t found_count,
                         Require(metadata, "split.count"));
  CARAT_ASSIGN_OR_RETURN(const int64_t found_number,
                         Require(metadata, "split.no"));
  if (found_count == count && found_number == number - 1) return OkStatus();
  return Malformed(fmt::format(
      "by its name this is part {} of {}, but inside it says split.no {} and "
      "split.count {}; the parts belong to different models or were renamed",
      number, count, found_number, found_count));
}

}  // namespace

Status GgufParser::AddTensors(const std::string& part,
                              std::vector<TensorView> tensors,
                              ModelFile* model) {
  for (TensorView& view : tensors) {
    const size_t position = model->tensors_.size();
    if (!model->index_.emplace(view.name, position).second) {
      return Malformed(
          fmt::format("{}: the tensor {} is in another part as well", part,
                      QuoteForMessage(view.name)));
    }
    model->tensors_.push_back(std::move(view));
  }
  return OkStatus();
}

Status GgufParser::AddSeries(const std::string& path, int64_t count,
                             ModelFile* model) {
  const std::optional<SplitName> name = ParseSplitName(path);
  if (!name.has_value() || name->count != count || name->number < 1 ||
      name->number > count) {
    return Malformed(fmt::format(
        "{} is one of {} parts of a split model, but its name does not end in "
        "-00001-of-{:05}.gguf or another part's number; give the parts their "
        "original names",
        path, count, count));
  }
  model->files_.clear();
  for (int64_t number = 1; number <= count; ++number) {
    const std::string part = SplitPath(*name, number);
    Result<std::shared_ptr<MappedFile>> file = MappedFile::Open(part);
    if (!file.ok()) {
      return file.status().WithContext(fmt::format(
          "part {} of {} of the split model is missing", number, count));
    }
    Result<GgufFile> parsed = ParseGguf((*file)->bytes());
    if (!parsed.ok()) return parsed.status().WithContext(part);
    CARAT_RETURN_IF_ERROR(
        CheckPart(parsed->metadata, number, count).WithContext(part));
    CARAT_RETURN_IF_ERROR(AddTensors(part, std::move(parsed->tensors), model));
    if (number == 1) model->metadata_ = std::move(parsed->metadata);
    model->file_bytes_ += (*file)->bytes().size();
    model->files_.push_back(std::move(*file));
  }
  Result<int64_t> expected = Require(model->metadata_, "split.tensors.count");
  if (!expected.ok()) return expected.status().WithContext(path);
  if (*expected != static_cast<int64_t>(model->tensors_.size())) {
    return Malformed(fmt::format(
        "{}: the split model should have {} tensors, but its {} parts hold {}",
        path, *expected, count, model->tensors_.size()));
  }
  return OkStatus();
}

Result<std::unique_ptr<ModelFile>> GgufParser::Open(
    const std::string& path, std::shared_ptr<MappedFile> file) {
  Result<GgufFile> parsed = ParseGguf(file->bytes());
  if (!parsed.ok()) return parsed.status().WithContext(path);
  Result<std::optional<int64_t>> count = parsed->metadata.Int("split.count");
  if (!count.ok()) return count.status().WithContext(path);

  auto model = std::make_unique<ModelFile>();
  model->kind_ = ModelFile::Kind::kGguf;
  model->path_ = path;
  if (count->value_or(1) > 1) {
    // Drop the views before the mapping they look into.
    const int64_t parts = **count;
    parsed = GgufFile{};
    CARAT_RETURN_IF_ERROR(AddSeries(path, parts, model.get()));
  } else {
    CARAT_RETURN_IF_ERROR(
        AddTensors(path, std::move(parsed->tensors), model.get()));
    model->metadata_ = std::move(parsed->metadata);
    model->file_bytes_ = file->bytes().size();
    model->files_.push_back(std::move(file));
  }
  Result<std::optional<std::string_view>> chat_template =
      model->metadata_.String("tokenizer.chat_template");
  if (!chat_template.ok()) return chat_template.status().WithContext(path);
  model->chat_template_ = std::string(chat_template->value_or(""));
  return model;
}

}  // namespace carat
