#include "formats/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <unordered_set>
#include <utility>

#include "base/json.h"
#include "base/utf8.h"

namespace carat {
namespace {

constexpr uint64_t kLengthBytes = 8;
// The largest Gemma's header is well under 1 MiB. Parsed JSON takes up to
// twenty times its text, so the limit also bounds memory.
constexpr uint64_t kMaxHeaderBytes = uint64_t{8} << 20;
constexpr size_t kMaxIndexBytes = size_t{16} << 20;
constexpr int kMaxHeaderDepth = 8;
constexpr size_t kMaxDims = 8;
constexpr uint64_t kLargestSize = std::numeric_limits<int64_t>::max();

std::optional<DType> DTypeFromSafetensors(std::string_view name) {
  static constexpr std::pair<std::string_view, DType> kTypes[] = {
      {"F32", DType::kF32}, {"F16", DType::kF16}, {"BF16", DType::kBF16},
      {"F64", DType::kF64}, {"I8", DType::kI8},   {"I16", DType::kI16},
      {"I32", DType::kI32}, {"I64", DType::kI64},
  };
  for (const auto& [known, type] : kTypes) {
    if (name == known) return type;
  }
  return std::nullopt;
}

// Offsets into the data that follows the header.
struct Extent {
  uint64_t begin;
  uint64_t end;
  size_t tensor;
};

class Parser {
 public:
  explicit Parser(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  Result<std::vector<TensorView>> Parse() {
    CARAT_RETURN_IF_ERROR(ReadHeader());
    std::unordered_set<std::string_view> names;
    for (const auto& [name, entry] : header_.as_object()) {
      if (!names.insert(name).second) {
        return Malformed(fmt::format("{} appears twice in the header",
                                     QuoteForMessage(name)));
      }
      if (name == "__metadata__") continue;
      CARAT_RETURN_IF_ERROR(ReadTensor(name, entry)
                                .WithContext(fmt::format(
                                    "the tensor {}", QuoteForMessage(name))));
    }
    CARAT_RETURN_IF_ERROR(PlaceTensors());
    return std::move(tensors_);
  }

 private:
  Status ReadHeader() {
    if (bytes_.size() < kLengthBytes) {
      return Malformed(fmt::format(
          "the file is truncated: a safetensors file has at least {} bytes, "
          "this one has {}",
          kLengthBytes, bytes_.size()));
    }
    uint64_t length = 0;
    std::memcpy(&length, bytes_.data(), kLengthBytes);
    if (length > kMaxHeaderBytes) {
      return Malformed(fmt::format(
          "this is not a safetensors file, or its header is damaged: it claims "
          "a header of {} bytes; at most {} are allowed",
          length, kMaxHeaderBytes));
    }
    if (length > bytes_.size() - kLengthBytes) {
      return Malformed(fmt::format(
          "the file is truncated: its header ends at byte {}, but the file has "
          "{} bytes; download it again",
          kLengthBytes + length, bytes_.size()));
    }
    const std::string_view text(
        reinterpret_cast<const char*>(bytes_.data()) + kLengthBytes,
        static_cast<size_t>(length));
    Result<Json> header = Json::Parse(text, kMaxHeaderDepth);
    if (!header.ok()) {
      return header.status().WithContext("in the safetensors header");
    }
    header_ = std::move(header).value();
    if (!header_.is_object()) {
      return Malformed(
          fmt::format("the safetensors header should be an object but is {}",
                      header_.type_name()));
    }
    data_offset_ = kLengthBytes + length;
    return OkStatus();
  }

  Status ReadTensor(const std::string& name, const Json& entry) {
    const Json* type = entry.Find("dtype");
    const Json* shape = entry.Find("shape");
    const Json* offsets = entry.Find("data_offsets");
    if (type == nullptr || !type->is_string() || shape == nullptr ||
        !shape->is_array() || offsets == nullptr || !offsets->is_array()) {
      return Malformed(
          "it needs a dtype string, a shape array and a data_offsets array");
    }
    const std::optional<DType> known = DTypeFromSafetensors(type->as_string());
    if (!known.has_value()) {
      return Unsupported(
          fmt::format("it has the type {}, which carat cannot "
                      "read",
                      QuoteForMessage(type->as_string())));
    }
    TensorView view;
    view.name = name;
    view.type = *known;
    CARAT_RETURN_IF_ERROR(ReadShape(*shape, &view));
    CARAT_RETURN_IF_ERROR(ReadOffsets(*offsets, view));
    tensors_.push_back(std::move(view));
    return OkStatus();
  }

  static Status ReadShape(const Json& shape, TensorView* view) {
    if (shape.as_array().size() > kMaxDims) {
      return Malformed(
          fmt::format("it has {} dimensions; at most {} are "
                      "allowed",
                      shape.as_array().size(), kMaxDims));
    }
    uint64_t bytes = GetDTypeInfo(view->type).block_bytes;
    for (const Json& dim : shape.as_array()) {
      if (!dim.is_int() || dim.as_int() < 0) {
        return Malformed(
            fmt::format("it has the impossible dimension {}", dim.Dump()));
      }
      view->shape.push_back(dim.as_int());
    }
    // Zeros last, so that [huge, huge, 0] is an overflow as well.
    bool empty = false;
    for (const int64_t dim : view->shape) {
      if (dim == 0) {
        empty = true;
      } else if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(dim),
                                        &bytes) ||
                 bytes > kLargestSize) {
        return Malformed(fmt::format("its shape {} is larger than any memory",
                                     ShapeString(view->shape)));
      }
    }
    view->bytes = empty ? 0 : static_cast<size_t>(bytes);
    return OkStatus();
  }

  Status ReadOffsets(const Json& offsets, const TensorView& view) {
    const Json::Array& pair = offsets.as_array();
    if (pair.size() != 2 || !pair[0].is_int() || !pair[1].is_int() ||
        pair[0].as_int() < 0 || pair[1].as_int() < pair[0].as_int()) {
      return Malformed(
          "its data_offsets should be [begin, end] with 0 <= begin "
          "<= end");
    }
    const uint64_t begin = static_cast<uint64_t>(pair[0].as_int());
    const uint64_t end = static_cast<uint64_t>(pair[1].as_int());
    if (end - begin != view.bytes) {
      return Malformed(fmt::format(
          "it takes {} bytes according to its type {} and shape {}, but its "
          "data_offsets span {}",
          view.bytes, DTypeName(view.type), ShapeString(view.shape),
          end - begin));
    }
    const uint64_t element = GetDTypeInfo(view.type).block_bytes;
    // begin < 2^63, so the sum cannot wrap.
    if ((data_offset_ + begin) % element != 0) {
      return Unsupported(fmt::format(
          "it begins at byte {} of the file, which is not a multiple of its "
          "element size {}; save the file again with a current version of "
          "safetensors",
          data_offset_ + begin, element));
    }
    extents_.push_back({begin, end, tensors_.size()});
    return OkStatus();
  }

  // The tensors must fill the data part exactly, in whatever order.
  Status PlaceTensors() {
    std::vector<Extent> sorted = extents_;
    std::sort(sorted.begin(), sorted.end(),
              [](const Extent& a, const Extent& b) {
                return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
              });
    uint64_t end = 0;
    for (const Extent& extent : sorted) {
      if (extent.begin != end) {
        return Malformed(fmt::format(
            "the tensor {} begins at byte {} of the data where {} was expected;"
            " tensors may neither overlap nor leave gaps",
            QuoteForMessage(tensors_[extent.tensor].name), extent.begin, end));
      }
      end = extent.end;
    }
    const uint64_t expected = data_offset_ + end;
    if (expected > bytes_.size()) {
      return Malformed(fmt::format(
          "the file is truncated: its {} tensors end at byte {}, but the file "
          "has {} bytes ({} are missing); download it again",
          tensors_.size(), expected, bytes_.size(), expected - bytes_.size()));
    }
    if (expected < bytes_.size()) {
      return Malformed(fmt::format(
          "the file has {} bytes after its last tensor, which ends at byte {}",
          bytes_.size() - expected, expected));
    }
    for (const Extent& extent : extents_) {
      tensors_[extent.tensor].data =
          bytes_.data() + data_offset_ + extent.begin;
    }
    return OkStatus();
  }

  std::span<const uint8_t> bytes_;
  Json header_;
  uint64_t data_offset_ = 0;
  std::vector<TensorView> tensors_;
  std::vector<Extent> extents_;
};

bool IsPlainShardName(std::string_view name) {
  return name.ends_with(".safetensors") && name.size() <= 255 &&
         name.find_first_of("/\\") == name.npos && name.front() != '.' &&
         name.find('\0') == name.npos;
}

}  // namespace

Result<std::vector<TensorView>> ParseSafetensors(
    std::span<const uint8_t> bytes) {
  return Parser(bytes).Parse();
}

Result<std::map<std::string, std::string>> ParseSafetensorsIndex(
    std::string_view json) {
  if (json.size() > kMaxIndexBytes) {
    return Malformed(
        fmt::format("the index has {} bytes; at most {} are "
                    "allowed",
                    json.size(), kMaxIndexBytes));
  }
  CARAT_ASSIGN_OR_RETURN(const Json index, Json::Parse(json, kMaxHeaderDepth));
  const Json* weight_map = index.Find("weight_map");
  if (weight_map == nullptr || !weight_map->is_object()) {
    return Malformed("the index should have an object named \"weight_map\"");
  }
  std::map<std::string, std::string> result;
  for (const auto& [tensor, file] : weight_map->as_object()) {
    if (!file.is_string() || !IsPlainShardName(file.as_string())) {
      return Malformed(fmt::format(
          "the index places the tensor {} in {}, which is not the name of a "
          ".safetensors file in the same folder",
          QuoteForMessage(tensor), QuoteForMessage(file.Dump())));
    }
    if (!result.emplace(tensor, file.as_string()).second) {
      return Malformed(fmt::format("the index names the tensor {} twice",
                                   QuoteForMessage(tensor)));
    }
  }
  if (result.empty()) return Malformed("the index names no tensors");
  return result;
}

}  // namespace carat
