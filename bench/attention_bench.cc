// Speed of attention over a paged cache that is larger than the processor's
// caches. flops counts multiplications and additions (4 for each query head,
// position and dimension); read is the rate at which keys and values would pass
// if all rows shared them.
//
//   attention_bench --benchmark_filter='Decode16k/E2B_global.*threads:2'
#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <vector>

#include "kernels/attention.h"
#include "thread_pools.h"

namespace carat {
namespace {

struct Shape {
  const char* name;
  int heads, kv_heads, head_dim;
  int64_t window;  // 0: all
};
constexpr Shape kShapes[] = {
    {"E2B_global", 8, 1, 512, 0},  {"E2B_sliding", 8, 1, 256, 512},
    {"26B_global", 16, 2, 512, 0}, {"26B_sliding", 16, 8, 256, 1024},
    {"270M_global", 4, 1, 256, 0},
};

// Layers of one shape with keys and values for `positions`.
struct Cache {
  std::vector<AlignedBuffer> pages;
  std::vector<uint8_t*> table;
  std::vector<KvSlice> layers;

  Cache(const Shape& shape, KvType type, int64_t positions, int count) {
    for (int i = 0; i < count; ++i) {
      KvSlice slice = {type, 0, shape.kv_heads, shape.head_dim};
      slice.offset_bytes = i * slice.bytes();
      layers.push_back(slice);
    }
    std::vector<float> noise(
        static_cast<size_t>(shape.kv_heads * shape.head_dim));
    for (int64_t p = 0; p < positions; ++p) {
      if (p % kKvTile == 0) {
        pages.emplace_back(static_cast<size_t>(layers[0].bytes() * count));
        table.push_back(pages.back().data());
      }
      for (size_t i = 0; i < noise.size(); ++i) {
        noise[i] =
            static_cast<float>((i * 37 + static_cast<size_t>(p) * 11) % 64) /
                64.0f -
            0.5f;
      }
      for (const KvSlice& slice : layers) {
        KvWrite(slice, table.back(), p, noise.data(), noise.data());
      }
    }
  }
};

// `rows` queries that end at `positions`; each run takes the next of several
// layers, so that the last one's keys have left the caches.
void Run(benchmark::State& state, const Shape& shape, KvType type, int threads,
         int64_t positions, int64_t rows) {
  constexpr int kLayers = 4;
  const Cache cache(shape, type, positions, kLayers);
  const int64_t width = int64_t{shape.heads} * shape.head_dim;
  std::vector<float> q(static_cast<size_t>(rows * width), 0.01f);
  std::vector<float> out(q.size());
  std::vector<AttentionRow> seen;
  double work = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t end = positions - rows + r + 1;
    const int64_t begin =
        shape.window > 0 ? std::max<int64_t>(0, end - shape.window) : 0;
    seen.push_back({cache.table.data(), begin, end});
    work += 4.0 * static_cast<double>((end - begin) * width);
  }
  AttentionScratch scratch;
  ThreadPool& pool = Pool(threads);
  size_t layer = 0;
  for (auto _ : state) {
    Attention({.rows = seen.data(),
               .count = rows,
               .q = q.data(),
               .q_stride = width,
               .out = out.data(),
               .out_stride = width,
               .heads = shape.heads,
               .scale = 0.1f,
               .softcap = 0.0f,
               .slice = cache.layers[layer++ % kLayers]},
              scratch, pool);
    benchmark::DoNotOptimize(out.data());
  }
  using benchmark::Counter;
  state.counters["flops"] =
      Counter(work, Counter::kIsIterationInvariantRate, Counter::OneK::kIs1000);
  const double bytes =
      static_cast<double>(seen.back().end - seen.front().begin) *
      static_cast<double>(cache.layers[0].bytes()) / kKvTile;
  state.counters["read"] = Counter(bytes, Counter::kIsIterationInvariantRate,
                                   Counter::OneK::kIs1000);
}

void Register() {
  for (const Shape& shape : kShapes) {
    for (const int threads : {1, 2}) {
      const std::string name = shape.name,
                        tail = "/threads:" + std::to_string(threads);
      const auto add = [&](const std::string& what, KvType type,
                           int64_t positions, int64_t rows) {
        benchmark::RegisterBenchmark(
            (what + "/" + name + "/" + KvTypeName(type) + tail).c_str(), Run,
            shape, type, threads, positions, rows)
            ->UseRealTime();
      };
      add("Decode16k", KvType::kF16, 16384, 1);
      add("Decode2k", KvType::kF16, 2048, 1);
      add("Prefill2k", KvType::kF16, 2048, 128);
      add("Prefill16k", KvType::kF16, 16384, 128);
    }
  }
}

const bool kRegistered = (Register(), true);

}  // namespace
}  // namespace carat
