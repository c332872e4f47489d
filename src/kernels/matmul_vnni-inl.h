// The integer dot product of a block with vpdpbusd (unsigned codes, signed
// activations, 32-bit sums), for matmul_kernels-inl.h. Sums start at minus
// offset times the sum of the activations. Included inside a namespace and
// target region, after ZeroI32, ShlI32 and DotBytes. Brings the
// kernels.

template <PackedLayout L, int J>
CARAT_INLINE I32 LoadQuad(const uint8_t* x, ptrdiff_t) {
  return SetI32(reinterpret_cast<const int32_t*>(x) + J);
}

template <PackedLayout L, int kHalf>
CARAT_INLINE I32 Start(const uint8_t* x) {
  constexpr LayoutSpec kSpec = SpecOf(L);
  const ActBlock* block = reinterpret_cast<const ActBlock*>(x);
  if constexpr (kSpec.offset == 0) {
    return ZeroI32();
  } else if constexpr (IsPair(kSpec)) {
    return ShlI32<OffsetShift(kSpec)>(
        SetI32(kHalf == 0 ? &block->neg_first : &block->neg_second));
  } else {
    return ShlI32<OffsetShift(kSpec)>(SetI32(&block->neg_sum));
  }
}

template <PackedLayout L, int J>
CARAT_INLINE I32 Step(I32 acc, U8 code, I32 x) {
  return DotBytes(acc, code, x);
}

template <PackedLayout L>
CARAT_INLINE I32 Finish(I32 acc, const uint8_t*) {
  return acc;
}
template <PackedLayout L>
CARAT_INLINE I32 FinishPair(I32 acc, I32 sub) {
  return MulI32(acc, sub);
}

#include "kernels/matmul_kernels-inl.h"
