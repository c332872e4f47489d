// The vector and attention kernels compiled for: avx512.
#if defined(__x86_64__)
// GCC 12 warns about its own AVX-512 header (undefined pass-through operands).
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

#include <cstdint>

#include "kernels/attention.h"
#include "kernels/matmul_inline.h"
#include "kernels/target.h"
#include "kernels/vector.h"

CARAT_TARGET_AVX512_BEGIN
#include "kernels/vec_avx512.h"

namespace carat::avx512 {
namespace {

constexpr int kAttentionRows = 12;
constexpr int kAttentionTiles = 2;
constexpr bool kAttentionCopies = false;

// clang-format off: attention builds on the vector operations
#include "kernels/vector_ops-inl.h"
#include "kernels/attention_ops-inl.h"
// clang-format on

}  // namespace

const VectorOps& VectorTable() { return kVectorOps; }
const AttentionOps& AttentionTable() { return kAttentionOps; }

}  // namespace carat::avx512

CARAT_TARGET_END
#endif  // __x86_64__
