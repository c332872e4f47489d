// AVX-VNNI matrix kernels: AVX2 registers, vpdpbusd for the integer sums.
#if defined(__x86_64__)

#if defined(CARAT_SIMDE)
#include <avx512_simde.h>  // in tests/cross: emulates the one instruction
#else
#include <immintrin.h>
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/matmul_inline.h"
#include "kernels/matmul_task.h"
#include "kernels/pack_layout.h"
#include "kernels/target.h"

#if defined(CARAT_SIMDE)
CARAT_TARGET_AVX2_BEGIN
#else
CARAT_TARGET_AVXVNNI_BEGIN
#endif
namespace carat::matmul_avxvnni {

#include "kernels/matmul_avx2-inl.h"

constexpr int kPassRows = 4;
constexpr int kFloatRows = 6;
template <PackedLayout L>
constexpr int kTileRowsOf = 6;
template <PackedLayout L>
constexpr int kDirectRowsOf = 8;

CARAT_INLINE I32 ZeroI32() { return _mm256_setzero_si256(); }
template <int N>
CARAT_INLINE I32 ShlI32(I32 a) {
  return _mm256_slli_epi32(a, N);
}
CARAT_INLINE I32 DotBytes(I32 acc, U8 code, I32 x) {
#if defined(CARAT_SIMDE)
  return simde_mm256_dpbusd_epi32(acc, code, x);
#else
  return _mm256_dpbusd_avx_epi32(acc, code, x);
#endif
}

#include "kernels/matmul_vnni-inl.h"

}  // namespace carat::matmul_avxvnni
CARAT_TARGET_END

namespace carat {
MatMulTaskFn AvxVnniMatMul(PackedLayout layout) {
  return matmul_avxvnni::KernelOf(layout);
}
}  // namespace carat

#else

#include "kernels/matmul_task.h"

namespace carat {
MatMulTaskFn AvxVnniMatMul(PackedLayout) { return nullptr; }
}  // namespace carat

#endif
