// A persistent pool for data-parallel loops. The calling thread takes part.
// Work is cut into tasks by the caller; which thread runs which task never
// changes a result, because each task writes its own outputs.
//
// Every thread starts with a run of neighbouring tasks, so that it reads memory
// in one stream, and takes tasks from the ends of other runs when its own is
// done. Threads that wait between two loops request the first bytes that their
// next run will read: see ParallelStream.
//
// Threads: loops may be started from one thread at a time (the engine's).
// Workers spin briefly for the next loop, then sleep.
#ifndef CARAT_BASE_THREAD_POOL_H_
#define CARAT_BASE_THREAD_POOL_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>

namespace carat {

class ThreadPool {
 public:
  // `threads` >= 1 counts the calling thread.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const;

  // Runs body(task, thread) for every task in [0, tasks), thread in
  // [0, threads()). Returns when all are done.
  template <typename Body>
  void ParallelFor(size_t tasks, Body&& body) {
    using Raw = std::remove_reference_t<Body>;
    Run(
        tasks,
        [](void* context, size_t task, int thread) {
          (*static_cast<Raw*>(context))(task, thread);
        },
        const_cast<void*>(static_cast<const void*>(&body)));
  }

  // ParallelFor over memory that is read once: first_byte(task) is where a task
  // starts to read. The pool remembers which such loop followed which, and
  // idle threads prefetch for the one that followed last time. A model's steps
  // repeat the same loops; a wrong guess costs bandwidth, never a result.
  template <typename FirstByte, typename Body>
  void ParallelStream(size_t tasks, FirstByte&& first_byte, Body&& body) {
    if (threads() > 1 && tasks > 0) {
      const uint8_t* starts[kMaxStreams];
      const size_t n = static_cast<size_t>(std::min(threads(), kMaxStreams));
      for (size_t t = 0; t < n; ++t) {
        const size_t task = RunBegin(tasks, static_cast<int>(t));
        starts[t] = task < tasks ? first_byte(task) : nullptr;
      }
      Expect(starts, n);
    }
    ParallelFor(tasks, body);
  }

  // Usable CPUs of this process (affinity mask and cgroup quota considered).
  static int DefaultThreads();

 private:
  using RawTask = void (*)(void* context, size_t task, int thread);
  // Threads after these are not prefetched for.
  static constexpr int kMaxStreams = 64;

  void Run(size_t tasks, RawTask run, void* context);
  // The first task of a thread's run.
  size_t RunBegin(size_t tasks, int thread) const {
    return tasks * static_cast<size_t>(thread) / static_cast<size_t>(threads());
  }
  // Notes that a loop that reads at starts[0, n) begins, and chooses what idle
  // threads prefetch after it.
  void Expect(const uint8_t* const* starts, size_t n);
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace carat

#endif  // CARAT_BASE_THREAD_POOL_H_
