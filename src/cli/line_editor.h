// Reads lines that a person types: with editing and history on a terminal,
// plainly from a pipe.
#ifndef CARAT_CLI_LINE_EDITOR_H_
#define CARAT_CLI_LINE_EDITOR_H_

#include <memory>
#include <optional>
#include <string>

namespace carat {

enum class LineEnd {
  kLine,
  kEndOfInput,   // Ctrl-D or the end of the pipe
  kInterrupted,  // Ctrl-C
};

class LineEditor {
 public:
  virtual ~LineEditor() = default;
  // Reads one line, without its newline. `prompt` is shown on terminals only.
  virtual LineEnd Read(const std::string& prompt, std::string* line) = 0;
  // Adds an entry (may have several lines) to the history.
  virtual void Remember(const std::string& entry) = 0;
  virtual bool interactive() const = 0;

  // `history_file` may be empty: no history is kept then.
  static std::unique_ptr<LineEditor> Create(const std::string& history_file);
};

}  // namespace carat

#endif  // CARAT_CLI_LINE_EDITOR_H_
