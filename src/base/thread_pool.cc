#include "base/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

namespace carat {
namespace {

// How many polls a worker makes before it sleeps: a few tens of microseconds,
// longer than the gap between two layers' loops, far shorter than a token.
constexpr int kSpins = 20000;

// What a waiting thread prefetches at most: a part of its second-level cache.
constexpr size_t kWarmBytes = 256 << 10;

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

// What each thread has left of one loop, in a single word so that claiming a
// task can never mix two loops: | epoch 24 | end 20 | begin 20 |. The owner
// takes tasks from the front, others from the back.
struct ThreadPool::State {
  struct alignas(64) Slot {
    std::atomic<uint64_t> range{0};
    // Where the thread will probably read next, and a count of the changes.
    std::atomic<const uint8_t*> warm{nullptr};
    std::atomic<uint32_t> warm_version{0};
  };

  explicit State(int count) : slots(static_cast<size_t>(count)) {}

  std::vector<Slot> slots;  // one per thread, the caller's first
  std::vector<std::thread> workers;

  alignas(64) std::atomic<size_t> finished{0};  // tasks that have returned
  std::atomic<bool> stop{false};
  RawTask run = nullptr;  // written before the ranges are
  void* context = nullptr;
  uint64_t epoch = 0;  // of the last loop, the caller's

  std::mutex mutex;
  std::condition_variable wake;
  std::atomic<int> sleeping{0};

  // Which stream followed which: starts of the next by first byte.
  std::unordered_map<const uint8_t*, std::vector<const uint8_t*>> followers;
  const uint8_t* last_stream = nullptr;

  static constexpr int kBits = 20;
  static constexpr uint64_t kMask = (uint64_t{1} << kBits) - 1;
  static uint64_t Epoch(uint64_t range) { return range >> (2 * kBits); }
  static uint64_t End(uint64_t range) { return range >> kBits & kMask; }
  static uint64_t Begin(uint64_t range) { return range & kMask; }

  // Claims the first (own) or last task of a range; false when none is left.
  static bool Claim(std::atomic<uint64_t>& range, bool own, size_t* task) {
    uint64_t seen = range.load(std::memory_order_acquire);
    while (Begin(seen) < End(seen)) {
      const uint64_t next = own ? seen + 1 : seen - (uint64_t{1} << kBits);
      if (range.compare_exchange_weak(seen, next, std::memory_order_acq_rel)) {
        *task = own ? Begin(seen) : End(seen) - 1;
        return true;
      }
    }
    return false;
  }

  // Runs tasks until none is left to claim. While a claimed task is not counted
  // as finished its loop cannot end, so run and context are those of the
  // claimed range, and all tasks counted together belong to one loop.
  void Drain(int thread) {
    const size_t count = slots.size(), me = static_cast<size_t>(thread);
    size_t done = 0, task = 0;
    for (size_t i = 0; i < count; ++i) {
      const size_t at = me + i < count ? me + i : me + i - count;
      while (Claim(slots[at].range, i == 0, &task)) {
        run(context, task, thread);
        ++done;
      }
    }
    if (done > 0) finished.fetch_add(done, std::memory_order_acq_rel);
  }

  void Work(int thread) {
    Slot& slot = slots[static_cast<size_t>(thread)];
    uint64_t seen = 0;
    const auto changed = [&] {
      return Epoch(slot.range.load(std::memory_order_seq_cst)) != seen;
    };
    Warmer warmer;
    for (;;) {
      for (int spins = 0; !changed(); ++spins) {
        if (spins < kSpins) {
          if (!warmer.Step(slot)) Pause();
          continue;
        }
        std::unique_lock<std::mutex> lock(mutex);
        sleeping.fetch_add(1, std::memory_order_seq_cst);
        wake.wait(lock, changed);
        sleeping.fetch_sub(1, std::memory_order_seq_cst);
      }
      // In this order: the epoch that announces the end has `stop` before it,
      // and must not be taken for one of the loops.
      seen = Epoch(slot.range.load(std::memory_order_acquire));
      if (stop.load(std::memory_order_acquire)) return;
      Drain(thread);
    }
  }

  void Publish(size_t tasks) {
    ++epoch;
    const uint64_t count = slots.size();
    for (uint64_t t = 0; t < count; ++t) {
      const uint64_t begin = tasks * t / count, end = tasks * (t + 1) / count;
      slots[t].range.store(epoch << (2 * kBits) | end << kBits | begin,
                           std::memory_order_seq_cst);
    }
    if (sleeping.load(std::memory_order_seq_cst) > 0) {
      std::lock_guard<std::mutex> lock(mutex);
      wake.notify_all();
    }
  }

  // A waiting thread's position in what it will read next.
  struct Warmer {
    uint32_t version = 0;
    size_t at = kWarmBytes;

    // Requests a few cache lines; false when there is nothing left to request.
    bool Step(const Slot& slot) {
      const uint32_t now = slot.warm_version.load(std::memory_order_acquire);
      if (now != version) {
        version = now;
        at = 0;
      }
      const uint8_t* from = slot.warm.load(std::memory_order_relaxed);
      if (at >= kWarmBytes || from == nullptr) return false;
      for (int line = 0; line < 4; ++line, at += 64) {
        __builtin_prefetch(from + at, 0, 2);
      }
      return true;
    }
  };
};

ThreadPool::ThreadPool(int threads)
    : state_(std::make_unique<State>(std::max(threads, 1))) {
  for (int i = 1; i < std::max(threads, 1); ++i) {
    state_->workers.emplace_back([this, i] { state_->Work(i); });
  }
}

ThreadPool::~ThreadPool() {
  state_->stop.store(true, std::memory_order_release);
  state_->Publish(0);  // makes every worker look at `stop`
  for (std::thread& worker : state_->workers) worker.join();
}

int ThreadPool::threads() const {
  return static_cast<int>(state_->slots.size());
}

void ThreadPool::Run(size_t tasks, RawTask run, void* context) {
  State& s = *state_;
  if (tasks <= 1 || s.workers.empty()) {
    for (size_t task = 0; task < tasks; ++task) run(context, task, 0);
    return;
  }
  // Loops longer than a range can count run in pieces.
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
    State::Warmer warmer;
    for (int spins = 0; s.finished.load(std::memory_order_acquire) < count;
         ++spins) {
      if (spins < kSpins) {
        if (!warmer.Step(s.slots[0])) Pause();
      } else {
        std::this_thread::yield();
      }
    }
  }
}

void ThreadPool::Expect(const uint8_t* const* starts, size_t n) {
  State& s = *state_;
  // More streams than any model has matrices: forget those of earlier models.
  constexpr size_t kMostStreams = 1 << 16;
  if (s.followers.size() > kMostStreams) s.followers.clear();
  if (s.last_stream != nullptr) {
    s.followers[s.last_stream].assign(starts, starts + n);
  }
  s.last_stream = starts[0];
  const auto next = s.followers.find(starts[0]);
  if (next == s.followers.end()) return;
  const size_t known = std::min(next->second.size(), s.slots.size());
  for (size_t t = 0; t < known; ++t) {
    State::Slot& slot = s.slots[t];
    slot.warm.store(next->second[t], std::memory_order_relaxed);
    slot.warm_version.fetch_add(1, std::memory_order_release);
  }
}

int ThreadPool::DefaultThreads() {
  cpu_set_t set;
  int cpus = static_cast<int>(std::thread::hardware_concurrency());
  if (sched_getaffinity(0, sizeof set, &set) == 0) cpus = CPU_COUNT(&set);
  return std::max(1, std::min(cpus, CgroupCpus()));
}

}  // namespace carat
