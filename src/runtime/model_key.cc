#include "runtime/model_key.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <variant>

namespace carat {
namespace {

// Bytes hashed at the begin, the middle and the end of a tensor.
constexpr uint64_t kSample = 256;

void AddTensor(const TensorView& tensor, Sha256& hash) {
  hash.Update(fmt::format("{} {} {} {}\n", tensor.name, DTypeName(tensor.type),
                          ShapeString(tensor.shape), tensor.bytes));
  const uint64_t bytes = std::min<uint64_t>(kSample, tensor.bytes);
  for (const uint64_t at : {uint64_t{0}, (tensor.bytes - bytes) / 2,
                            static_cast<uint64_t>(tensor.bytes) - bytes}) {
    hash.Update(tensor.data + at, bytes);
  }
}

void AddValue(const MetaValue& value, Sha256& hash) {
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    hash.Update(*text);
  } else if (const auto* array = std::get_if<MetaArray>(&value)) {
    for (size_t i = 0; i < array->count && array->raw != nullptr; ++i) {
      hash.Update(fmt::format("{} ", array->DoubleAt(i)));
    }
    for (const std::string_view s : array->strings) hash.Update(s);
  } else if (const auto* number = std::get_if<double>(&value)) {
    hash.Update(fmt::format("{}", *number));
  } else if (const auto* i = std::get_if<int64_t>(&value)) {
    hash.Update(fmt::format("{}", *i));
  } else if (const auto* u = std::get_if<uint64_t>(&value)) {
    hash.Update(fmt::format("{}", *u));
  } else if (const auto* b = std::get_if<bool>(&value)) {
    hash.Update(*b ? "true" : "false");
  }
}

void AddContent(const ModelFile& file, Sha256& hash) {
  hash.Update(fmt::format("{}\n", file.file_bytes()));
  for (const auto& [name, value] : file.metadata().all()) {
    // Prompts come as token ids: how they were made does not matter.
    if (name.starts_with("tokenizer.")) continue;
    hash.Update(name);
    AddValue(value, hash);
    hash.Update("\n");
  }
  if (file.kind() == ModelFile::Kind::kSafetensors) {
    hash.Update(file.config().Dump());
  }
  for (const TensorView& tensor : file.tensors()) AddTensor(tensor, hash);
}

}  // namespace

Sha256Digest ModelKey(const ModelFile& file, const Model& model) {
  Sha256 hash;
  hash.Update(fmt::format("carat {} ", CARAT_VERSION));
  AddContent(file, hash);
  for (const KvGroup& group : model.kv_layout().groups) {
    hash.Update(fmt::format("group {} {} {}\n", group.window, group.page_bytes,
                            kKvTile));
    for (const KvSlice& slice : group.slices) {
      hash.Update(fmt::format("{} {} {} {}\n", static_cast<int>(slice.type),
                              slice.offset_bytes, slice.kv_heads,
                              slice.head_dim));
    }
  }
  return hash.Finish();
}

Sha256Digest PackedWeightsKey(const ModelFile& file, const Packing& packing) {
  Sha256 hash;
  hash.Update(fmt::format("packed {} {} {}\n", kPackedLayoutVersion,
                          fmt::join(file.modified_ns(), " "), packing.bytes));
  hash.Update(packing.shape.data(), packing.shape.size());
  AddContent(file, hash);
  return hash.Finish();
}

}  // namespace carat
