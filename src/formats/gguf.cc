#include "formats/gguf.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "base/utf8.h"
#include "formats/byte_reader.h"

namespace carat {
namespace {

constexpr uint8_t kMagic[4] = {'G', 'G', 'U', 'F'};
constexpr uint64_t kDefaultAlignment = 32;
// Real files have tens of keys and at most a few thousand tensors. The limits
// keep a hostile header from taking far more memory than its own size.
constexpr uint64_t kMaxKeys = 65536;
constexpr uint64_t kMaxTensors = 65536;
constexpr size_t kMaxNameBytes = 1024;
constexpr uint32_t kMaxDims = 4;
constexpr uint64_t kLargestDim = std::numeric_limits<int64_t>::max();

// Bytes of one element of a metadata array; 0 for strings and arrays.
size_t MetaTypeBytes(MetaType type) {
  switch (type) {
    case MetaType::kU8:
    case MetaType::kI8:
    case MetaType::kBool:
      return 1;
    case MetaType::kU16:
    case MetaType::kI16:
      return 2;
    case MetaType::kU32:
    case MetaType::kI32:
    case MetaType::kF32:
      return 4;
    case MetaType::kU64:
    case MetaType::kI64:
    case MetaType::kF64:
      return 8;
    case MetaType::kString:
    case MetaType::kArray:
      return 0;
  }
  return 0;
}

bool IsMetaType(uint32_t id) {
  return id <= static_cast<uint32_t>(MetaType::kF64);
}

Status CheckName(std::string_view name, const char* what) {
  if (name.empty()) {
    return Malformed(
        fmt::format("the GGUF header has a {} without a name", what));
  }
  if (name.size() > kMaxNameBytes || !IsValidUtf8(name)) {
    return Malformed(fmt::format(
        "the GGUF header has a {} whose name is not UTF-8 of at most {} "
        "bytes: {}",
        what, kMaxNameBytes, QuoteForMessage(name)));
  }
  return OkStatus();
}

class Parser {
 public:
  explicit Parser(std::span<const uint8_t> bytes)
      : bytes_(bytes), reader_(bytes) {}

  Result<GgufFile> Parse() {
    CARAT_RETURN_IF_ERROR(ReadPreamble());
    for (uint64_t i = 0; i < key_count_; ++i) {
      CARAT_RETURN_IF_ERROR(ReadKeyValue());
    }
    CARAT_RETURN_IF_ERROR(ReadAlignment());
    offsets_.reserve(static_cast<size_t>(tensor_count_));
    file_.tensors.reserve(static_cast<size_t>(tensor_count_));
    for (uint64_t i = 0; i < tensor_count_; ++i) {
      CARAT_RETURN_IF_ERROR(ReadTensorInfo());
    }
    CARAT_RETURN_IF_ERROR(CheckNames());
    CARAT_RETURN_IF_ERROR(PlaceTensors());
    return std::move(file_);
  }

 private:
  // The reader ran out of bytes while reading `what`.
  Status Truncated(std::string_view what) const {
    return Malformed(fmt::format(
        "the file is truncated or damaged: {} needs {} bytes at offset {}, "
        "but the file has only {} bytes; download it again",
        what, reader_.failed_need(), reader_.failed_offset(), bytes_.size()));
  }

  Status ReadPreamble() {
    if (!HasGgufMagic(bytes_)) {
      return Malformed(
          "this is not a GGUF file: it does not begin with "
          "\"GGUF\"");
    }
    reader_.Take(sizeof(kMagic));
    if (!reader_.Read(&file_.version)) return Truncated("the GGUF version");
    if (file_.version != 0 && (file_.version & 0xFFFF) == 0) {
      return Unsupported(
          "this is a big-endian GGUF file; carat reads little-endian ones, "
          "which every public model uses");
    }
    if (file_.version != 2 && file_.version != 3) {
      return Unsupported(fmt::format(
          "this is a GGUF file of version {}; carat reads versions 2 and 3",
          file_.version));
    }
    reader_.Read(&tensor_count_);
    if (!reader_.Read(&key_count_)) return Truncated("the GGUF header");
    if (tensor_count_ > kMaxTensors || key_count_ > kMaxKeys) {
      return Malformed(fmt::format(
          "the GGUF header claims {} tensors and {} metadata keys; at most {} "
          "and {} make sense",
          tensor_count_, key_count_, kMaxTensors, kMaxKeys));
    }
    return OkStatus();
  }

  Status ReadKeyValue() {
    std::string_view key;
    uint32_t type = 0;
    if (!reader_.ReadString(&key)) return Truncated("a metadata key");
    CARAT_RETURN_IF_ERROR(CheckName(key, "metadata key"));
    if (!reader_.Read(&type)) return Truncated("the type of a metadata value");
    if (!IsMetaType(type)) {
      return Malformed(
          fmt::format("the metadata key {} has the unknown type {}",
                      QuoteForMessage(key), type));
    }
    if (file_.metadata.Has(key)) {
      return Malformed(fmt::format("the metadata key {} appears twice",
                                   QuoteForMessage(key)));
    }
    MetaValue value;
    CARAT_RETURN_IF_ERROR(ReadValue(key, static_cast<MetaType>(type), &value));
    if (reader_.failed()) {
      return Truncated(
          fmt::format("the metadata value of {}", QuoteForMessage(key)));
    }
    file_.metadata.Set(std::string(key), std::move(value));
    return OkStatus();
  }

  template <typename T, typename Stored>
  void ReadScalar(MetaValue* value) {
    T scalar = 0;
    reader_.Read(&scalar);
    *value = static_cast<Stored>(scalar);
  }

  // Running out of bytes shows in reader_; only other errors are returned.
  Status ReadValue(std::string_view key, MetaType type, MetaValue* value) {
    switch (type) {
      case MetaType::kU8:
        ReadScalar<uint8_t, uint64_t>(value);
        break;
      case MetaType::kI8:
        ReadScalar<int8_t, int64_t>(value);
        break;
      case MetaType::kU16:
        ReadScalar<uint16_t, uint64_t>(value);
        break;
      case MetaType::kI16:
        ReadScalar<int16_t, int64_t>(value);
        break;
      case MetaType::kU32:
        ReadScalar<uint32_t, uint64_t>(value);
        break;
      case MetaType::kI32:
        ReadScalar<int32_t, int64_t>(value);
        break;
      case MetaType::kU64:
        ReadScalar<uint64_t, uint64_t>(value);
        break;
      case MetaType::kI64:
        ReadScalar<int64_t, int64_t>(value);
        break;
      case MetaType::kF32:
        ReadScalar<float, double>(value);
        break;
      case MetaType::kF64:
        ReadScalar<double, double>(value);
        break;
      case MetaType::kBool:
        return ReadBool(key, value);
      case MetaType::kString: {
        std::string_view text;
        reader_.ReadString(&text);
        *value = text;
        break;
      }
      case MetaType::kArray:
        return ReadArray(key, value);
    }
    return OkStatus();
  }

  static Status BadBool(std::string_view key) {
    return Malformed(fmt::format(
        "the metadata key {} holds a boolean that is neither 0 nor 1",
        QuoteForMessage(key)));
  }

  Status ReadBool(std::string_view key, MetaValue* value) {
    uint8_t byte = 0;
    reader_.Read(&byte);
    if (byte > 1) return BadBool(key);
    *value = byte == 1;
    return OkStatus();
  }

  Status ReadArray(std::string_view key, MetaValue* value) {
    uint32_t type = 0;
    uint64_t count = 0;
    reader_.Read(&type);
    if (!reader_.Read(&count)) return OkStatus();
    if (!IsMetaType(type)) {
      return Malformed(
          fmt::format("the metadata key {} is an array of the unknown type {}",
                      QuoteForMessage(key), type));
    }
    MetaArray array;
    array.type = static_cast<MetaType>(type);
    if (array.type == MetaType::kArray) {
      return Unsupported(fmt::format(
          "the metadata key {} is an array of arrays, which no Gemma file "
          "needs",
          QuoteForMessage(key)));
    }
    const size_t element_bytes = MetaTypeBytes(array.type);
    // A string takes at least the eight bytes of its length.
    const size_t least = element_bytes == 0 ? 8 : element_bytes;
    if (count > reader_.remaining() / least) {
      return Malformed(fmt::format(
          "the file is truncated or damaged: the metadata key {} claims an "
          "array of {} elements, but only {} bytes follow at offset {}",
          QuoteForMessage(key), count, reader_.remaining(), reader_.offset()));
    }
    array.count = static_cast<size_t>(count);
    if (array.type == MetaType::kString) {
      array.strings.resize(array.count);
      for (std::string_view& text : array.strings) {
        if (!reader_.ReadString(&text)) return OkStatus();
      }
    } else {
      array.raw = reader_.Take(count * element_bytes);
      if (array.type == MetaType::kBool &&
          std::any_of(array.raw, array.raw + array.count,
                      [](uint8_t byte) { return byte > 1; })) {
        return BadBool(key);
      }
    }
    *value = std::move(array);
    return OkStatus();
  }

  Status ReadAlignment() {
    CARAT_ASSIGN_OR_RETURN(const std::optional<int64_t> found,
                           file_.metadata.Int("general.alignment"));
    file_.alignment = kDefaultAlignment;
    if (!found.has_value()) return OkStatus();
    const uint64_t value = static_cast<uint64_t>(*found);
    if (*found < 8 || *found > (1 << 30) || (value & (value - 1)) != 0) {
      return Malformed(fmt::format(
          "general.alignment is {}; it should be a power of two of at least 8",
          *found));
    }
    file_.alignment = value;
    return OkStatus();
  }

  Status ReadTensorInfo() {
    TensorView view;
    std::string_view name;
    uint32_t dims = 0;
    if (!reader_.ReadString(&name)) return Truncated("a tensor's name");
    CARAT_RETURN_IF_ERROR(CheckName(name, "tensor"));
    view.name = std::string(name);
    const std::string quoted = QuoteForMessage(name);
    reader_.Read(&dims);
    if (dims > kMaxDims) {
      return Malformed(
          fmt::format("the tensor {} has {} dimensions; at most {} are allowed",
                      quoted, dims, kMaxDims));
    }
    uint64_t fastest_first[kMaxDims] = {};
    for (uint32_t i = 0; i < dims; ++i) reader_.Read(&fastest_first[i]);
    uint32_t type_id = 0;
    uint64_t offset = 0;
    reader_.Read(&type_id);
    if (!reader_.Read(&offset)) {
      return Truncated(fmt::format("the description of tensor {}", quoted));
    }
    const std::optional<DType> type = DTypeFromGguf(type_id);
    if (!type.has_value()) {
      return Unsupported(
          fmt::format("the tensor {} has the type {}, which carat cannot read",
                      quoted, GgufTypeName(type_id)));
    }
    view.type = *type;
    for (uint32_t i = dims; i-- > 0;) {
      const uint64_t dim = fastest_first[i];
      if (dim == 0 || dim > kLargestDim) {
        return Malformed(fmt::format(
            "the tensor {} has the impossible dimension {}", quoted, dim));
      }
      view.shape.push_back(static_cast<int64_t>(dim));
    }
    CARAT_RETURN_IF_ERROR(SizeTensor(quoted, &view));
    if (offset % file_.alignment != 0) {
      return Malformed(fmt::format(
          "the tensor {} begins at offset {} of the data, which is not a "
          "multiple of the file's alignment of {}",
          quoted, offset, file_.alignment));
    }
    offsets_.push_back(offset);
    file_.tensors.push_back(std::move(view));
    return OkStatus();
  }

  static Status SizeTensor(const std::string& quoted, TensorView* view) {
    const DTypeInfo& info = GetDTypeInfo(view->type);
    uint64_t elements = 1;
    bool overflow = false;
    for (const int64_t dim : view->shape) {
      overflow |= __builtin_mul_overflow(elements, static_cast<uint64_t>(dim),
                                         &elements);
    }
    uint64_t bytes = 0;
    overflow |= __builtin_mul_overflow(elements / info.block,
                                       uint64_t{info.block_bytes}, &bytes);
    if (overflow || elements > kLargestDim || bytes > kLargestDim) {
      return Malformed(
          fmt::format("the tensor {} with shape {} is larger than "
                      "any memory",
                      quoted, ShapeString(view->shape)));
    }
    if (static_cast<uint64_t>(view->cols()) % info.block != 0) {
      return Malformed(fmt::format(
          "the tensor {} has rows of {} elements, which {} cannot store: it "
          "packs blocks of {}",
          quoted, view->cols(), info.name, info.block));
    }
    view->bytes = static_cast<size_t>(bytes);
    return OkStatus();
  }

  Status CheckNames() const {
    std::unordered_set<std::string_view> names;
    names.reserve(file_.tensors.size());
    for (const TensorView& view : file_.tensors) {
      if (!names.insert(view.name).second) {
        return Malformed(fmt::format("the tensor {} appears twice",
                                     QuoteForMessage(view.name)));
      }
    }
    return OkStatus();
  }

  // Turns offsets into pointers once all of them are known to be in the file
  // and apart from each other.
  Status PlaceTensors() {
    const uint64_t mask = file_.alignment - 1;
    file_.data_offset = (reader_.offset() + mask) & ~mask;
    std::vector<size_t> order(file_.tensors.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(),
              [&](size_t a, size_t b) { return offsets_[a] < offsets_[b]; });
    uint64_t end = 0;  // of what came before, from data_offset
    for (size_t k = 0; k < order.size(); ++k) {
      const TensorView& view = file_.tensors[order[k]];
      const uint64_t begin = offsets_[order[k]];
      if (begin < end) {
        return Malformed(
            fmt::format("the tensors {} and {} overlap",
                        QuoteForMessage(file_.tensors[order[k - 1]].name),
                        QuoteForMessage(view.name)));
      }
      if (__builtin_add_overflow(begin, uint64_t{view.bytes}, &end) ||
          end > kLargestDim) {
        return Malformed(
            fmt::format("the tensor {} begins at offset {}, beyond any file",
                        QuoteForMessage(view.name), begin));
      }
    }
    const uint64_t expected = file_.data_offset + end;
    if (!order.empty() && expected > bytes_.size()) {
      return Malformed(fmt::format(
          "the file is truncated: its {} tensors end at byte {}, but the file "
          "has {} bytes ({} are missing); download it again",
          order.size(), expected, bytes_.size(), expected - bytes_.size()));
    }
    for (size_t i = 0; i < file_.tensors.size(); ++i) {
      file_.tensors[i].data = bytes_.data() + file_.data_offset + offsets_[i];
    }
    return OkStatus();
  }

  std::span<const uint8_t> bytes_;
  ByteReader reader_;
  uint64_t tensor_count_ = 0;
  uint64_t key_count_ = 0;
  GgufFile file_;
  std::vector<uint64_t> offsets_;  // of each tensor, from data_offset
};

}  // namespace

bool HasGgufMagic(std::span<const uint8_t> bytes) {
  return bytes.size() >= sizeof(kMagic) &&
         std::memcmp(bytes.data(), kMagic, sizeof(kMagic)) == 0;
}

Result<GgufFile> ParseGguf(std::span<const uint8_t> bytes) {
  return Parser(bytes).Parse();
}

}  // namespace carat
