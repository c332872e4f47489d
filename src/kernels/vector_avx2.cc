// The vector and attention kernels compiled for: avx2.
#if defined(__x86_64__)
#include <immintrin.h>

#include <cstdint>

#include "kernels/attention.h"
#include "kernels/matmul_inline.h"
#include "kernels/target.h"
#include "kernels/vector.h"

CARAT_TARGET_AVX2_BEGIN
#include "kernels/vec_avx2.h"

namespace carat::avx2 {
namespace {

constexpr int kAttentionRows = 4;
constexpr int kAttentionTiles = 1;
constexpr bool kAttentionCopies = true;

// clang-format off: attention builds on the vector operations
#include "kernels/vector_ops-inl.h"
#include "kernels/attention_ops-inl.h"
// clang-format on

}  // namespace

const VectorOps& VectorTable() { return kVectorOps; }
const AttentionOps& AttentionTable() { return kAttentionOps; }

}  // namespace carat::avx2

CARAT_TARGET_END
#endif  // __x86_64__
