// Threads for handlers, one for each request that is being answered: made when
// needed, kept for the next, at most so many.
#ifndef CARAT_SERVER_WORKER_POOL_H_
#define CARAT_SERVER_WORKER_POOL_H_

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace carat {

class WorkerPool {
 public:
  explicit WorkerPool(int max_threads) : max_threads_(max_threads) {}
  ~WorkerPool();  // waits for what runs

  // False when all threads are busy.
  bool TryRun(std::function<void()> job);
  int busy() const;

 private:
  void Loop();

  const int max_threads_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  std::vector<std::thread> threads_;
  int busy_ = 0;  // running or handed over
  bool stop_ = false;
};

}  // namespace carat

#endif  // CARAT_SERVER_WORKER_POOL_H_
