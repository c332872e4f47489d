// For tests and fuzz seeds only: writes small GGUF and safetensors files,
// correct ones and, through the raw fields, wrong ones.
#ifndef CARAT_FORMATS_TEST_WRITERS_H_
#define CARAT_FORMATS_TEST_WRITERS_H_

#include <cstdint>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "formats/metadata.h"
#include "tensor/dtype.h"

namespace carat::testing_util {

template <typename T>
void AppendRaw(T value, std::string* out) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(T));
}

inline void AppendString(std::string_view text, std::string* out) {
  AppendRaw<uint64_t>(text.size(), out);
  out->append(text);
}

class GgufWriter {
 public:
  uint32_t version = 3;
  uint64_t alignment = 32;                  // also written as a key when not 32
  std::optional<uint64_t> claimed_tensors;  // instead of the true counts
  std::optional<uint64_t> claimed_keys;

  GgufWriter& U8(std::string_view key, uint8_t v) {
    return Scalar(key, MetaType::kU8, v);
  }
  GgufWriter& U16(std::string_view key, uint16_t v) {
    return Scalar(key, MetaType::kU16, v);
  }
  GgufWriter& U32(std::string_view key, uint32_t v) {
    return Scalar(key, MetaType::kU32, v);
  }
  GgufWriter& I32(std::string_view key, int32_t v) {
    return Scalar(key, MetaType::kI32, v);
  }
  GgufWriter& U64(std::string_view key, uint64_t v) {
    return Scalar(key, MetaType::kU64, v);
  }
  GgufWriter& I64(std::string_view key, int64_t v) {
    return Scalar(key, MetaType::kI64, v);
  }
  GgufWriter& F32(std::string_view key, float v) {
    return Scalar(key, MetaType::kF32, v);
  }
  GgufWriter& F64(std::string_view key, double v) {
    return Scalar(key, MetaType::kF64, v);
  }
  GgufWriter& Bool(std::string_view key, bool v) {
    return Scalar<uint8_t>(key, MetaType::kBool, v);
  }
  GgufWriter& String(std::string_view key, std::string_view v) {
    std::string raw;
    AppendString(v, &raw);
    return RawKey(key, static_cast<uint32_t>(MetaType::kString), raw);
  }
  GgufWriter& Strings(std::string_view key,
                      const std::vector<std::string>& values) {
    std::string raw = ArrayHead(MetaType::kString, values.size());
    for (const std::string& v : values) AppendString(v, &raw);
    return RawKey(key, static_cast<uint32_t>(MetaType::kArray), raw);
  }
  template <typename T>
  GgufWriter& Array(std::string_view key, MetaType type,
                    const std::vector<T>& values) {
    std::string raw = ArrayHead(type, values.size());
    for (const T v : values) AppendRaw<T>(v, &raw);
    return RawKey(key, static_cast<uint32_t>(MetaType::kArray), raw);
  }
  // A key whose type and bytes are as given.
  GgufWriter& RawKey(std::string_view key, uint32_t type,
                     std::string_view raw) {
    AppendString(key, &keys_);
    AppendRaw(type, &keys_);
    keys_.append(raw);
    ++key_count_;
    return *this;
  }
  static std::string ArrayHead(MetaType type, uint64_t count) {
    std::string raw;
    AppendRaw(static_cast<uint32_t>(type), &raw);
    AppendRaw(count, &raw);
    return raw;
  }

  // shape: slowest first, as in TensorView. `data` holds the stored bytes.
  GgufWriter& Tensor(std::string_view name, const std::vector<int64_t>& shape,
                     DType type, std::string_view data) {
    const uint64_t offset = Aligned(data_.size());
    std::vector<uint64_t> dims(shape.rbegin(), shape.rend());
    RawTensor(name, dims, GgufFromDType(type), offset);
    data_.resize(offset);
    data_.append(data);
    return *this;
  }
  // As Tensor, with bytes of zeros.
  GgufWriter& Zeros(std::string_view name, const std::vector<int64_t>& shape,
                    DType type) {
    int64_t elements = 1;
    for (const int64_t dim : shape) elements *= dim;
    return Tensor(name, shape, type,
                  std::string(DTypeBytes(type, elements), '\0'));
  }
  // A description alone, as given. dims: fastest first, as in the file.
  GgufWriter& RawTensor(std::string_view name,
                        const std::vector<uint64_t>& dims, uint32_t type,
                        uint64_t offset) {
    AppendString(name, &infos_);
    AppendRaw(static_cast<uint32_t>(dims.size()), &infos_);
    for (const uint64_t dim : dims) AppendRaw(dim, &infos_);
    AppendRaw(type, &infos_);
    AppendRaw(offset, &infos_);
    ++tensor_count_;
    return *this;
  }
  GgufWriter& RawData(std::string_view data) {
    data_.append(data);
    return *this;
  }

  std::string Build() const {
    std::string out = "GGUF";
    std::string keys = keys_;
    uint64_t key_count = key_count_;
    if (alignment != 32) {
      AppendString("general.alignment", &keys);
      AppendRaw(static_cast<uint32_t>(MetaType::kU32), &keys);
      AppendRaw(static_cast<uint32_t>(alignment), &keys);
      ++key_count;
    }
    AppendRaw(version, &out);
    AppendRaw(claimed_tensors.value_or(tensor_count_), &out);
    AppendRaw(claimed_keys.value_or(key_count), &out);
    out += keys + infos_;
    if (tensor_count_ > 0) out.resize(Aligned(out.size()));
    return out + data_;
  }

 private:
  template <typename T>
  GgufWriter& Scalar(std::string_view key, MetaType type, T value) {
    std::string raw;
    AppendRaw<T>(value, &raw);
    return RawKey(key, static_cast<uint32_t>(type), raw);
  }
  uint64_t Aligned(uint64_t size) const {
    return (size + alignment - 1) / alignment * alignment;
  }

  std::string keys_, infos_, data_;
  uint64_t key_count_ = 0, tensor_count_ = 0;
};

// The bytes of a safetensors file with this header text and data.
inline std::string SafetensorsBytes(std::string_view header,
                                    std::string_view data) {
  std::string out;
  AppendString(header, &out);
  return out.append(data);
}

class SafetensorsWriter {
 public:
  // dtype: "F32", "BF16" ...; `data` holds the stored bytes.
  SafetensorsWriter& Tensor(std::string_view name, std::string_view dtype,
                            const std::vector<int64_t>& shape,
                            std::string_view data) {
    Json entry;
    entry.Set("dtype", dtype);
    Json& dims = entry.Set("shape", Json::MakeArray());
    for (const int64_t dim : shape) dims.Append(dim);
    Json& offsets = entry.Set("data_offsets", Json::MakeArray());
    offsets.Append(uint64_t{data_.size()});
    data_.append(data);
    offsets.Append(uint64_t{data_.size()});
    header_.Set(name, std::move(entry));
    return *this;
  }
  SafetensorsWriter& Metadata(std::string_view key, std::string_view value) {
    if (header_.Find("__metadata__") == nullptr) {
      header_.Set("__metadata__", Json::MakeObject());
    }
    header_.Find("__metadata__")->Set(key, value);
    return *this;
  }
  std::string Build() const {
    std::string header = header_.Dump();
    header.resize((header.size() + 7) / 8 * 8, ' ');
    return SafetensorsBytes(header, data_);
  }

 private:
  Json header_ = Json::MakeObject();
  std::string data_;
};

inline void WriteFile(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace carat::testing_util

#endif  // CARAT_FORMATS_TEST_WRITERS_H_
