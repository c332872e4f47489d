#include "cli/terminal.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace carat {
namespace {

bool g_output_closed = false;

bool TakesColour(int fd) {
  const char* none = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  if (none != nullptr && *none != '\0') return false;
  if (term != nullptr && std::string_view(term) == "dumb") return false;
  return isatty(fd) != 0;
}

bool UseColour() {
  static const bool use = TakesColour(STDERR_FILENO);
  return use;
}

std::string Styled(const char* code, std::string_view text) {
  if (!UseColour()) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

bool WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = write(fd, text.data(), text.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return false;
    text.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

}  // namespace

bool Print(std::string_view text) {
  if (!g_output_closed && !WriteAll(STDOUT_FILENO, text)) {
    g_output_closed = true;
  }
  return !g_output_closed;
}

bool OutputClosed() { return g_output_closed; }

void PrintNote(std::string_view text) {
  WriteAll(STDERR_FILENO, std::string(text) + "\n");
}

void PrintAside(std::string_view text) { WriteAll(STDERR_FILENO, text); }

bool StdinIsTerminal() { return isatty(STDIN_FILENO) != 0; }
bool StdoutIsTerminal() { return isatty(STDOUT_FILENO) != 0; }
bool StderrIsTerminal() { return isatty(STDERR_FILENO) != 0; }

int TerminalColumns() {
  winsize size = {};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    return size.ws_col;
  }
  return 80;
}

std::string Dim(std::string_view text) { return Styled("2", text); }
std::string Red(std::string_view text) { return Styled("31", text); }
std::string Yellow(std::string_view text) { return Styled("33", text); }

std::string OnStdout(Colour colour, std::string_view text) {
  static const bool use = TakesColour(STDOUT_FILENO);
  if (!use) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", static_cast<int>(colour), text);
}

ProgressBar::ProgressBar(std::string label)
    : label_(std::move(label)), active_(StderrIsTerminal()) {}

void ProgressBar::Update(double fraction, std::string_view tail) {
  if (!active_) return;
  fraction = std::clamp(fraction, 0.0, 1.0);
  const int tenths = static_cast<int>(std::lround(fraction * 1000));
  if (tenths == shown_ && tail == tail_) return;
  shown_ = tenths;
  tail_ = tail;
  const int around = static_cast<int>(label_.size() + tail_.size());
  const int width = std::clamp(TerminalColumns() - around - 12, 5, 40);
  const int full = static_cast<int>(std::lround(fraction * width));
  WriteAll(STDERR_FILENO,
           fmt::format("\r\x1b[K{} [{}{}] {:3.0f}%{}{}", label_,
                       std::string(full, '#'), std::string(width - full, '.'),
                       fraction * 100, tail_.empty() ? "" : "  ", tail_));
}

void ProgressBar::Clear() {
  if (!active_ || shown_ < 0) return;
  shown_ = -1;
  WriteAll(STDERR_FILENO, "\r\x1b[K");
}

std::string ReadStdin() {
  std::string out;
  char buffer[65536];
  pollfd wait = {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  if (poll(&wait, 1, 3000) == 0) {
    PrintNote(
        "carat: waiting for the end of stdin (add </dev/null when nothing is "
        "meant to come from there)");
  }
  for (;;) {
    const ssize_t n = read(STDIN_FILENO, buffer, sizeof(buffer));
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0) return out;
    out.append(buffer, static_cast<size_t>(n));
  }
}

}  // namespace carat
