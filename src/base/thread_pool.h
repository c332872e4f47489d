// A persistent pool for data-parallel loops. The calling thread takes part.
// Work is cut into tasks by the caller; which thread runs which task never
// changes a result, because each task writes its own outputs.
//
// Threads: ParallelFor may be called from one thread at a time (the engine's).
// Workers spin briefly for the next loop, then sleep.
#ifndef CARAT_BASE_THREAD_POOL_H_
#define CARAT_BASE_THREAD_POOL_H_

#include <cstddef>
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
  // [0, threads()). Returns when all are done. Tasks are handed out in order.
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

  // Usable CPUs of this process (affinity mask and cgroup quota considered).
  static int DefaultThreads();

 private:
  using RawTask = void (*)(void* context, size_t task, int thread);
  void Run(size_t tasks, RawTask run, void* context);
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace carat

#endif  // CARAT_BASE_THREAD_POOL_H_
