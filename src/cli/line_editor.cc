#include "cli/line_editor.h"

#include <histedit.h>
#include <poll.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cwchar>
#include <filesystem>

#include "cli/interrupt.h"
#include "cli/terminal.h"

namespace carat {
namespace {

constexpr int kHistoryLines = 1000;
constexpr char kEndOfTransmission = 4;  // Ctrl-D

class PipeReader : public LineEditor {
 public:
  LineEnd Read(const std::string&, std::string* line) override {
    line->clear();
    char* buffer = nullptr;
    size_t capacity = 0;
    const ssize_t n = getline(&buffer, &capacity, stdin);
    if (n > 0) line->assign(buffer, static_cast<size_t>(n));
    std::free(buffer);
    if (n <= 0) {
      return InterruptGuard::Interrupted() ? LineEnd::kInterrupted
                                           : LineEnd::kEndOfInput;
    }
    if (line->ends_with('\n')) line->pop_back();
    if (line->ends_with('\r')) line->pop_back();
    return LineEnd::kLine;
  }
  void Remember(const std::string&) override {}
  bool interactive() const override { return false; }
};

// The prompt that libedit asks back for; it has no place for user data in the
// callback but the editor itself.
const char* PromptOf(EditLine* editor) {
  void* data = nullptr;
  el_get(editor, EL_CLIENTDATA, &data);
  return data == nullptr ? "" : static_cast<std::string*>(data)->c_str();
}
char* PromptCallback(EditLine* editor) {
  return const_cast<char*>(PromptOf(editor));
}

// Waits until a byte can be read; false on Ctrl-C. The signal is let in only
// while waiting, so that none is lost between the look and the wait.
bool WaitForInput() {
  sigset_t blocked, old;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGINT);
  sigaddset(&blocked, SIGTERM);
  sigprocmask(SIG_BLOCK, &blocked, &old);
  pollfd wait = {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  while (!InterruptGuard::Interrupted() && ppoll(&wait, 1, nullptr, &old) < 0 &&
         errno == EINTR) {
  }
  sigprocmask(SIG_SETMASK, &old, nullptr);
  return !InterruptGuard::Interrupted();
}

// One character of the terminal. libedit's own reader tries again after a
// signal; this one ends the line on Ctrl-C.
int ReadCharacter(EditLine*, wchar_t* out) {
  std::mbstate_t state = {};
  for (;;) {
    if (!WaitForInput()) return 0;
    char byte = 0;
    const ssize_t n = read(STDIN_FILENO, &byte, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 ? -1 : 0;
    // Ctrl-D typed while an answer came, before the terminal was raw: the
    // line discipline keeps it as a NUL.
    if (byte == '\0') byte = kEndOfTransmission;
    const size_t used = std::mbrtowc(out, &byte, 1, &state);
    if (used == static_cast<size_t>(-2)) continue;  // more bytes to come
    if (used == static_cast<size_t>(-1)) {
      state = {};
      continue;
    }
    return 1;
  }
}

class TerminalReader : public LineEditor {
 public:
  explicit TerminalReader(const std::string& history_file)
      : history_file_(history_file) {
    editor_ = el_init("carat", stdin, stdout, stderr);
    history_ = history_init();
    if (editor_ == nullptr || history_ == nullptr) return;
    HistEvent event;
    history(history_, &event, H_SETSIZE, kHistoryLines);
    history(history_, &event, H_SETUNIQUE, 1);
    if (!history_file_.empty()) {
      history(history_, &event, H_LOAD, history_file_.c_str());
    }
    el_set(editor_, EL_CLIENTDATA, &prompt_);
    el_set(editor_, EL_PROMPT, PromptCallback);
    el_set(editor_, EL_EDITOR, "emacs");
    el_set(editor_, EL_HIST, history, history_);
    el_set(editor_, EL_GETCFN, ReadCharacter);
    el_set(editor_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    el_source(editor_, nullptr);  // the person's ~/.editrc
  }
  ~TerminalReader() override {
    Save();
    if (editor_ != nullptr) el_end(editor_);
    if (history_ != nullptr) history_end(history_);
  }

  bool ready() const { return editor_ != nullptr && history_ != nullptr; }

  LineEnd Read(const std::string& prompt, std::string* line) override {
    line->clear();
    prompt_ = prompt;
    errno = 0;
    InterruptGuard guard;
    // libedit shows the prompt first and makes the terminal raw after it: a
    // key pressed in between would be taken as in a cooked line.
    el_set(editor_, EL_PREP_TERM, 1);
    int count = 0;
    const char* text = el_gets(editor_, &count);
    if (InterruptGuard::Interrupted()) {
      el_reset(editor_);
      // What was typed and not read yet goes with the line, as it does when
      // the terminal itself turns Ctrl-C into the signal.
      tcflush(STDIN_FILENO, TCIFLUSH);
      Print("\n");
      return LineEnd::kInterrupted;
    }
    if (text == nullptr || count <= 0) {
      Print("\n");
      return LineEnd::kEndOfInput;
    }
    line->assign(text, static_cast<size_t>(count));
    if (line->ends_with('\n')) line->pop_back();
    return LineEnd::kLine;
  }

  void Remember(const std::string& entry) override {
    if (entry.empty()) return;
    HistEvent event;
    history(history_, &event, H_ENTER, entry.c_str());
    Save();
  }
  bool interactive() const override { return true; }

 private:
  void Save() {
    if (history_ == nullptr || history_file_.empty()) return;
    // What people type is theirs: nobody else may read it.
    const mode_t old = umask(077);
    HistEvent event;
    history(history_, &event, H_SAVE, history_file_.c_str());
    umask(old);
  }

  std::string history_file_;
  std::string prompt_;
  EditLine* editor_ = nullptr;
  History* history_ = nullptr;
};

// libedit reads characters by the locale: without a UTF-8 one, what people
// type beyond ASCII would arrive in pieces.
void UseUtf8() {
  const char* set = std::setlocale(LC_CTYPE, "");
  if (set == nullptr || MB_CUR_MAX == 1) std::setlocale(LC_CTYPE, "C.UTF-8");
}

}  // namespace

std::unique_ptr<LineEditor> LineEditor::Create(
    const std::string& history_file) {
  if (!StdinIsTerminal() || !StdoutIsTerminal()) {
    return std::make_unique<PipeReader>();
  }
  UseUtf8();
  if (!history_file.empty()) {
    std::error_code ignored;
    std::filesystem::create_directories(
        std::filesystem::path(history_file).parent_path(), ignored);
  }
  auto reader = std::make_unique<TerminalReader>(history_file);
  if (!reader->ready()) return std::make_unique<PipeReader>();
  return reader;
}

}  // namespace carat
