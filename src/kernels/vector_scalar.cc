// The vector and attention kernels compiled for: scalar.
#include <cstdint>

#include "kernels/attention.h"
#include "kernels/vec_scalar.h"
#include "kernels/vector.h"

namespace carat::scalar {
namespace {

// clang-format off: attention builds on the vector operations
#include "kernels/vector_ops-inl.h"
#include "kernels/attention_ops-inl.h"
// clang-format on

}  // namespace

const VectorOps& VectorTable() { return kVectorOps; }
const AttentionOps& AttentionTable() { return kAttentionOps; }

}  // namespace carat::scalar
