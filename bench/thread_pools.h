// Thread pools for benchmarks: one of each size, kept for the whole run.
#ifndef CARAT_BENCH_THREAD_POOLS_H_
#define CARAT_BENCH_THREAD_POOLS_H_

#include <memory>
#include <vector>

#include "base/thread_pool.h"

namespace carat {

inline ThreadPool& Pool(int threads) {
  static std::vector<std::unique_ptr<ThreadPool>> pools;
  for (auto& pool : pools) {
    if (pool->threads() == threads) return *pool;
  }
  pools.push_back(std::make_unique<ThreadPool>(threads));
  return *pools.back();
}

}  // namespace carat

#endif  // CARAT_BENCH_THREAD_POOLS_H_
