#include "kernels/matmul_task.h"

namespace carat {
MatMulTaskFn AvxVnniMatMul(PackedLayout) { return nullptr; }
MatMulTaskFn Avx512MatMul(PackedLayout) { return nullptr; }
MatMulTaskFn NeonMatMul(PackedLayout) { return nullptr; }
MatMulTaskFn I8mmMatMul(PackedLayout) { return nullptr; }
}  // namespace carat
