// Speed of the packed matrix product. Matrix-vector: weights larger than any
// cache, bytes_per_second is the rate at which packed weights are read.
// Matrix-matrix: 512 rows; items_per_second counts multiplications and
// additions (2 per weight and row).
//
//   matmul_bench --benchmark_filter=MatVec
//   matmul_bench --benchmark_filter='MatMat/Q4_0.*threads:2'
#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <vector>

#include "kernels/matmul.h"
#include "kernels/matmul_test_data.h"
#include "thread_pools.h"

namespace carat {
namespace {

struct Shape {
  const char* name;
  int64_t rows, cols;
};
constexpr Shape kShapes[] = {
    {"270M_gate", 2048, 640}, {"270M_down", 640, 2048},
    {"1B_gate", 6912, 1152},  {"1B_down", 1152, 6912},
    {"E2B_gate", 6144, 1536}, {"E2B_down", 1536, 6144},
};
constexpr DType kTypes[] = {DType::kQ4_0, DType::kQ4_K, DType::kQ5_0,
                            DType::kQ5_K, DType::kQ6_K, DType::kQ8_0,
                            DType::kQ2_K, DType::kQ3_K, DType::kIQ2_XS,
                            DType::kBF16, DType::kF32};

PackedMatrix Random(DType type, int64_t rows, int64_t cols) {
  // One seeded strip of rows, repeated: values do not change the speed.
  const int64_t strip = std::min<int64_t>(rows, 64);
  std::vector<uint8_t> bytes = testing::RandomWeights(type, strip, cols, 1);
  const size_t once = bytes.size();
  const size_t row_bytes = once / static_cast<size_t>(strip);
  bytes.resize(row_bytes * static_cast<size_t>(rows));
  for (size_t at = once; at < bytes.size(); ++at) bytes[at] = bytes[at - once];
  return std::move(PackMatrix(type, rows, cols, bytes.data(), Pool(2)).value());
}

void MatVec(benchmark::State& state, DType type, int threads, int64_t count) {
  constexpr int64_t kCols = 1536;
  const int64_t rows =
      static_cast<int64_t>((size_t{400} << 20) / DTypeBytes(type, kCols));
  const PackedMatrix w = Random(type, rows, kCols);
  ThreadPool& pool = Pool(threads);
  Activations x;
  testing::RandomActivations(count, kCols, 2, x);
  x.Quantize(pool);
  std::vector<float> y(static_cast<size_t>(rows * count));
  for (auto _ : state) {
    MatMul(w, {.x = &x, .count = count}, y.data(), rows, pool);
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) *
                          static_cast<int64_t>(w.data.bytes()));
}

void MatMat(benchmark::State& state, DType type, Shape shape, int threads,
            int64_t count) {
  const PackedMatrix w = Random(type, shape.rows, shape.cols);
  ThreadPool& pool = Pool(threads);
  Activations x;
  testing::RandomActivations(count, shape.cols, 2, x);
  x.Quantize(pool);
  std::vector<float> y(static_cast<size_t>(shape.rows * count));
  for (auto _ : state) {
    MatMul(w, {.x = &x, .count = count}, y.data(), shape.rows, pool);
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * 2 * count *
                          shape.rows * shape.cols);
}

void Quantize(benchmark::State& state, int threads) {
  ThreadPool& pool = Pool(threads);
  Activations x;
  testing::RandomActivations(512, 1536, 2, x);
  for (auto _ : state) x.Quantize(pool);
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * 512 *
                          1536);
}

void Pack(benchmark::State& state, DType type, int threads) {
  const int64_t rows = 65536, cols = 1536;
  const std::vector<uint8_t> bytes(
      DTypeBytes(type, static_cast<size_t>(rows * cols)), 1);
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        PackMatrix(type, rows, cols, bytes.data(), Pool(threads)));
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) *
                          static_cast<int64_t>(bytes.size()));
}

void Register() {
  for (int threads : {1, 2}) {
    const std::string suffix = "/threads:" + std::to_string(threads);
    auto add = [&](const std::string& name, auto body) {
      benchmark::RegisterBenchmark((name + suffix).c_str(), body)
          ->UseRealTime()
          ->Unit(benchmark::kMillisecond);
    };
    for (DType type : kTypes) {
      const std::string name = DTypeName(type);
      for (int64_t count : {1, 2, 4, 8}) {
        add("MatVec/" + name + "/rows:" + std::to_string(count),
            [=](benchmark::State& s) { MatVec(s, type, threads, count); });
      }
      for (const Shape& shape : kShapes) {
        if (shape.cols % GetDTypeInfo(type).block != 0) continue;
        add("MatMat/" + name + "/" + shape.name,
            [=](benchmark::State& s) { MatMat(s, type, shape, threads, 512); });
      }
      add("Pack/" + name, [=](benchmark::State& s) { Pack(s, type, threads); });
    }
    add("Quantize", [=](benchmark::State& s) { Quantize(s, threads); });
  }
}

const bool kRegistered = (Register(), true);

}  // namespace
}  // namespace carat
