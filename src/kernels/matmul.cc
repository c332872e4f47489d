// Cuts a product into tasks and runs one instruction set's kernel on each.
#include "kernels/matmul.h"

#include <algorithm>
#include <vector>

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

// `whole`: a task takes a multiple of so many groups.
Cut CutProduct(Isa isa, const PackedMatrix& w, int64_t count,
               int64_t max_groups, int64_t whole, int threads) {
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
  const int64_t unit = cut.rows > kFewRows ? std::max(least, whole) : whole;
  cut.groups = CeilDiv(cut.groups, unit) * unit;
  cut.groups = std::clamp<int64_t>(
      cut.groups, whole, std::max<int64_t>(max_groups / whole, 1) * whole);
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

// Where the weights of a task begin.
const uint8_t* FirstByte(const Cut& cut, size_t index, const PackedMatrix& w) {
  const size_t group = index % static_cast<size_t>(cut.group_parts) *
                       static_cast<size_t>(cut.groups);
  return w.data.data() + group * GroupBytes(w.layout, w.cols);
}

// A product cut into tasks [first, first + cut.tasks()) of a loop.
struct Part {
  const MatMulProduct* product = nullptr;
  MatMulTaskFn kernel = nullptr, up_kernel = nullptr;
  Cut cut = {};
  size_t first = 0;

  const uint8_t* FirstByteOf(size_t index) const {
    return FirstByte(cut, index - first, *product->w);
  }
};

bool IsEmpty(const MatMulProduct& p) {
  return p.in.count <= 0 || p.w->rows <= 0;
}

Part PartOf(Isa isa, const MatMulProduct& p, size_t first, int threads) {
  const PackedMatrix& w = *p.w;
  Part part = {.product = &p,
               .kernel = KernelFor(isa, w.layout),
               .up_kernel = nullptr,
               .cut = {},
               .first = first};
  CARAT_CHECK(p.in.x != nullptr && p.in.x->cols() == w.cols);
  // AVX2's kernels read more than the others'.
  CARAT_CHECK(!UsesInt8(w.layout) || isa != Isa::kAvx2 || p.in.x->has_wide());
  // A block of activations is the output of as many groups.
  const int64_t whole = p.to == nullptr ? 1 : kActBlock / kRowGroup;
  int64_t max_groups = w.rows;
  if (p.up != nullptr) {
    CARAT_CHECK(p.up->rows == w.rows && p.up->cols == w.cols);
    part.up_kernel = KernelFor(isa, p.up->layout);
    max_groups = kGatedFloats /
                 (std::min<int64_t>(p.in.count, kMaxTaskRows) * kRowGroup);
  }
  if (p.to != nullptr) {
    CARAT_CHECK(p.up != nullptr && p.to->cols() == w.rows);
    p.to->PrepareInt8(isa);
  }
  part.cut = CutProduct(isa, w, p.in.count, max_groups, whole, threads);
  return part;
}

void RunTask(Isa isa, const Part& part, size_t index) {
  const MatMulProduct& p = *part.product;
  MatMulTask task = TaskAt(part.cut, index - part.first, *p.w, p.in);
  const int64_t at = task.group_begin * kRowGroup;
  float* y = p.to != nullptr ? nullptr : p.y + task.row_begin * p.y_stride + at;
  if (p.up == nullptr) {
    task.y = y;
    task.y_stride = p.y_stride;
    part.kernel(task);
    return;
  }
  alignas(64) float gated[kGatedFloats];
  alignas(64) float raised[kGatedFloats];
  task.y = gated;
  task.y_stride = task.group_count * kRowGroup;
  part.kernel(task);
  if (p.to != nullptr) {
    for (int64_t i = 0; i < task.row_count; ++i) {
      p.to->RequestPart(p.to_row + task.row_begin + i, at,
                        task.group_count * kRowGroup);
    }
  }
  task.w = p.up;
  task.y = raised;
  part.up_kernel(task);
  const int64_t n = std::min(task.y_stride, p.w->rows - at);
  const auto gated_gelu = VectorFor(isa).gated_gelu;
  for (int64_t i = 0; i < task.row_count; ++i) {
    float* row = gated + i * task.y_stride;
    float* result = p.to != nullptr ? row : y + i * p.y_stride;
    gated_gelu(row, raised + i * task.y_stride, n, result);
    if (p.to != nullptr) {
      p.to->QuantizePart(isa, p.to_row + task.row_begin + i, at, n, row);
    }
  }
}

}  // namespace

void MatMulTogetherWith(Isa isa, std::span<const MatMulProduct> products,
                        ThreadPool& pool) {
  constexpr size_t kUsual = 8;
  Part few[kUsual];
  std::vector<Part> many(products.size() > kUsual ? products.size() : 0);
  Part* parts = many.empty() ? few : many.data();
  size_t count = 0, tasks = 0;
  bool stream = true;  // every weight is read once
  for (const MatMulProduct& p : products) {
    if (IsEmpty(p)) continue;
    parts[count] = PartOf(isa, p, tasks, pool.threads());
    tasks += parts[count++].cut.tasks();
    stream = stream && p.in.count <= kFewRows;
  }
  const auto part_of = [&](size_t index) -> const Part& {
    return *(std::upper_bound(
                 parts, parts + count, index,
                 [](size_t i, const Part& part) { return i < part.first; }) -
             1);
  };
  const auto run = [&](size_t index, int) {
    RunTask(isa, part_of(index), index);
  };
  if (stream) {
    pool.ParallelStream(
        tasks, [&](size_t index) { return part_of(index).FirstByteOf(index); },
        run);
  } else {
    pool.ParallelFor(tasks, run);
  }
}

void MatMulWith(Isa isa, const PackedMatrix& w, const MatMulRows& in, float* y,
                int64_t y_stride, ThreadPool& pool) {
  const MatMulProduct product = {
      .w = &w, .in = in, .y = y, .y_stride = y_stride};
  MatMulTogetherWith(isa, {&product, 1}, pool);
}

void MatMul(const PackedMatrix& w, const MatMulRows& in, float* y,
            int64_t y_stride, ThreadPool& pool) {
  MatMulWith(ActiveIsa(), w, in, y, y_stride, pool);
}

void MatMulTogether(std::span<const MatMulProduct> products, ThreadPool& pool) {
  MatMulTogetherWith(ActiveIsa(), products, pool);
}

}  // namespace carat
