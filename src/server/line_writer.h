// Lines for a file descriptor that may block (a log behind a full pipe),
// written by a thread of its own. Writers never wait: what does not fit into
// the queue is dropped, and once there is room again a line says how many were.
#ifndef CARAT_SERVER_LINE_WRITER_H_
#define CARAT_SERVER_LINE_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace carat {

class LineWriter {
 public:
  explicit LineWriter(int fd, size_t max_lines = 4096);
  // Waits up to a second for what is queued; then the thread is left behind.
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  // Thread-safe. `line` without its newline.
  void Write(std::string line);
  uint64_t dropped() const;

 private:
  struct State;  // outlives this while the thread is stuck
  std::shared_ptr<State> state_;
};

}  // namespace carat

#endif  // CARAT_SERVER_LINE_WRITER_H_
