// The vector and attention kernels compiled for: scalar.
#include <cstdint>

#include "kernels/attention.h"
#include "kernels/matmul_inline.h"
#include "kernels/vec_scalar.h"
#include "kernels/vector.h"

namespace carat::scalar {
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

}  // namespace carat::scalar
