#include "base/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <thread>
#include <vector>

namespace carat {
namespace {

// How many polls a worker makes before it sleeps: a few tens of microseconds,
// longer than the gap between two layers' loops, far shorter than a token.
constexpr int kSpins = 20000;

inline void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Whole CPUs that the cgroup v2 quota allows, or a large number without one.
int CgroupCpus() {
  std::FILE* file = std::fopen("/sys/fs/cgroup/cpu.max", "r");
  if (file == nullptr) return 1 << 20;
  long quota = 0, period = 0;
  const int read = std::fscanf(file, "%ld %ld", &quota, &period);
  std::fclose(file);
  if (read != 2 || period <= 0 || quota <= 0) return 1 << 20;
  return static_cast<int>(std::max(1L, (quota + period - 1) / period));
}

}  // namespace

struct ThreadPool::State {
  std::vector<std::thread> workers;

  // One loop at a time. `epoch` changes when a loop is published; tasks are
  // claimed from `next`; `running` counts workers that have not left it yet.
  std::atomic<uint64_t> epoch{0};
  std::atomic<size_t> next{0};
  std::atomic<int> running{0};
  std::atomic<bool> stop{false};
  size_t tasks = 0;
  RawTask run = nullptr;
  void* context = nullptr;

  std::mutex mutex;
  std::condition_variable wake;
  std::atomic<int> sleeping{0};

  void Drain(int thread) {
    for (;;) {
      const size_t task = next.fetch_add(1, std::memory_order_relaxed);
      if (task >= tasks) return;
      run(context, task, thread);
    }
  }

  void Work(int thread) {
    uint64_t seen = 0;
    for (;;) {
      int spins = 0;
      while (epoch.load(std::memory_order_seq_cst) == seen) {
        if (++spins < kSpins) {
          Pause();
          continue;
        }
        std::unique_lock<std::mutex> lock(mutex);
        sleeping.fetch_add(1, std::memory_order_seq_cst);
        wake.wait(lock, [&] { return epoch.load() != seen; });
        sleeping.fetch_sub(1, std::memory_order_seq_cst);
      }
      seen = epoch.load(std::memory_order_acquire);
      if (stop.load(std::memory_order_acquire)) return;
      Drain(thread);
      running.fetch_sub(1, std::memory_order_release);
    }
  }

  void Publish() {
    epoch.fetch_add(1, std::memory_order_seq_cst);
    if (sleeping.load(std::memory_order_seq_cst) > 0) {
      std::lock_guard<std::mutex> lock(mutex);
      wake.notify_all();
    }
  }
};

ThreadPool::ThreadPool(int threads) : state_(std::make_unique<State>()) {
  for (int i = 1; i < std::max(threads, 1); ++i) {
    state_->workers.emplace_back([this, i] { state_->Work(i); });
  }
}

ThreadPool::~ThreadPool() {
  state_->stop.store(true, std::memory_order_release);
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    state_->epoch.fetch_add(1, std::memory_order_seq_cst);
    state_->wake.notify_all();
  }
  for (std::thread& worker : state_->workers) worker.join();
}

int ThreadPool::threads() const {
  return static_cast<int>(state_->workers.size()) + 1;
}

void ThreadPool::Run(size_t tasks, RawTask run, void* context) {
  State& s = *state_;
  if (tasks <= 1 || s.workers.empty()) {
    for (size_t task = 0; task < tasks; ++task) run(context, task, 0);
    return;
  }
  s.tasks = tasks;
  s.run = run;
  s.context = context;
  s.next.store(0, std::memory_order_relaxed);
  s.running.store(static_cast<int>(s.workers.size()),
                  std::memory_order_relaxed);
  s.Publish();
  s.Drain(0);
  // Workers that are not scheduled right now must still pass through this
  // loop, so on a busy machine give them the CPU instead of burning it.
  for (int spins = 0; s.running.load(std::memory_order_acquire) > 0; ++spins) {
    if (spins < kSpins) {
      Pause();
    } else {
      std::this_thread::yield();
    }
  }
}

int ThreadPool::DefaultThreads() {
  cpu_set_t set;
  int cpus = static_cast<int>(std::thread::hardware_concurrency());
  if (sched_getaffinity(0, sizeof set, &set) == 0) cpus = CPU_COUNT(&set);
  return std::max(1, std::min(cpus, CgroupCpus()));
}

}  // namespace carat
