// Arm matrix kernels on the 8-bit dot product instructions of Armv8.2.
#include "kernels/matmul_task.h"

#if defined(__aarch64__)

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/matmul_inline.h"
#include "kernels/pack_layout.h"
#include "kernels/target.h"

CARAT_TARGET_NEON_BEGIN
namespace carat::matmul_neon {

#include "kernels/matmul_neon-inl.h"

// Thirty-two registers: four accumulators per row, four of weights.
constexpr int kPassRows = 4;
constexpr int kFloatRows = 6;
template <PackedLayout L>
constexpr int kTileRowsOf = 6;
template <PackedLayout L>
constexpr int kDirectRowsOf = 8;

#include "kernels/matmul_kernels-inl.h"

}  // namespace carat::matmul_neon
CARAT_TARGET_END

namespace carat {
MatMulTaskFn NeonMatMul(PackedLayout layout) {
  return matmul_neon::KernelOf(layout);
}
}  // namespace carat

#else

namespace carat {
MatMulTaskFn NeonMatMul(PackedLayout) { return nullptr; }
}  // namespace carat

#endif
