#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "base/check.h"
#include "kernels/matmul.h"
#include "kernels/pack_layout.h"
#include "tensor/dequantize.h"

namespace carat {
namespace {

// Source bytes packed between two reports of progress: small enough that
// stored and packed copies of a tensor are never resident together.
constexpr size_t kChunkBytes = size_t{8} << 20;

int64_t Groups(int64_t rows) { return (rows + kRowGroup - 1) / kRowGroup; }

// src: [valid_rows] rows of T, row_bytes apart -> dst: [cols][16].
template <typename T>
void Interleave(const uint8_t* src, size_t row_bytes, int valid_rows,
                int64_t cols, uint8_t* dst) {
  T* out = reinterpret_cast<T*>(dst);
  constexpr int64_t kStrip = 64 / sizeof(T);
  for (int64_t c = 0; c < cols; c += kStrip) {
    const int64_t n = std::min(kStrip, cols - c);
    for (int row = 0; row < valid_rows; ++row) {
      T strip[kStrip];
      std::memcpy(strip, src + row * row_bytes + c * sizeof(T),
                  static_cast<size_t>(n) * sizeof(T));
      for (int64_t i = 0; i < n; ++i) {
        out[(c + i) * kRowGroup + row] = strip[i];
      }
    }
  }
}

void PackGroup(DType type, const uint8_t* src, size_t row_bytes, int valid_rows,
               int64_t cols, uint8_t* dst) {
  if (type == DType::kF32) {
    Interleave<uint32_t>(src, row_bytes, valid_rows, cols, dst);
  } else if (type == DType::kBF16 || type == DType::kF16) {
    Interleave<uint16_t>(src, row_bytes, valid_rows, cols, dst);
  } else {
    PackQuantizedGroup(type, src, row_bytes, valid_rows, cols, dst);
  }
}

Status CheckShape(DType type, int64_t rows, int64_t cols) {
  const int64_t block = static_cast<int64_t>(GetDTypeInfo(type).block);
  if (rows < 0 || cols < 0 || cols % block != 0) {
    return InvalidArgument(
        fmt::format("A matrix of {} with {} rows of {} columns cannot be "
                    "packed: columns must be a multiple of {}.",
                    DTypeName(type), rows, cols, block));
  }
  // Widest element: 4 bytes. Leaves room for padding and sums of sizes.
  const int64_t limit = std::numeric_limits<int64_t>::max() / 64;
  if (cols > 0 && rows > limit / cols) {
    return InvalidArgument(fmt::format(
        "A matrix of {} rows and {} columns is too large to address.", rows,
        cols));
  }
  return OkStatus();
}

}  // namespace

const char* PackedLayoutName(PackedLayout layout) {
  switch (layout) {
    case PackedLayout::kNone:
      return "none";
    case PackedLayout::kF32:
      return "F32";
    case PackedLayout::kBF16:
      return "BF16";
    case PackedLayout::kF16:
      return "F16";
    case PackedLayout::kQ4_0:
      return "Q4_0";
    case PackedLayout::kQ4_1:
      return "Q4_1";
    case PackedLayout::kQ5_0:
      return "Q5_0";
    case PackedLayout::kQ5_1:
      return "Q5_1";
    case PackedLayout::kQ8_0:
      return "Q8_0";
    case PackedLayout::kQ2_K:
      return "Q2_K";
    case PackedLayout::kQ3_K:
      return "Q3_K";
    case PackedLayout::kQ4_K:
      return "Q4_K";
    case PackedLayout::kQ5_K:
      return "Q5_K";
    case PackedLayout::kQ6_K:
      return "Q6_K";
    case PackedLayout::kIQ4_NL:
      return "IQ4_NL";
    case PackedLayout::kIQ4_XS:
      return "IQ4_XS";
    case PackedLayout::kMXFP4:
      return "MXFP4";
    case PackedLayout::kIQ:
      return "4-bit codes";
  }
  return "unknown";
}

PackedLayout LayoutFor(DType type) {
  switch (type) {
    case DType::kF32:
      return PackedLayout::kF32;
    case DType::kF16:
      return PackedLayout::kF16;
    case DType::kBF16:
      return PackedLayout::kBF16;
    case DType::kQ4_0:
      return PackedLayout::kQ4_0;
    case DType::kQ4_1:
      return PackedLayout::kQ4_1;
    case DType::kQ5_0:
      return PackedLayout::kQ5_0;
    case DType::kQ5_1:
      return PackedLayout::kQ5_1;
    case DType::kQ8_0:
      return PackedLayout::kQ8_0;
    case DType::kQ4_K:
      return PackedLayout::kQ4_K;
    case DType::kQ5_K:
      return PackedLayout::kQ5_K;
    case DType::kQ2_K:
      return PackedLayout::kQ2_K;
    case DType::kQ3_K:
      return PackedLayout::kQ3_K;
    case DType::kQ6_K:
      return PackedLayout::kQ6_K;
    case DType::kIQ4_NL:
      return PackedLayout::kIQ4_NL;
    case DType::kIQ4_XS:
      return PackedLayout::kIQ4_XS;
    case DType::kMXFP4:
      return PackedLayout::kMXFP4;
    case DType::kIQ1_S:
    case DType::kIQ1_M:
    case DType::kIQ2_XXS:
    case DType::kIQ2_XS:
    case DType::kIQ2_S:
    case DType::kIQ3_XXS:
    case DType::kIQ3_S:
      return PackedLayout::kIQ;
    default:
      return PackedLayout::kNone;
  }
}

bool UsesInt8(PackedLayout layout) {
  return layout != PackedLayout::kNone && FloatBytes(layout) == 0;
}

size_t PackedBytes(DType type, int64_t rows, int64_t cols) {
  if (!CheckShape(type, rows, cols).ok()) return 0;
  return static_cast<size_t>(Groups(rows)) * GroupBytes(LayoutFor(type), cols);
}

Result<PackedMatrix> PackMatrix(DType type, int64_t rows, int64_t cols,
                                const uint8_t* data, ThreadPool& pool,
                                const PackProgress& progress) {
  return PackMatrixInto(AlignedBuffer(PackedBytes(type, rows, cols)), type,
                        rows, cols, data, pool, progress);
}

Result<PackedMatrix> PackMatrixInto(AlignedBuffer to, DType type, int64_t rows,
                                    int64_t cols, const uint8_t* data,
                                    ThreadPool& pool,
                                    const PackProgress& progress) {
  PackedMatrix out;
  out.layout = LayoutFor(type);
  if (out.layout == PackedLayout::kNone) {
    return Unsupported(fmt::format(
        "A matrix of type {} cannot be multiplied: only floating-point and "
        "block-quantised types can.",
        DTypeName(type)));
  }
  CARAT_RETURN_IF_ERROR(CheckShape(type, rows, cols));
  out.rows = rows;
  out.cols = cols;
  const size_t bytes = PackedBytes(type, rows, cols);
  out.data = std::move(to);
  if (out.data.bytes() < bytes || (bytes > 0 && out.data.data() == nullptr)) {
    return ResourceExhausted(fmt::format(
        "There is no memory for {} bytes of packed weights ({} x {}, {}).",
        bytes, rows, cols, DTypeName(type)));
  }
  const size_t row_bytes = DTypeBytes(type, static_cast<size_t>(cols));
  const size_t group_bytes = GroupBytes(out.layout, cols);
  const int64_t per_chunk = std::max<int64_t>(
      pool.threads(),
      static_cast<int64_t>(kChunkBytes /
                           std::max<size_t>(kRowGroup * row_bytes, 1)));
  for (int64_t first = 0; first < Groups(rows); first += per_chunk) {
    const int64_t count = std::min(per_chunk, Groups(rows) - first);
    pool.ParallelFor(static_cast<size_t>(count), [&](size_t task, int) {
      const int64_t group = first + static_cast<int64_t>(task);
      const int64_t row = group * kRowGroup;
      const int valid =
          static_cast<int>(std::min<int64_t>(kRowGroup, rows - row));
      PackGroup(type, data + static_cast<size_t>(row) * row_bytes, row_bytes,
                valid, cols,
                out.data.data() + static_cast<size_t>(group) * group_bytes);
    });
    const int64_t end = std::min((first + count) * kRowGroup, rows);
    const size_t at = static_cast<size_t>(first * kRowGroup) * row_bytes;
    if (progress) {
      progress(data + at, static_cast<size_t>(end) * row_bytes - at);
    }
  }
  return out;
}

PackedMatrix RowsOf(const PackedMatrix& w, int64_t first, int64_t count) {
  CARAT_CHECK(first >= 0 && count >= 0 && first + count <= w.rows);
  CARAT_CHECK(first % kRowGroup == 0);
  CARAT_CHECK(count % kRowGroup == 0 || first + count == w.rows);
  PackedMatrix part;
  part.layout = w.layout;
  part.rows = count;
  part.cols = w.cols;
  if (w.data.data() == nullptr) return part;  // planned, not loaded
  const size_t group = GroupBytes(w.layout, w.cols);
  const size_t groups = static_cast<size_t>(count + kRowGroup - 1) / kRowGroup;
  part.data =
      AlignedBuffer::Window(const_cast<uint8_t*>(w.data.data()) +
                                static_cast<size_t>(first / kRowGroup) * group,
                            groups * group);
  return part;
}

void UnpackRow(const PackedMatrix& w, int64_t row, float* out) {
  const size_t group_bytes = GroupBytes(w.layout, w.cols);
  const uint8_t* group =
      w.data.data() + static_cast<size_t>(row / kRowGroup) * group_bytes;
  const int lane = static_cast<int>(row % kRowGroup);
  if (FloatBytes(w.layout) != 0) {
    for (int64_t c = 0; c < w.cols; ++c) {
      const int64_t at = c * kRowGroup + lane;
      switch (w.layout) {
        case PackedLayout::kF32:
          out[c] = reinterpret_cast<const float*>(group)[at];
          break;
        case PackedLayout::kBF16:
          out[c] = Bf16ToFloat(reinterpret_cast<const uint16_t*>(group)[at]);
          break;
        default:
          out[c] = HalfToFloat(reinterpret_cast<const uint16_t*>(group)[at]);
          break;
      }
    }
    return;
  }
  const LayoutSpec spec = SpecOf(w.layout);
  for (int64_t b = 0; b < w.cols / kActBlock; ++b) {
    const RowBlock block = ReadRowBlock(w.layout, group, b, lane);
    for (int k = 0; k < kActBlock; ++k) {
      float scale = block.scale;
      float min = block.min;
      if (IsPair(spec)) scale *= static_cast<float>(block.sub[k / 16]);
      if (HasPairMin(spec)) min *= -static_cast<float>(block.min_sub[k / 16]);
      const float value = scale * static_cast<float>(block.code[k]);
      const bool has_min = HasMin(spec) || HasPairMin(spec);
      out[b * kActBlock + k] = has_min ? value + min : value;
    }
  }
}

}  // namespace carat
