// The vocabulary of matmul_kernels-inl.h in 128-bit Arm registers with the dot
// product extension. Included inside a namespace and target region.
//
// vdotq_laneq_s32 multiplies four rows by one of the four column quads in a
// register of activations, so quads are never spread out. Codes are unsigned
// and below 128, or have their offset of 128 taken off by flipping a bit.

using U8 = uint8x16_t;
using I32 = int32x4_t;
using F32 = float32x4_t;
constexpr int kLanes = 4;
constexpr int kTileGroups = 1;

CARAT_INLINE U8 LoadBytes(const uint8_t* p) { return vld1q_u8(p); }
CARAT_INLINE void StoreBytes(U8 a, uint8_t* p) { vst1q_u8(p, a); }
CARAT_INLINE U8 SetByte(int b) { return vdupq_n_u8(static_cast<uint8_t>(b)); }
CARAT_INLINE U8 And(U8 a, U8 b) { return vandq_u8(a, b); }
CARAT_INLINE U8 Or(U8 a, U8 b) { return vorrq_u8(a, b); }
template <int N>
CARAT_INLINE U8 Shr(U8 a) {
  return vshrq_n_u8(a, N);
}
// Bit kFrom of every byte to bit kTo.
template <int kFrom, int kTo>
CARAT_INLINE U8 MoveBit(U8 a) {
  if constexpr (kFrom < kTo) return vshlq_n_u8(a, kTo - kFrom);
  if constexpr (kFrom > kTo) return vshrq_n_u8(a, kFrom - kTo);
  return a;
}
CARAT_INLINE U8 LookUp(const uint8_t* table, U8 code) {
  return vqtbl1q_u8(vld1q_u8(table), code);
}

CARAT_INLINE I32 LoadI32(const int32_t* p) { return vld1q_s32(p); }
CARAT_INLINE void StoreI32(I32 a, int32_t* p) { vst1q_s32(p, a); }
CARAT_INLINE I32 AddI32(I32 a, I32 b) { return vaddq_s32(a, b); }
CARAT_INLINE I32 MulI32(I32 a, I32 b) { return vmulq_s32(a, b); }
CARAT_INLINE I32 SetI32(const int32_t* p) { return vld1q_dup_s32(p); }
CARAT_INLINE I32 AndI32(I32 a, int b) { return vandq_s32(a, vdupq_n_s32(b)); }
template <int N>
CARAT_INLINE I32 ShrI32(I32 a) {
  return vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(a), N));
}

CARAT_INLINE F32 LoadF32(const float* p) { return vld1q_f32(p); }
CARAT_INLINE void StoreF32(F32 a, float* p) { vst1q_f32(p, a); }
CARAT_INLINE F32 ZeroF32() { return vdupq_n_f32(0.0f); }
CARAT_INLINE F32 SetF32(const float* p) { return vld1q_dup_f32(p); }
CARAT_INLINE F32 ToF32(I32 a) { return vcvtq_f32_s32(a); }
CARAT_INLINE F32 Mul(F32 a, F32 b) { return vmulq_f32(a, b); }
CARAT_INLINE F32 Fma(F32 a, F32 b, F32 c) { return vfmaq_f32(c, a, b); }
CARAT_INLINE F32 Negate(F32 a) { return vnegq_f32(a); }
CARAT_INLINE F32 LoadHalfs(const uint8_t* p) {
  return vcvt_f32_f16(
      vreinterpret_f16_u16(vld1_u16(reinterpret_cast<const uint16_t*>(p))));
}
CARAT_INLINE uint8x8_t Load4Bytes(const uint8_t* p) {
  uint32_t word;
  std::memcpy(&word, p, 4);
  return vreinterpret_u8_u32(vdup_n_u32(word));
}
CARAT_INLINE F32 LoadU8AsF32(const uint8_t* p) {
  const uint16x8_t wide = vmovl_u8(Load4Bytes(p));
  return vcvtq_f32_u32(vmovl_u16(vget_low_u16(wide)));
}
CARAT_INLINE I32 LoadSub(const uint8_t* p) {
  const int16x8_t wide = vmovl_s8(vreinterpret_s8_u8(Load4Bytes(p)));
  return vmovl_s16(vget_low_s16(wide));
}
CARAT_INLINE F32 LoadI8AsF32(const uint8_t* p) {
  return vcvtq_f32_s32(LoadSub(p));
}
template <PackedLayout L>
CARAT_INLINE F32 LoadWeights(const uint8_t* p) {
  if constexpr (L == PackedLayout::kF32) {
    return vld1q_f32(reinterpret_cast<const float*>(p));
  } else if constexpr (L == PackedLayout::kF16) {
    return LoadHalfs(p);
  } else {
    return vreinterpretq_f32_u32(
        vshll_n_u16(vld1_u16(reinterpret_cast<const uint16_t*>(p)), 16));
  }
}

template <PackedLayout L, int J>
CARAT_INLINE int8x16_t LoadQuad(const uint8_t* x, ptrdiff_t) {
  return vld1q_s8(reinterpret_cast<const int8_t*>(x) + J / 4 * 16);
}

template <PackedLayout L, int kHalf>
CARAT_INLINE I32 Start(const uint8_t* x) {
  constexpr LayoutSpec kSpec = SpecOf(L);
  const ActBlock* block = reinterpret_cast<const ActBlock*>(x);
  if constexpr (kSpec.offset == 0 || kSpec.offset == 128) {
    return vdupq_n_s32(0);
  } else if constexpr (IsPair(kSpec)) {
    return vshlq_n_s32(
        SetI32(kHalf == 0 ? &block->neg_first : &block->neg_second),
        OffsetShift(kSpec));
  } else {
    return vshlq_n_s32(SetI32(&block->neg_sum), OffsetShift(kSpec));
  }
}

template <PackedLayout L, int J>
CARAT_INLINE I32 Step(I32 acc, U8 code, int8x16_t x) {
  if constexpr (SpecOf(L).offset == 128) code = veorq_u8(code, SetByte(0x80));
  return vdotq_laneq_s32(acc, vreinterpretq_s8_u8(code), x, J % 4);
}

template <PackedLayout L>
CARAT_INLINE I32 Finish(I32 acc, const uint8_t*) {
  return acc;
}
template <PackedLayout L>
CARAT_INLINE I32 FinishPair(I32 acc, I32 sub) {
  return vmulq_s32(acc, sub);
}
