// Stored quantised blocks -> packed groups (see pack_layout.h). All shuffling
// is done on 32-bit words of four consecutive columns.
#include <cstring>

#include "kernels/pack_layout.h"
#include "tensor/dequantize.h"
#include "tensor/iq_codes.h"

namespace carat {
namespace {

inline uint32_t Word(const uint8_t* p) {
  uint32_t w;
  std::memcpy(&w, p, 4);
  return w;
}
inline void PutWord(uint8_t* p, uint32_t w) { std::memcpy(p, &w, 4); }

// A packed block and the row in it that is being written.
struct Slot {
  uint8_t* block;
  int row;
  uint8_t* code(int vector) const {
    return block + vector * kCodeVector + row * 4;
  }
};

inline void CopyHalf(const uint8_t* src, uint8_t* dst, int row) {
  std::memcpy(dst + row * 2, src, 2);
}

// Sixteen (or fewer) rows that become one group.
struct PackRun {
  size_t row_bytes;    // from one stored row to the next
  size_t block_bytes;  // of one stored block
  int rows;
  int64_t cols;
  const int8_t* head_codes;  // 16 values for Codebook::kInHead
};

// 16 bytes whose nibbles are columns l and l + 16: the packed order already.
inline void PutNibbles(const uint8_t* src, Slot to) {
  for (int j = 0; j < 4; ++j) PutWord(to.code(j), Word(src + 4 * j));
}

void PackMxfp4(const uint8_t* src, Slot to) {
  constexpr LayoutSpec spec = SpecOf(PackedLayout::kMXFP4);
  const float scale = HalvedE8m0(src[0]);
  std::memcpy(to.block + spec.scale_at + 4 * to.row, &scale, 4);
  PutNibbles(src + 1, to);
}

// 16 codes, one per byte.
using Quad = uint32_t __attribute__((vector_size(16)));

inline Quad LoadQuad(const uint8_t* p) {
  Quad q;
  std::memcpy(&q, p, sizeof q);
  return q;
}
inline uint32_t OrLanes(Quad q) { return (q[0] | q[1]) | (q[2] | q[3]); }

// 32 codes.
struct Codes {
  Quad half[2];
};

inline void PutCodes4(const Codes& code, Slot to) {
  const Quad pairs =
      (code.half[0] & 0x0f0f0f0f) | ((code.half[1] & 0x0f0f0f0f) << 4);
  for (int j = 0; j < 4; ++j) PutWord(to.code(j), pairs[j]);
}
inline void PutHigh1(const Codes& code, uint8_t* high, int row) {
  constexpr Quad kLow = {0, 1, 2, 3}, kUp = {4, 5, 6, 7};
  PutWord(high + row * 4, OrLanes((((code.half[0] >> 4) & 0x01010101) << kLow) |
                                  (((code.half[1] >> 4) & 0x01010101) << kUp)));
}
inline void PutHigh2(const Codes& code, uint8_t* high, int row) {
  constexpr Quad kShift = {0, 2, 4, 6};
  for (int half = 0; half < 2; ++half) {
    PutWord(high + half * kCodeVector + row * 4,
            OrLanes(((code.half[half] >> 4) & 0x03030303) << kShift));
  }
}

// 32 codes of which the low two bits count.
inline void PutCodes2(const Codes& code, Slot to) {
  constexpr Quad kShift = {0, 2, 4, 6};
  for (int half = 0; half < 2; ++half) {
    PutWord(to.code(half), OrLanes((code.half[half] & 0x03030303) << kShift));
  }
}

// Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, IQ4_NL: one stored block is one packed block.
template <PackedLayout kLayout>
void PackSimple(const uint8_t* src, Slot to) {
  constexpr LayoutSpec spec = SpecOf(kLayout);
  CopyHalf(src, to.block + spec.scale_at, to.row);
  src += 2;
  if (spec.kind == ScaleKind::kHalfMin) {
    CopyHalf(src, to.block + spec.min_at, to.row);
    src += 2;
  }
  if (spec.bits == 8) {
    for (int j = 0; j < 8; ++j) {
      PutWord(to.code(j), Word(src + 4 * j) ^ 0x80808080);
    }
    return;
  }
  if (spec.bits == 5) {
    const uint32_t bits = Word(src);  // bit k belongs to column k
    uint32_t high = 0;
    for (int j = 0; j < 8; ++j) {
      // Four bits to the lowest bit of four bytes.
      high |= ((((bits >> (4 * j)) & 15) * 0x00204081u) & 0x01010101) << j;
    }
    PutWord(to.block + spec.high_at + to.row * 4, high);
    src += 4;
  }
  PutNibbles(src, to);
}

// The eight 6-bit scales and minimums of Q4_K and Q5_K in 12 bytes.
inline uint8_t SubScale(const uint8_t* s, int i) {
  if (i < 4) return s[i] & 63;
  return static_cast<uint8_t>((s[i + 4] & 15) | ((s[i - 4] >> 6) << 4));
}
inline uint8_t SubMin(const uint8_t* s, int i) {
  if (i < 4) return s[i + 4] & 63;
  return static_cast<uint8_t>((s[i + 4] >> 4) | ((s[i] >> 6) << 4));
}

template <PackedLayout kLayout>
void PackQ45K(const uint8_t* src, uint8_t* super, int row) {
  constexpr LayoutSpec spec = SpecOf(kLayout);
  CopyHalf(src, super, row);           // d
  CopyHalf(src + 2, super + 32, row);  // dmin
  const uint8_t* scales = src + 4;
  const uint8_t* high = spec.bits == 5 ? src + 16 : nullptr;  // 32 bytes
  const uint8_t* low = spec.bits == 5 ? src + 48 : src + 16;
  for (int i = 0; i < 8; ++i) {
    const Slot to{super + spec.head_bytes + i * spec.block_bytes, row};
    to.block[spec.scale_at + row] = SubScale(scales, i);
    to.block[spec.min_at + row] = SubMin(scales, i);
    Codes code;
    for (int h = 0; h < 2; ++h) {
      const Quad pairs = LoadQuad(low + i / 2 * 32 + 16 * h);
      code.half[h] = (pairs >> (i % 2 * 4)) & 0x0f0f0f0f;
      if (high != nullptr) {
        code.half[h] |= ((LoadQuad(high + 16 * h) >> i) & 0x01010101) << 4;
      }
    }
    PutCodes4(code, to);
    if (high != nullptr) PutHigh1(code, to.block + spec.high_at, row);
  }
}

void PackQ6K(const uint8_t* src, uint8_t* super, int row) {
  constexpr LayoutSpec spec = SpecOf(PackedLayout::kQ6_K);
  const uint8_t* scales = src + 192;
  CopyHalf(src + 208, super, row);
  for (int i = 0; i < 8; ++i) {
    const Slot to{super + spec.head_bytes + i * spec.block_bytes, row};
    // Halves of 128 columns: 64 bytes of low nibbles (columns 0-63 low,
    // 64-127 high), 32 bytes that hold 2 bits for each quarter.
    const int quarter = i % 4;
    const uint8_t* low = src + i / 4 * 64 + quarter % 2 * 32;
    const uint8_t* high = src + 128 + i / 4 * 32;
    Codes code;
    for (int h = 0; h < 2; ++h) {
      const Quad top = LoadQuad(high + 16 * h) >> (2 * quarter);
      code.half[h] = (LoadQuad(low + 16 * h) >> (quarter / 2 * 4)) & 0x0f0f0f0f;
      code.half[h] |= (top & 0x03030303) << 4;
    }
    PutCodes4(code, to);
    PutHigh2(code, to.block + spec.high_at, row);
    to.block[spec.scale_at + row] = scales[2 * i];
    to.block[spec.scale_at + 16 + row] = scales[2 * i + 1];
  }
}

// The sixteen 6-bit scales of Q3_K in 12 bytes, less 32.
inline int Q3Scale(const uint8_t* s, int i) {
  const int low = i < 8 ? s[i] & 15 : s[i - 8] >> 4;
  const int high = (s[8 + i % 4] >> (2 * (i / 4))) & 3;
  return (low | (high << 4)) - 32;
}

void PackQ2K(const uint8_t* src, uint8_t* super, int row) {
  constexpr LayoutSpec spec = SpecOf(PackedLayout::kQ2_K);
  CopyHalf(src + 80, super, row);       // d
  CopyHalf(src + 82, super + 32, row);  // dmin
  for (int i = 0; i < 8; ++i) {
    const Slot to{super + spec.head_bytes + i * spec.block_bytes, row};
    const uint8_t* low = src + 16 + i / 4 * 32;
    const int shift = 2 * (i % 4);
    PutCodes2({{LoadQuad(low) >> shift, LoadQuad(low + 16) >> shift}}, to);
    to.block[spec.scale_at + row] = src[2 * i];
    to.block[spec.scale_at + 16 + row] = src[2 * i + 1];
  }
}

void PackQ3K(const uint8_t* src, uint8_t* super, int row) {
  constexpr LayoutSpec spec = SpecOf(PackedLayout::kQ3_K);
  const uint8_t* mask = src;  // 32 bytes, bit i: column 32 i + l has bit 2
  const uint8_t* scales = src + 96;
  CopyHalf(src + 108, super, row);
  for (int i = 0; i < 8; ++i) {
    const Slot to{super + spec.head_bytes + i * spec.block_bytes, row};
    const uint8_t* low = src + 32 + i / 4 * 32;
    Codes code;
    for (int h = 0; h < 2; ++h) {
      code.half[h] = (LoadQuad(low + 16 * h) >> (2 * (i % 4))) & 0x03030303;
      // The third bit where PutHigh1 takes it from.
      code.half[h] |= ((LoadQuad(mask + 16 * h) >> i) & 0x01010101) << 4;
    }
    PutCodes2(code, to);
    PutHigh1(code, to.block + spec.high_at, row);
    for (int k = 0; k < 2; ++k) {
      to.block[spec.scale_at + 16 * k + row] =
          static_cast<uint8_t>(Q3Scale(scales, 2 * i + k));
    }
  }
}

void PackIQ4XS(const uint8_t* src, uint8_t* super, int row) {
  constexpr LayoutSpec spec = SpecOf(PackedLayout::kIQ4_XS);
  CopyHalf(src, super, row);
  const uint32_t high = src[2] | (src[3] << 8);
  for (int i = 0; i < 8; ++i) {
    const Slot to{super + spec.head_bytes + i * spec.block_bytes, row};
    const int low = (src[4 + i / 2] >> (i % 2 * 4)) & 15;
    const int scale = (low | (((high >> (2 * i)) & 3) << 4)) - 32;
    to.block[spec.scale_at + row] = static_cast<uint8_t>(scale);
    PutNibbles(src + 8 + 16 * i, to);
  }
}

void PackIqCodes(DType type, const uint8_t* src, uint8_t* super, int row) {
  constexpr LayoutSpec spec = SpecOf(PackedLayout::kIQ);
  IqCodes codes;
  ReadIqCodes(type, src, &codes);
  std::memcpy(super + 4 * row, &codes.unit, 4);
  for (int i = 0; i < 8; ++i) {
    const Slot to{super + spec.head_bytes + i * spec.block_bytes, row};
    Codes code;
    std::memcpy(&code, codes.code + 32 * i, sizeof code);
    PutCodes4(code, to);
    to.block[spec.scale_at + row] = codes.scale[2 * i];
    to.block[spec.scale_at + 16 + row] = codes.scale[2 * i + 1];
  }
}

// How far ahead of the block at hand rows are asked for: sixteen rows are more
// streams than the hardware follows by itself.
constexpr size_t kPrefetchBytes = 512;

// One type's loop over super-blocks and rows, `pack` inlined into it.
template <typename PackBlock>
void PackRows(PackedLayout layout, const uint8_t* src, const PackRun& run,
              uint8_t* dst, PackBlock pack) {
  const LayoutSpec spec = SpecOf(layout);
  const size_t super_bytes =
      static_cast<size_t>(spec.head_bytes + spec.super * spec.block_bytes);
  const int64_t supers = run.cols / (kActBlock * spec.super);
  for (int64_t b = 0; b < supers; ++b) {
    if (spec.codebook == Codebook::kInHead) {
      for (int i = 0; i < 16; ++i) {
        dst[kHeadCodebookAt + i] =
            static_cast<uint8_t>(run.head_codes[i] + 128);
      }
    }
    const uint8_t* from = src + static_cast<size_t>(b) * run.block_bytes;
    for (int row = 0; row < run.rows; ++row, from += run.row_bytes) {
      __builtin_prefetch(from + kPrefetchBytes);
      pack(from, dst, row);
    }
    dst += super_bytes;
  }
}

}  // namespace

void PackQuantizedGroup(DType type, const uint8_t* src, size_t row_bytes,
                        int valid_rows, int64_t cols, uint8_t* dst) {
  const PackRun run = {
      .row_bytes = row_bytes,
      .block_bytes = GetDTypeInfo(type).block_bytes,
      .rows = valid_rows,
      .cols = cols,
      .head_codes = HasIqCodes(type) ? IqValues(type) : nullptr};
  const auto simple = [&]<PackedLayout kLayout>() {
    PackRows(kLayout, src, run, dst,
             [](const uint8_t* from, uint8_t* block, int row) {
               PackSimple<kLayout>(from, {block, row});
             });
  };
  using enum PackedLayout;
  switch (type) {
    case DType::kQ4_0:
      return simple.operator()<kQ4_0>();
    case DType::kQ4_1:
      return simple.operator()<kQ4_1>();
    case DType::kQ5_0:
      return simple.operator()<kQ5_0>();
    case DType::kQ5_1:
      return simple.operator()<kQ5_1>();
    case DType::kQ8_0:
      return simple.operator()<kQ8_0>();
    case DType::kIQ4_NL:
      return simple.operator()<kIQ4_NL>();
    case DType::kQ4_K:
      return PackRows(kQ4_K, src, run, dst,
                      [](auto... a) { PackQ45K<kQ4_K>(a...); });
    case DType::kQ5_K:
      return PackRows(kQ5_K, src, run, dst,
                      [](auto... a) { PackQ45K<kQ5_K>(a...); });
    case DType::kQ6_K:
      return PackRows(kQ6_K, src, run, dst, [](auto... a) { PackQ6K(a...); });
    case DType::kQ2_K:
      return PackRows(kQ2_K, src, run, dst, [](auto... a) { PackQ2K(a...); });
    case DType::kQ3_K:
      return PackRows(kQ3_K, src, run, dst, [](auto... a) { PackQ3K(a...); });
    case DType::kMXFP4:
      return PackRows(kMXFP4, src, run, dst,
                      [](const uint8_t* from, uint8_t* block, int row) {
                        PackMxfp4(from, {block, row});
                      });
    case DType::kIQ4_XS:
      return PackRows(kIQ4_XS, src, run, dst,
                      [](auto... a) { PackIQ4XS(a...); });
    default:
      if (!HasIqCodes(type)) return;  // has no quantised layout
      return PackRows(kIQ, src, run, dst,
                      [type](auto... a) { PackIqCodes(type, a...); });
  }
}

namespace {

inline float HalfAt(const uint8_t* p, int row) {
  uint16_t half;
  std::memcpy(&half, p + row * 2, 2);
  return HalfToFloat(half);
}

// Two bits of column 4 quad + i in two vectors.
int32_t TwoBitsAt(const uint8_t* vectors, int quad, int byte) {
  return (vectors[quad / 4 * kCodeVector + byte] >> (2 * (quad % 4))) & 3;
}

int32_t CodeAt(const LayoutSpec& spec, const uint8_t* head,
               const uint8_t* block, int row, int col) {
  const int quad = col / 4, byte = row * 4 + col % 4;
  const uint8_t* high = block + spec.high_at;
  if (spec.bits == 8) return block[quad * kCodeVector + byte] - spec.offset;
  if (spec.bits < 4) {
    int32_t code = TwoBitsAt(block, quad, byte);
    if (spec.bits == 3) code |= ((high[byte] >> quad) & 1) << 2;
    return code - spec.offset;
  }
  const uint8_t pair = block[quad % 4 * kCodeVector + byte];
  int32_t code = quad < 4 ? pair & 15 : pair >> 4;
  if (spec.codebook == Codebook::kIQ4) code = kCodebook[code];
  if (spec.codebook == Codebook::kFp4) code = kFp4Codebook[code];
  if (spec.codebook == Codebook::kInHead) code = head[kHeadCodebookAt + code];
  if (spec.bits == 5) code |= ((high[byte] >> quad) & 1) << 4;
  if (spec.bits == 6) code |= TwoBitsAt(high, quad, byte) << 4;
  return code - spec.offset;
}

}  // namespace

RowBlock ReadRowBlock(PackedLayout layout, const uint8_t* group, int64_t b,
                      int row) {
  const LayoutSpec spec = SpecOf(layout);
  const uint8_t* head = HeadOf(spec, group, b);
  const uint8_t* block = BlockOf(spec, group, b);
  RowBlock out = {};
  for (int k = 0; k < kActBlock; ++k) {
    out.code[k] = CodeAt(spec, head, block, row, k);
  }
  const uint8_t* scale = block + spec.scale_at;
  switch (spec.kind) {
    case ScaleKind::kFloat:
      std::memcpy(&out.scale, scale + 4 * row, 4);
      break;
    case ScaleKind::kHalf:
      out.scale = HalfAt(scale, row);
      break;
    case ScaleKind::kHalfMin:
      out.scale = HalfAt(scale, row);
      out.min = HalfAt(block + spec.min_at, row);
      break;
    case ScaleKind::kSubMin:
      out.scale = HalfAt(head, row) * static_cast<float>(scale[row]);
      out.min = -(HalfAt(head + 32, row) *
                  static_cast<float>(block[spec.min_at + row]));
      break;
    case ScaleKind::kSub:
      out.scale = HalfAt(head, row) *
                  static_cast<float>(static_cast<int8_t>(scale[row]));
      break;
    case ScaleKind::kSubPair:
    case ScaleKind::kFloatSubPair:
      if (spec.kind == ScaleKind::kSubPair) {
        out.scale = HalfAt(head, row);
      } else {
        std::memcpy(&out.scale, head + 4 * row, 4);
      }
      for (int k = 0; k < 2; ++k) {
        out.sub[k] = static_cast<int8_t>(scale[16 * k + row]);
      }
      break;
    case ScaleKind::kNibblePair:
      out.scale = HalfAt(head, row);
      out.min = HalfAt(head + 32, row);
      for (int k = 0; k < 2; ++k) {
        out.sub[k] = scale[16 * k + row] & 15;
        out.min_sub[k] = scale[16 * k + row] >> 4;
      }
      break;
  }
  return out;
}

}  // namespace carat
