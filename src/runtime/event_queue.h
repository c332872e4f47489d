// Events on their way from the engine's thread to whoever asked. Shared by both
// sides; every method is thread-safe.
#ifndef CARAT_RUNTIME_EVENT_QUEUE_H_
#define CARAT_RUNTIME_EVENT_QUEUE_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>

#include "carat/request.h"

namespace carat {

class EventQueue {
 public:
  void Push(GenerateEvent event) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      events_.push_back(std::move(event));
    }
    ready_.notify_one();
  }

  GenerateEvent Pop() {
    std::unique_lock<std::mutex> lock(mutex_);
    ready_.wait(lock, [&] { return !events_.empty(); });
    return Take();
  }

  bool PopFor(int timeout_ms, GenerateEvent* event) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (!ready_.wait_for(lock, std::chrono::milliseconds(timeout_ms),
                         [&] { return !events_.empty(); })) {
      return false;
    }
    *event = Take();
    return true;
  }

  void Cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

 private:
  GenerateEvent Take() {
    GenerateEvent event = std::move(events_.front());
    events_.pop_front();
    return event;
  }

  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<GenerateEvent> events_;
  std::atomic<bool> cancelled_{false};
};

}  // namespace carat

#endif  // CARAT_RUNTIME_EVENT_QUEUE_H_
