// Requests that wait for their turn, one line per caller, served in turns so
// that no caller's many requests hold up another's few. Not thread-safe.
#ifndef CARAT_RUNTIME_FAIR_QUEUE_H_
#define CARAT_RUNTIME_FAIR_QUEUE_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "runtime/generation.h"

namespace carat {

class FairQueue {
 public:
  void Push(std::unique_ptr<Generation> generation);
  // Puts one whose turn it was before all others.
  void PutBack(std::unique_ptr<Generation> generation);

  // The next in turn, null when empty. Pop takes that one out.
  const Generation* Front() const;
  std::unique_ptr<Generation> Pop();

  // Takes out whatever `gone` holds for, in no particular order.
  std::vector<std::unique_ptr<Generation>> TakeIf(
      const std::function<bool(const Generation&)>& gone);

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  struct Line {
    std::string caller;
    std::deque<std::unique_ptr<Generation>> waiting;  // never empty
  };
  std::deque<std::unique_ptr<Generation>> first_;
  std::list<Line> lines_;  // the caller in turn first
  size_t size_ = 0;
};

}  // namespace carat

#endif  // CARAT_RUNTIME_FAIR_QUEUE_H_
