// Packed weights as the inner loops of matmul_kernels-inl.h see them: decoded
// in registers, block by block (DirectBlock), or to one byte per code in a
// panel that many activation rows use (PanelBlock). Included by it, inside a
// namespace and target region; no include guard.

// Decodes a packed block in registers.
template <PackedLayout L>
struct DirectBlock {
  static constexpr LayoutSpec kSpec = SpecOf(L);
  const uint8_t* head;
  const uint8_t* block;

  // Columns 4J .. 4J + 3 of register v's rows.
  template <int J>
  CARAT_INLINE U8 Code(int v) const {
    if constexpr (kSpec.bits == 8) {
      return LoadBytes(block + J * kCodeVector + v * kCodeBytes);
    } else if constexpr (kSpec.bits < 4) {
      U8 code = LoadBytes(block + J / 4 * kCodeVector + v * kCodeBytes);
      if constexpr (J % 4 != 0) code = Shr<J % 4 * 2>(code);
      code = And(code, SetByte(3));
      if constexpr (kSpec.bits == 3) {
        const U8 bits = LoadBytes(block + kSpec.high_at + v * kCodeBytes);
        code = Or(code, And(MoveBit<J, 2>(bits), SetByte(4)));
      }
      return code;
    } else {
      const U8 pair = LoadBytes(block + J % 4 * kCodeVector + v * kCodeBytes);
      U8 code;
      if constexpr (J < 4) {
        code = And(pair, SetByte(15));
      } else {
        code = And(Shr<4>(pair), SetByte(15));
      }
      if constexpr (kSpec.codebook == Codebook::kIQ4) {
        return LookUp(kCodebook, code);
      }
      if constexpr (kSpec.codebook == Codebook::kFp4) {
        return LookUp(kFp4Codebook, code);
      }
      if constexpr (kSpec.codebook == Codebook::kInHead) {
        return LookUp(head + kHeadCodebookAt, code);
      }
      if constexpr (kSpec.bits == 5) {
        const U8 bits = LoadBytes(block + kSpec.high_at + v * kCodeBytes);
        code = Or(code, And(MoveBit<J, 4>(bits), SetByte(0x10)));
      }
      if constexpr (kSpec.bits == 6) {
        const U8 bits = LoadBytes(block + kSpec.high_at + J / 4 * kCodeVector +
                                  v * kCodeBytes);
        code = Or(code, And(MoveBit<J % 4 * 2, 4>(bits), SetByte(0x30)));
      }
      return code;
    }
  }
  CARAT_INLINE F32 Scale(int v) const {
    const uint8_t* scale = block + kSpec.scale_at;
    if constexpr (kSpec.kind == ScaleKind::kHalf ||
                  kSpec.kind == ScaleKind::kHalfMin) {
      return LoadHalfs(scale + v * kLanes * 2);
    } else if constexpr (kSpec.kind == ScaleKind::kSubMin) {
      return Mul(LoadHalfs(head + v * kLanes * 2),
                 LoadU8AsF32(scale + v * kLanes));
    } else if constexpr (kSpec.kind == ScaleKind::kSub) {
      return Mul(LoadHalfs(head + v * kLanes * 2),
                 LoadI8AsF32(scale + v * kLanes));
    } else if constexpr (kSpec.kind == ScaleKind::kFloat) {
      return LoadF32(reinterpret_cast<const float*>(scale) + v * kLanes);
    } else if constexpr (kSpec.kind == ScaleKind::kFloatSubPair) {
      return LoadF32(reinterpret_cast<const float*>(head) + v * kLanes);
    } else {
      return LoadHalfs(head + v * kLanes * 2);
    }
  }
  CARAT_INLINE F32 Min(int v) const {
    if constexpr (kSpec.kind == ScaleKind::kHalfMin) {
      return LoadHalfs(block + kSpec.min_at + v * kLanes * 2);
    } else if constexpr (HasPairMin(kSpec)) {
      return LoadHalfs(head + 32 + v * kLanes * 2);
    } else {
      return Negate(Mul(LoadHalfs(head + 32 + v * kLanes * 2),
                        LoadU8AsF32(block + kSpec.min_at + v * kLanes)));
    }
  }
  CARAT_INLINE I32 Sub(int half, int v) const {
    const I32 sub = LoadSub(block + kSpec.scale_at + half * 16 + v * kLanes);
    if constexpr (HasPairMin(kSpec)) return AndI32(sub, 15);
    return sub;
  }
  CARAT_INLINE I32 MinSub(int half, int v) const {
    return AndI32(
        ShrI32<4>(LoadSub(block + kSpec.scale_at + half * 16 + v * kLanes)),
        15);
  }
};

// A block decoded to one byte per code and f32 scales, for use with many
// activation rows.
template <PackedLayout L>
struct PanelBlock {
  alignas(64) uint8_t codes[kTileWidth * kActBlock];
  float scale[kTileWidth];
  float min[HasMin(SpecOf(L)) || HasPairMin(SpecOf(L)) ? kTileWidth : 0];
  int32_t sub[IsPair(SpecOf(L)) ? 2 : 0][kTileWidth];
  int32_t min_sub[HasPairMin(SpecOf(L)) ? 2 : 0][kTileWidth];

  template <int J>
  CARAT_INLINE U8 Code(int v) const {
    return LoadBytes(codes + (J * kTileVecs + v) * kCodeBytes);
  }
  CARAT_INLINE F32 Scale(int v) const { return LoadF32(scale + v * kLanes); }
  CARAT_INLINE F32 Min(int v) const { return LoadF32(min + v * kLanes); }
  CARAT_INLINE I32 Sub(int half, int v) const {
    return LoadI32(sub[half] + v * kLanes);
  }
  CARAT_INLINE I32 MinSub(int half, int v) const {
    return LoadI32(min_sub[half] + v * kLanes);
  }

  template <int J>
  CARAT_INLINE void DecodeFrom(const DirectBlock<L>& from, int tile_vec,
                               int v) {
    StoreBytes(from.template Code<J>(v),
               codes + (J * kTileVecs + tile_vec) * kCodeBytes);
    if constexpr (J < 7) DecodeFrom<J + 1>(from, tile_vec, v);
  }
  CARAT_INLINE void Decode(const DirectBlock<L>& from, int group) {
    constexpr LayoutSpec kSpec = SpecOf(L);
    CARAT_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      const int at = group * kVecs + v;
      DecodeFrom<0>(from, at, v);
      StoreF32(from.Scale(v), scale + at * kLanes);
      if constexpr (HasMin(kSpec) || HasPairMin(kSpec)) {
        StoreF32(from.Min(v), min + at * kLanes);
      }
      if constexpr (IsPair(kSpec)) {
        StoreI32(from.Sub(0, v), sub[0] + at * kLanes);
        StoreI32(from.Sub(1, v), sub[1] + at * kLanes);
      }
      if constexpr (HasPairMin(kSpec)) {
        StoreI32(from.MinSub(0, v), min_sub[0] + at * kLanes);
        StoreI32(from.MinSub(1, v), min_sub[1] + at * kLanes);
      }
    }
  }
};
