#include "server/line_writer.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

namespace carat {
namespace {

constexpr auto kFarewell = std::chrono::seconds(1);

void WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      pollfd room = {.fd = fd, .events = POLLOUT, .revents = 0};
      poll(&room, 1, -1);
      continue;
    }
    if (n < 0) return;  // nobody reads it any more
    text.remove_prefix(static_cast<size_t>(n));
  }
}

}  // namespace

struct LineWriter::State {
  int fd = -1;
  size_t max_lines = 0;
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::string> lines;
  uint64_t dropped = 0, reported = 0;
  bool stop = false, ended = false;

  void Run() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return stop || !lines.empty(); });
      if (lines.empty()) break;
      std::string text = std::move(lines.front()) + "\n";
      lines.pop_front();
      if (lines.empty() && dropped > reported) {
        text += fmt::format("carat: {} lines of the log were dropped\n",
                            dropped - reported);
        reported = dropped;
      }
      lock.unlock();
      WriteAll(fd, text);
      lock.lock();
    }
    ended = true;
    changed.notify_all();
  }
};

LineWriter::LineWriter(int fd, size_t max_lines)
    : state_(std::make_shared<State>()) {
  state_->fd = fd;
  state_->max_lines = max_lines;
  std::thread([state = state_] { state->Run(); }).detach();
}

LineWriter::~LineWriter() {
  std::unique_lock lock(state_->mutex);
  state_->stop = true;
  state_->changed.notify_all();
  state_->changed.wait_for(lock, kFarewell, [&] { return state_->ended; });
}

void LineWriter::Write(std::string line) {
  std::lock_guard lock(state_->mutex);
  if (state_->lines.size() >= state_->max_lines) {
    ++state_->dropped;
    return;
  }
  state_->lines.push_back(std::move(line));
  state_->changed.notify_all();
}

uint64_t LineWriter::dropped() const {
  std::lock_guard lock(state_->mutex);
  return state_->dropped;
}

}  // namespace carat
