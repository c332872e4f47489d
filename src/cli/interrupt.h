// Ctrl-C while something runs that can stop cleanly. The first one sets a flag;
// a second one ends the process at once.
#ifndef CARAT_CLI_INTERRUPT_H_
#define CARAT_CLI_INTERRUPT_H_

#include <csignal>

namespace carat {

// Catches SIGINT (and SIGTERM) during its lifetime. One at a time.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  static bool Interrupted();

 private:
  struct sigaction old_interrupt_ = {};
  struct sigaction old_terminate_ = {};
};

// Catches SIGHUP during its lifetime, for programs that read their settings
// again. One at a time.
class HangupGuard {
 public:
  HangupGuard();
  ~HangupGuard();
  HangupGuard(const HangupGuard&) = delete;
  HangupGuard& operator=(const HangupGuard&) = delete;

  // Whether one came since the last call.
  static bool Take();

 private:
  struct sigaction old_ = {};
};

}  // namespace carat

#endif  // CARAT_CLI_INTERRUPT_H_
