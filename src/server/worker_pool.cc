#include "server/worker_pool.h"

#include <utility>

namespace carat {

WorkerPool::~WorkerPool() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool WorkerPool::TryRun(std::function<void()> job) {
  {
    std::lock_guard lock(mutex_);
    if (stop_ || busy_ == max_threads_) return false;
    ++busy_;
    jobs_.push_back(std::move(job));
    if (busy_ > static_cast<int>(threads_.size())) {
      threads_.emplace_back([this] { Loop(); });
    }
  }
  wake_.notify_one();
  return true;
}

int WorkerPool::busy() const {
  std::lock_guard lock(mutex_);
  return busy_;
}

void WorkerPool::Loop() {
  for (;;) {
    std::function<void()> job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stop_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
    job = nullptr;
    std::lock_guard lock(mutex_);
    --busy_;
  }
}

}  // namespace carat
