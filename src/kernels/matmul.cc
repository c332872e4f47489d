// Cuts a product into tasks and runs one instruction set's kernel on each.
#include "kernels/matmul.h"

#include <algorithm>

#include "base/check.h"
#include "kernels/matmul_task.h"
#include "kernels/pack_layout.h"
#include "kernels/vector.h"

namespace carat {
namespace {

// Activations of one task stay in a core's second-level cache while all weight
// groups of the task pass by.
constexpr int64_t kActivationBytes = 192 << 10;
// Weights of one task in a matrix-vector product: large against the cost of
// handing out a task, small enough to balance threads.
constexpr int64_t kTaskWeightBytes = 128 << 10;
// Weight groups of one task with many rows: they share the activations of a
// panel's columns, which are read from beyond the core's caches once.
constexpr int64_t kManyGroups = 4;
// Most rows that kernels multiply straight from packed weights.
constexpr int64_t kFewRows = 8;
// Results of one task of the gated product, kept on the stack twice.
constexpr int64_t kGatedFloats = kMaxTaskRows * kRowGroup * kManyGroups;

MatMulTaskFn KernelFor(Isa isa, PackedLayout layout) {
  MatMulTaskFn kernel = nullptr;
  switch (isa) {
    case Isa::kScalar:
      break;
    case Isa::kAvx2:
      kernel = Avx2MatMul(layout);
      break;
    case Isa::kAvxVnni:
      kernel = AvxVnniMatMul(layout);
      break;
    case Isa::kAvx512:
      kernel = Avx512MatMul(layout);
      break;
    case Isa::kNeon:
      kernel = NeonMatMul(layout);
      break;
    case Isa::kI8mm:
      kernel = I8mmMatMul(layout);
      break;
  }
  return kernel != nullptr ? kernel : ScalarMatMul(layout);
}

// The pieces of a product: `row_parts` of at most `rows` activation rows times
// `group_parts` of at most `groups` weight groups.
struct Cut {
  int64_t rows, groups, row_parts, group_parts;
  size_t tasks() const { return static_cast<size_t>(row_parts * group_parts); }
};

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Whether the kernel of many rows decodes weights into a panel and needs the
// activations of a panel's columns alone at a time. Float weights, and codes of
// eight bits on AVX2, are multiplied where they lie, for all columns.
bool DecodesPanels(Isa isa, PackedLayout layout) {
  return UsesInt8(layout) && !(isa == Isa::kAvx2 && SpecOf(layout).bits == 8);
}

// Activation rows that the second-level cache holds in all their columns.
int64_t RowsThatFit(const PackedMatrix& w) {
  const int64_t row_bytes = UsesInt8(w.layout) ? w.cols * 2 : w.cols * 4;
  return std::clamp<int64_t>(kActivationBytes / std::max<int64_t>(row_bytes, 1),
                             24, kMaxTaskRows);
}

Cut CutProduct(Isa isa, const PackedMatrix& w, int64_t count,
               int64_t max_groups, int threads) {
  const int64_t groups = CeilDiv(w.rows, kRowGroup);
  const bool panels = DecodesPanels(isa, w.layout);
  const int64_t fit = panels ? kMaxTaskRows : RowsThatFit(w);
  Cut cut = {};
  cut.row_parts = CeilDiv(count, fit);
  // Even parts, in whole tiles of 12 rows where possible.
  cut.rows = CeilDiv(CeilDiv(count, cut.row_parts), 12) * 12;
  cut.rows = std::min<int64_t>({cut.rows, count, kMaxTaskRows});
  cut.row_parts = CeilDiv(count, cut.rows);
  const int64_t group_bytes =
      std::max<int64_t>(static_cast<int64_t>(GroupBytes(w.layout, w.cols)), 1);
  // What kernels work on at once: float ones four groups for one or two rows,
  // AVX-512 ones two for many.
  const int64_t least = cut.rows > kFewRows                  ? 2
                        : UsesInt8(w.layout) || cut.rows > 2 ? 1
                                                             : 4;
  const int64_t by_bytes =
      panels && cut.rows > kFewRows
          ? kManyGroups
          : std::max<int64_t>(least,
                              kTaskWeightBytes / (group_bytes * cut.rows));
  // At least four tasks per thread where there are that many groups.
  const int64_t by_balance =
      std::max<int64_t>(1, groups * cut.row_parts / (4 * threads));
  cut.groups = std::min(by_bytes, by_balance);
  if (cut.rows > kFewRows) cut.groups = CeilDiv(cut.groups, least) * least;
  cut.groups =
      std::clamp<int64_t>(cut.groups, 1, std::max<int64_t>(max_groups, 1));
  cut.group_parts = CeilDiv(groups, cut.groups);
  return cut;
}

MatMulTask TaskAt(const Cut& cut, size_t index, const PackedMatrix& w,
                  const MatMulRows& in) {
  const int64_t row_part = static_cast<int64_t>(index) / cut.group_parts;
  const int64_t group_part = static_cast<int64_t>(index) % cut.group_parts;
  MatMulTask task;
  task.w = &w;
  task.x = in.x;
  task.index = in.index;
  task.row_begin = row_part * cut.rows;
  task.row_count = std::min(cut.rows, in.count - task.row_begin);
  task.group_begin = group_part * cut.groups;
  task.group_count =
      std::min(cut.groups, CeilDiv(w.rows, kRowGroup) - task.group_begin);
  return task;
}

// Runs the tasks of a product with `w`; few rows as a stream of its bytes.
template <typename Body>
void RunTasks(const Cut& cut, const PackedMatrix& w, ThreadPool& pool,
              Body&& body) {
  if (cut.rows > kFewRows) {
    pool.ParallelFor(cut.tasks(), body);
    return;
  }
  const size_t task_bytes =
      GroupBytes(w.layout, w.cols) * static_cast<size_t>(cut.groups);
  const size_t parts = static_cast<size_t>(cut.group_parts);
  pool.ParallelStream(
      cut.tasks(),
      [&](size_t index) { return w.data.data() + index % parts * task_bytes; },
      body);
}

bool IsEmpty(const PackedMatrix& w, const MatMulRows& in) {
  return in.count <= 0 || w.rows <= 0;
}

}  // namespace

void MatMulWith(Isa isa, const PackedMatrix& w, const MatMulRows& in, float* y,
                int64_t y_stride, ThreadPool& pool) {
  if (IsEmpty(w, in)) return;
  CARAT_CHECK(in.x != nullptr && in.x->cols() == w.cols);
  const MatMulTaskFn kernel = KernelFor(isa, w.layout);
  const Cut cut = CutProduct(isa, w, in.count, w.rows, pool.threads());
  RunTasks(cut, w, pool, [&](size_t index, int) {
    MatMulTask task = TaskAt(cut, index, w, in);
    task.y = y + task.row_begin * y_stride + task.group_begin * kRowGroup;
    task.y_stride = y_stride;
    kernel(task);
  });
}

void MatMulGatedGeluWith(Isa isa, const PackedMatrix& gate,
                         const PackedMatrix& up, const MatMulRows& in, float* y,
                         int64_t y_stride, ThreadPool& pool) {
  if (IsEmpty(gate, in)) return;
  CARAT_CHECK(gate.rows == up.rows && gate.cols == up.cols);
  CARAT_CHECK(in.x != nullptr && in.x->cols() == gate.cols);
  const MatMulTaskFn gate_kernel = KernelFor(isa, gate.layout);
  const MatMulTaskFn up_kernel = KernelFor(isa, up.layout);
  const auto gated_gelu = VectorFor(isa).gated_gelu;
  const int64_t row_floats = std::min<int64_t>(in.count, kMaxTaskRows);
  const Cut cut =
      CutProduct(isa, gate, in.count, kGatedFloats / (row_floats * kRowGroup),
                 pool.threads());
  RunTasks(cut, gate, pool, [&](size_t index, int) {
    alignas(64) float gated[kGatedFloats];
    alignas(64) float raised[kGatedFloats];
    MatMulTask task = TaskAt(cut, index, gate, in);
    task.y = gated;
    task.y_stride = task.group_count * kRowGroup;
    gate_kernel(task);
    task.w = &up;
    task.y = raised;
    up_kernel(task);
    const int64_t at = task.group_begin * kRowGroup;
    const int64_t n = std::min(task.y_stride, gate.rows - at);
    for (int64_t i = 0; i < task.row_count; ++i) {
      gated_gelu(gated + i * task.y_stride, raised + i * task.y_stride, n,
                 y + (task.row_begin + i) * y_stride + at);
    }
  });
}

void MatMul(const PackedMatrix& w, const MatMulRows& in, float* y,
            int64_t y_stride, ThreadPool& pool) {
  MatMulWith(ActiveIsa(), w, in, y, y_stride, pool);
}

void MatMulGatedGelu(const PackedMatrix& gate, const PackedMatrix& up,
                     const MatMulRows& in, float* y, int64_t y_stride,
                     ThreadPool& pool) {
  MatMulGatedGeluWith(ActiveIsa(), gate, up, in, y, y_stride, pool);
}

}  // namespace carat
