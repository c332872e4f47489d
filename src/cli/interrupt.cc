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

volatile std::sig_atomic_t g_hangup = 0;

void OnHangup(int) { g_hangup = 1; }

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

HangupGuard::HangupGuard() {
  g_hangup = 0;
  struct sigaction action = {};
  action.sa_handler = OnHangup;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGHUP, &action, &old_);
}

HangupGuard::~HangupGuard() { sigaction(SIGHUP, &old_, nullptr); }

bool HangupGuard::Take() {
  if (g_hangup == 0) return false;
  g_hangup = 0;  // before the settings are read: a later one counts again
  return true;
}

}  // namespace carat
