// The vector and attention kernels compiled for: neon.
#if defined(__aarch64__)
#include <arm_neon.h>

#include <cstdint>

#include "kernels/attention.h"
#include "kernels/matmul_inline.h"
#include "kernels/target.h"
#include "kernels/vector.h"

CARAT_TARGET_NEON_BEGIN
#include "kernels/vec_neon.h"

namespace carat::neon {
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

}  // namespace carat::neon

CARAT_TARGET_END
#endif  // __aarch64__
