// F32x16 as four NEON registers. Include only between CARAT_TARGET_NEON_BEGIN
// and CARAT_TARGET_END, after <arm_neon.h> and <cstdint>.
#ifndef CARAT_KERNELS_VEC_NEON_H_
#define CARAT_KERNELS_VEC_NEON_H_

namespace carat::neon {

struct F32x16 {
  float32x4_t v[4];
};

#define CARAT_QUADS(expr)                      \
  F32x16 r;                                    \
  for (int i = 0; i < 4; ++i) r.v[i] = (expr); \
  return r

inline F32x16 Set(float x) { CARAT_QUADS(vdupq_n_f32(x)); }
inline F32x16 Load(const float* p) { CARAT_QUADS(vld1q_f32(p + 4 * i)); }
inline F32x16 LoadHalf(const uint16_t* p) {
  CARAT_QUADS(vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4 * i))));
}
inline F32x16 LoadInts(const int8_t* p) {
  const int8x16_t bytes = vld1q_s8(p);
  const int16x8_t low = vmovl_s8(vget_low_s8(bytes));
  const int16x8_t high = vmovl_s8(vget_high_s8(bytes));
  return {{vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))),
           vcvtq_f32_s32(vmovl_s16(vget_high_s16(low))),
           vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))),
           vcvtq_f32_s32(vmovl_s16(vget_high_s16(high)))}};
}
inline void Store(F32x16 a, float* p) {
  for (int i = 0; i < 4; ++i) vst1q_f32(p + 4 * i, a.v[i]);
}
inline void StoreHalf(F32x16 a, uint16_t* p) {
  for (int i = 0; i < 4; ++i) {
    vst1_u16(p + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(a.v[i])));
  }
}
inline F32x16 Add(F32x16 a, F32x16 b) {
  CARAT_QUADS(vaddq_f32(a.v[i], b.v[i]));
}
inline F32x16 Sub(F32x16 a, F32x16 b) {
  CARAT_QUADS(vsubq_f32(a.v[i], b.v[i]));
}
inline F32x16 Mul(F32x16 a, F32x16 b) {
  CARAT_QUADS(vmulq_f32(a.v[i], b.v[i]));
}
inline F32x16 Div(F32x16 a, F32x16 b) {
  CARAT_QUADS(vdivq_f32(a.v[i], b.v[i]));
}
inline F32x16 Fma(F32x16 a, F32x16 b, F32x16 c) {
  CARAT_QUADS(vfmaq_f32(c.v[i], a.v[i], b.v[i]));
}
inline F32x16 Fnma(F32x16 a, F32x16 b, F32x16 c) {
  CARAT_QUADS(vfmsq_f32(c.v[i], a.v[i], b.v[i]));
}
inline F32x16 Max(F32x16 a, F32x16 b) {
  CARAT_QUADS(vbslq_f32(vcgtq_f32(a.v[i], b.v[i]), a.v[i], b.v[i]));
}
inline F32x16 Min(F32x16 a, F32x16 b) {
  CARAT_QUADS(vbslq_f32(vcltq_f32(a.v[i], b.v[i]), a.v[i], b.v[i]));
}
inline F32x16 Abs(F32x16 a) { CARAT_QUADS(vabsq_f32(a.v[i])); }
inline F32x16 CopySign(F32x16 a, F32x16 s) {
  CARAT_QUADS(vbslq_f32(vdupq_n_u32(0x80000000u), s.v[i], a.v[i]));
}
inline F32x16 Round(F32x16 a) { CARAT_QUADS(vrndnq_f32(a.v[i])); }
inline F32x16 Pow2(F32x16 n) {
  CARAT_QUADS(vreinterpretq_f32_s32(
      vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(n.v[i]), vdupq_n_s32(127)), 23)));
}
inline F32x16 IfLess(F32x16 test, F32x16 limit, F32x16 x, F32x16 y) {
  CARAT_QUADS(vbslq_f32(vcltq_f32(test.v[i], limit.v[i]), x.v[i], y.v[i]));
}
inline float Sum(F32x16 a) {
  const float32x4_t s4 =
      vaddq_f32(vaddq_f32(a.v[0], a.v[2]), vaddq_f32(a.v[1], a.v[3]));
  const float32x2_t s2 = vadd_f32(vget_low_f32(s4), vget_high_f32(s4));
  return vget_lane_f32(s2, 0) + vget_lane_f32(s2, 1);
}
inline float MaxOf(F32x16 a) {
  const float32x4_t s4 =
      vmaxq_f32(vmaxq_f32(a.v[0], a.v[2]), vmaxq_f32(a.v[1], a.v[3]));
  return vmaxvq_f32(s4);
}

#undef CARAT_QUADS

}  // namespace carat::neon

#endif  // CARAT_KERNELS_VEC_NEON_H_
