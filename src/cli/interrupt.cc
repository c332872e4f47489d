#include "cli/interrupt.h"

#include <unistd.h>

#include "cli/command.h"

namespace carat {
namespace {

volatile std::sig_atomic_t g_interrupts = 0;

void OnSignal(int) {
  if (g_interrupts != 0) _exit(kExitInterrupted);
  g_interrupts = 1;
}

}  // namespace

InterruptGuard::InterruptGuard() {
  g_interrupts = 0;
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  sigemptyset(&action.sa_mask);
  // No SA_RESTART: a read that waits for input ends, too.
  sigaction(SIGINT, &action, &old_interrupt_);
  sigaction(SIGTERM, &action, &old_terminate_);
}

InterruptGuard::~InterruptGuard() {
  sigaction(SIGINT, &old_interrupt_, nullptr);
  sigaction(SIGTERM, &old_terminate_, nullptr);
}

bool InterruptGuard::Interrupted() { return g_interrupts != 0; }

}  // namespace carat
