// The bytes of a packed matrix, known to the packer, the scalar reference and
// every vector kernel.
//
// A matrix is a row of groups, one per kRowGroup (16) output rows; the last
// one is padded with zero rows. Float layouts hold, per column, the 16 rows
// side by side. Quantised layouts run over the columns in super-blocks: a head
// (values shared by `super` blocks), then `super` blocks of 32 columns, each
//
//   codes  4-bit: 4 vectors of 64 bytes. Byte [row * 4 + i] of vector j holds
//          column 4j + i in its low and column 16 + 4j + i in its high nibble.
//          8-bit: 8 vectors, byte [row * 4 + i] of vector j is column 4j + i.
//          2-bit, 3-bit: 2 vectors, bits 2(j % 4) and up of vector j / 4.
//   high   3-bit, 5-bit: 1 vector, bit j of byte [row * 4 + i] is the top bit
//          of column 4j + i. 6-bit: 2 vectors like those of 2-bit codes.
//   scale  per row: binary16, or an integer sub-scale under a binary16 head
//   min    per row: likewise
//
// so that a 32-bit lane always holds four consecutive columns of one row: what
// integer dot product instructions consume.
#ifndef CARAT_KERNELS_PACK_LAYOUT_H_
#define CARAT_KERNELS_PACK_LAYOUT_H_

#include <cstddef>
#include <cstdint>

#include "kernels/matmul.h"

namespace carat {

enum class ScaleKind : uint8_t {
  kHalf,     // block: f16 scale
  kFloat,    // block: f32 scale
  kHalfMin,  // block: f16 scale, f16 minimum
  kSubMin,   // head: f16 d, f16 dmin; block: u8 scale, u8 minimum
  kSub,      // head: f16 d; block: i8 scale
  kSubPair,  // head: f16 d; block: i8 scale of columns 0-15, of 16-31
  // head: f32 d, then the 16 values of the code book plus 128; block: the same
  kFloatSubPair,
  // head: f16 d, f16 dmin; block: u8 of columns 0-15, of 16-31, each a scale
  // in the low and a minimum in the high nibble
  kNibblePair,
};

enum class Codebook : uint8_t { kNone, kIQ4, kFp4, kInHead };

struct LayoutSpec {
  int bits;           // of a stored code
  int offset;         // weight = scale * (code - offset) [+ minimum]
  Codebook codebook;  // what codes index; offset 128 is included there
  ScaleKind kind;
  int super;  // blocks under one head
  int head_bytes;
  int block_bytes;
  int high_at;  // byte offsets in a block
  int scale_at;
  int min_at;
};

inline constexpr int kCodeVector = 64;  // bytes of 16 rows x 4 columns

constexpr LayoutSpec SpecOf(PackedLayout layout) {
  using enum ScaleKind;
  using enum Codebook;
  switch (layout) {
    case PackedLayout::kQ4_0:
      return {4, 8, kNone, kHalf, 1, 0, 288, 0, 256, 0};
    case PackedLayout::kQ4_1:
      return {4, 0, kNone, kHalfMin, 1, 0, 320, 0, 256, 288};
    case PackedLayout::kQ5_0:
      return {5, 16, kNone, kHalf, 1, 0, 352, 256, 320, 0};
    case PackedLayout::kQ5_1:
      return {5, 0, kNone, kHalfMin, 1, 0, 384, 256, 320, 352};
    case PackedLayout::kQ8_0:
      return {8, 128, kNone, kHalf, 1, 0, 544, 0, 512, 0};
    case PackedLayout::kQ2_K:
      return {2, 0, kNone, kNibblePair, 8, 64, 160, 0, 128, 0};
    case PackedLayout::kQ3_K:
      return {3, 4, kNone, kSubPair, 8, 32, 224, 128, 192, 0};
    case PackedLayout::kQ4_K:
      return {4, 0, kNone, kSubMin, 8, 64, 288, 0, 256, 272};
    case PackedLayout::kQ5_K:
      return {5, 0, kNone, kSubMin, 8, 64, 352, 256, 320, 336};
    case PackedLayout::kQ6_K:
      return {6, 32, kNone, kSubPair, 8, 32, 416, 256, 384, 0};
    case PackedLayout::kIQ4_NL:
      return {4, 128, kIQ4, kHalf, 1, 0, 288, 0, 256, 0};
    case PackedLayout::kIQ4_XS:
      return {4, 128, kIQ4, kSub, 8, 32, 272, 0, 256, 0};
    case PackedLayout::kMXFP4:
      return {4, 128, kFp4, kFloat, 1, 0, 320, 0, 256, 0};
    case PackedLayout::kIQ:
      return {4, 128, kInHead, kFloatSubPair, 8, 80, 288, 0, 256, 0};
    default:
      return {};
  }
}

// Two sub-scales a block.
constexpr bool IsPair(const LayoutSpec& spec) {
  return spec.kind == ScaleKind::kSubPair ||
         spec.kind == ScaleKind::kFloatSubPair ||
         spec.kind == ScaleKind::kNibblePair;
}
// Two sub-minimums a block.
constexpr bool HasPairMin(const LayoutSpec& spec) {
  return spec.kind == ScaleKind::kNibblePair;
}
// log2 of the offset. Precondition: it is not 0.
constexpr int OffsetShift(const LayoutSpec& spec) {
  int shift = 0;
  while ((1 << shift) < spec.offset) ++shift;
  return shift;
}
// One minimum a block, as a float.
constexpr bool HasMin(const LayoutSpec& spec) {
  return spec.kind == ScaleKind::kHalfMin || spec.kind == ScaleKind::kSubMin;
}

// In the head of kInHead layouts.
inline constexpr int kHeadCodebookAt = 64;

// Values of the 4-bit code book of IQ4_NL and IQ4_XS, plus 128.
inline constexpr uint8_t kCodebook[16] = {
    1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241};

// Twice the 4-bit floats (sign, two bits of exponent, one of fraction) of
// MXFP4, plus 128.
inline constexpr uint8_t kFp4Codebook[16] = {128, 129, 130, 131, 132, 134,
                                             136, 140, 128, 127, 126, 125,
                                             124, 122, 120, 116};

// Bytes of one element of a float layout; 0 for the quantised ones.
constexpr int FloatBytes(PackedLayout layout) {
  switch (layout) {
    case PackedLayout::kF32:
      return 4;
    case PackedLayout::kBF16:
    case PackedLayout::kF16:
      return 2;
    default:
      return 0;
  }
}

// Bytes of one group of 16 rows. Precondition: cols fits the blocks.
constexpr size_t GroupBytes(PackedLayout layout, int64_t cols) {
  const size_t n = static_cast<size_t>(cols);
  if (FloatBytes(layout) != 0) return n * kRowGroup * FloatBytes(layout);
  const LayoutSpec spec = SpecOf(layout);
  if (spec.super == 0) return 0;
  return n / (kActBlock * spec.super) *
         static_cast<size_t>(spec.head_bytes + spec.super * spec.block_bytes);
}

// Where block `b` (of 32 columns) of a group starts, and its head.
inline const uint8_t* HeadOf(const LayoutSpec& spec, const uint8_t* group,
                             int64_t b) {
  return group +
         b / spec.super * (spec.head_bytes + spec.super * spec.block_bytes);
}
inline const uint8_t* BlockOf(const LayoutSpec& spec, const uint8_t* group,
                              int64_t b) {
  return HeadOf(spec, group, b) + spec.head_bytes +
         b % spec.super * spec.block_bytes;
}

// One row's share of a block, decoded: the plain-C++ meaning of the bytes.
struct RowBlock {
  int32_t code[kActBlock];  // offset already subtracted
  float scale;              // f32, exact; IsPair: the head's d
  float min;                // added: negative for kSubMin; HasPairMin: dmin
  int32_t sub[2];           // IsPair only
  int32_t min_sub[2];       // HasPairMin only
};
RowBlock ReadRowBlock(PackedLayout layout, const uint8_t* group, int64_t b,
                      int row);

// Packs 16 rows (fewer at the end: valid_rows) of a stored type that has a
// quantised layout of its own; rows lie row_bytes apart. dst is zeroed.
void PackQuantizedGroup(DType type, const uint8_t* src, size_t row_bytes,
                        int valid_rows, int64_t cols, uint8_t* dst);

}  // namespace carat

#endif  // CARAT_KERNELS_PACK_LAYOUT_H_
