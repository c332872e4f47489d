// The program's two output streams. Answers and data go to stdout; everything
// else (notes, progress, timings, errors) goes to stderr. Escape sequences are
// written to terminals only, and never when NO_COLOR is set.
#ifndef CARAT_CLI_TERMINAL_H_
#define CARAT_CLI_TERMINAL_H_

#include <string>
#include <string_view>

namespace carat {

// Writes all of `text` to stdout at once, unbuffered. False once stdout is
// closed (a pipe whose reader has gone): the command should then end quietly.
bool Print(std::string_view text);
bool OutputClosed();
// `text` and a newline to stderr.
void PrintNote(std::string_view text);

// `text` alone to stderr.
void PrintAside(std::string_view text);

bool StdinIsTerminal();
bool StdoutIsTerminal();
bool StderrIsTerminal();
// Columns of the terminal on stderr; 80 when unknown.
int TerminalColumns();

// `text` in a dim, bold or red style if stderr takes colour.
std::string Dim(std::string_view text);
std::string Red(std::string_view text);
std::string Yellow(std::string_view text);

// `text` in colour if stdout takes it.
enum class Colour { kCyan = 36, kMagenta = 35 };
std::string OnStdout(Colour colour, std::string_view text);

// A line "label [#####.....] 42%" on stderr that redraws itself; nothing at
// all when stderr is no terminal.
class ProgressBar {
 public:
  explicit ProgressBar(std::string label);
  ~ProgressBar() { Clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  // fraction in [0, 1]. Safe from one thread at a time.
  // `tail` stands behind the bar, e.g. "1.2 of 3.1 GiB".
  void Update(double fraction, std::string_view tail = "");
  // Removes the line.
  void Clear();

 private:
  std::string label_;
  bool active_;
  int shown_ = -1;  // tenths of a percent
  std::string tail_;
};

// Everything on stdin until its end. When nothing comes for a while, says on
// stderr that the program waits.
std::string ReadStdin();

}  // namespace carat

#endif  // CARAT_CLI_TERMINAL_H_
