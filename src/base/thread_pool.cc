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

// One loop at a time, described by a single word so that claiming a task can
// never mix two loops: | epoch 24 | tasks 20 | next task 20 |.
struct ThreadPool::State {
  std::vector<std::thread> workers;

  std::atomic<uint64_t> ticket{0};
  std::atomic<size_t> finished{0};  // tasks of the loop that have returned
  std::atomic<bool> stop{false};
  RawTask run = nullptr;  // written before the ticket is
  void* context = nullptr;

  std::mutex mutex;
  std::condition_variable wake;
  std::atomic<int> sleeping{0};

  static constexpr int kBits = 20;
  static constexpr uint64_t kMask = (uint64_t{1} << kBits) - 1;
  static uint64_t Epoch(uint64_t ticket) { return ticket >> (2 * kBits); }
  static uint64_t Tasks(uint64_t ticket) { return ticket >> kBits & kMask; }
  static uint64_t Next(uint64_t ticket) { return ticket & kMask; }

  // Runs tasks until the loop that is current has none left to claim. While a
  // claimed task is unfinished its loop cannot end, so run and context are
  // those of the claimed ticket.
  void Drain(int thread) {
    uint64_t seen = ticket.load(std::memory_order_acquire);
    while (Next(seen) < Tasks(seen)) {
      if (!ticket.compare_exchange_weak(seen, seen + 1,
                                        std::memory_order_acq_rel)) {
        continue;
      }
      run(context, Next(seen), thread);
      finished.fetch_add(1, std::memory_order_acq_rel);
      seen = ticket.load(std::memory_order_acquire);
    }
  }

  void Work(int thread) {
    uint64_t seen = 0;
    const auto changed = [&] {
      return Epoch(ticket.load(std::memory_order_seq_cst)) != seen;
    };
    for (;;) {
      for (int spins = 0; !changed(); ++spins) {
        if (spins < kSpins) {
          Pause();
          continue;
        }
        std::unique_lock<std::mutex> lock(mutex);
        sleeping.fetch_add(1, std::memory_order_seq_cst);
        wake.wait(lock, changed);
        sleeping.fetch_sub(1, std::memory_order_seq_cst);
      }
      if (stop.load(std::memory_order_acquire)) return;
      seen = Epoch(ticket.load(std::memory_order_acquire));
      Drain(thread);
    }
  }

  void Publish(size_t tasks) {
    const uint64_t epoch = Epoch(ticket.load(std::memory_order_relaxed)) + 1;
    ticket.store(epoch << (2 * kBits) | static_cast<uint64_t>(tasks) << kBits,
                 std::memory_order_seq_cst);
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
    // Another epoch without tasks makes every worker look at `stop`.
    const uint64_t epoch = State::Epoch(state_->ticket.load()) + 1;
    state_->ticket.store(epoch << (2 * State::kBits));
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
  // Loops longer than a ticket can count run in pieces.
  constexpr size_t kMost = State::kMask;
  for (size_t first = 0; first < tasks; first += kMost) {
    const size_t count = std::min(kMost, tasks - first);
    struct Shifted {
      RawTask run;
      void* context;
      size_t first;
    } shifted = {run, context, first};
    s.run = [](void* c, size_t task, int thread) {
      const Shifted& to = *static_cast<Shifted*>(c);
      to.run(to.context, to.first + task, thread);
    };
    s.context = &shifted;
    s.finished.store(0, std::memory_order_relaxed);
    s.Publish(count);
    s.Drain(0);
    // Only tasks that a worker has claimed are waited for: a worker that the
    // system does not schedule right now costs nothing.
    for (int spins = 0; s.finished.load(std::memory_order_acquire) < count;
         ++spins) {
      if (spins < kSpins) {
        Pause();
      } else {
        std::this_thread::yield();
      }
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
