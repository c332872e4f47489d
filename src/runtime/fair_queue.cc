#include "runtime/fair_queue.h"

#include <algorithm>
#include <utility>

namespace carat {

void FairQueue::Push(std::unique_ptr<Generation> generation) {
  const std::string& caller = generation->caller();
  auto line = std::find_if(lines_.begin(), lines_.end(),
                           [&](const Line& l) { return l.caller == caller; });
  if (line == lines_.end()) {
    lines_.push_back({.caller = caller, .waiting = {}});
    line = std::prev(lines_.end());
  }
  line->waiting.push_back(std::move(generation));
  ++size_;
}

void FairQueue::PutBack(std::unique_ptr<Generation> generation) {
  first_.push_front(std::move(generation));
  ++size_;
}

const Generation* FairQueue::Front() const {
  if (!first_.empty()) return first_.front().get();
  return lines_.empty() ? nullptr : lines_.front().waiting.front().get();
}

std::unique_ptr<Generation> FairQueue::Pop() {
  std::unique_ptr<Generation> out;
  if (!first_.empty()) {
    out = std::move(first_.front());
    first_.pop_front();
  } else if (!lines_.empty()) {
    Line& line = lines_.front();
    out = std::move(line.waiting.front());
    line.waiting.pop_front();
    if (line.waiting.empty()) {
      lines_.pop_front();
    } else {
      lines_.splice(lines_.end(), lines_, lines_.begin());
    }
  }
  if (out != nullptr) --size_;
  return out;
}

std::vector<std::unique_ptr<Generation>> FairQueue::TakeIf(
    const std::function<bool(const Generation&)>& gone) {
  std::vector<std::unique_ptr<Generation>> out;
  const auto take = [&](std::deque<std::unique_ptr<Generation>>& from) {
    for (auto& g : from) {
      if (gone(*g)) out.push_back(std::move(g));
    }
    std::erase(from, nullptr);
  };
  take(first_);
  for (Line& line : lines_) take(line.waiting);
  lines_.remove_if([](const Line& line) { return line.waiting.empty(); });
  size_ -= out.size();
  return out;
}

}  // namespace carat
