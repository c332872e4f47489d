#include "cli/tool_command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

#include "base/utf8.h"
#include "cli/interrupt.h"

namespace carat {
namespace {

using Clock = std::chrono::steady_clock;

// How often a program that closed its output is looked at.
constexpr int kPollMs = 20;
// A process that outlives the program may hold its output open this long.
constexpr auto kLinger = std::chrono::milliseconds(200);
constexpr size_t kMaxErrorBytes = 2000;

class Descriptor {
 public:
  Descriptor() = default;
  ~Descriptor() { Close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  void Set(int fd) { fd_ = fd; }
  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
};

struct Pipe {
  Descriptor read, write;
  bool Open() {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) return false;
    read.Set(fds[0]);
    write.Set(fds[1]);
    return true;
  }
};

class ToolProcess {
 public:
  ToolProcess(const ToolCommand& command, std::string_view input)
      : command_(command), input_(input) {}
  ~ToolProcess() { Kill(); }

  Status Start();
  ToolOutput Wait();

 private:
  void Kill();
  bool Exited();
  void Move();  // bytes both ways, as far as they go within kPollMs
  void Feed();
  // Appends what can be read; closes at the end of the pipe.
  void Drain(Descriptor* fd, std::string* to, size_t limit, bool* cut);

  const ToolCommand& command_;
  std::string_view input_;
  Pipe in_, out_, err_;
  pid_t pid_ = -1;
  bool exited_ = false;
  int status_ = 0;
  ToolOutput output_;
};

Status ToolProcess::Start() {
  if (!in_.Open() || !out_.Open() || !err_.Open()) {
    return ResourceExhausted(
        fmt::format("A pipe cannot be made: {}.", std::strerror(errno)));
  }
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, in_.read.get(), 0);
  posix_spawn_file_actions_adddup2(&files, out_.write.get(), 1);
  posix_spawn_file_actions_adddup2(&files, err_.write.get(), 2);
  posix_spawn_file_actions_addclosefrom_np(&files, 3);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);  // carat ignores it; a child would inherit
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP |
                                            POSIX_SPAWN_SETSIGMASK |
                                            POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> argv;
  for (const std::string& word : command_.argv) {
    argv.push_back(const_cast<char*>(word.c_str()));
  }
  argv.push_back(nullptr);
  const int error =
      posix_spawnp(&pid_, argv[0], &files, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  in_.read.Close();
  out_.write.Close();
  err_.write.Close();
  if (error != 0) {
    pid_ = -1;
    return NotFound(fmt::format("{} cannot be started: {}.",
                                QuoteForMessage(command_.argv[0], 200),
                                std::strerror(error)));
  }
  for (const Pipe* pipe : {&in_, &out_, &err_}) {
    const int fd = pipe == &in_ ? pipe->write.get() : pipe->read.get();
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  }
  return OkStatus();
}

void ToolProcess::Kill() {
  if (pid_ < 0) return;
  kill(-pid_, SIGKILL);
  if (!exited_) {
    while (waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
    }
  }
  pid_ = -1;
}

bool ToolProcess::Exited() {
  if (!exited_) exited_ = waitpid(pid_, &status_, WNOHANG) == pid_;
  return exited_;
}

void ToolProcess::Feed() {
  if (!in_.write.open()) return;
  while (!input_.empty()) {
    const ssize_t n = write(in_.write.get(), input_.data(), input_.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) break;  // it does not want it
    input_.remove_prefix(static_cast<size_t>(n));
  }
  in_.write.Close();
}

void ToolProcess::Drain(Descriptor* fd, std::string* to, size_t limit,
                        bool* cut) {
  char buffer[65536];
  while (fd->open()) {
    const ssize_t n = read(fd->get(), buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return fd->Close();
    const size_t size = static_cast<size_t>(n);
    const size_t room = limit - std::min(limit, to->size());
    to->append(buffer, std::min(room, size));
    if (size > room) {
      *cut = true;
      return;
    }
  }
}

void ToolProcess::Move() {
  pollfd fds[] = {{in_.write.get(), POLLOUT, 0},
                  {out_.read.get(), POLLIN, 0},
                  {err_.read.get(), POLLIN, 0}};
  poll(fds, 3, kPollMs);
  Feed();
  Drain(&out_.read, &output_.text,
        static_cast<size_t>(command_.max_output_bytes), &output_.cut);
  bool ignored = false;
  std::string errors;
  Drain(&err_.read, &errors, 1 << 20, &ignored);
  output_.errors += errors;
  if (output_.errors.size() > kMaxErrorBytes) {
    output_.errors.erase(0, output_.errors.size() - kMaxErrorBytes);
  }
}

ToolOutput ToolProcess::Wait() {
  InterruptGuard guard;
  const auto end =
      Clock::now() + std::chrono::seconds(command_.timeout_seconds);
  while (!Exited()) {
    output_.timed_out = Clock::now() >= end;
    output_.interrupted = InterruptGuard::Interrupted();
    if (output_.timed_out || output_.interrupted || output_.cut) break;
    Move();
  }
  if (exited_) {
    const auto linger = Clock::now() + kLinger;
    while ((out_.read.open() || err_.read.open()) && !output_.cut &&
           Clock::now() < linger) {
      Move();
    }
  }
  Kill();
  output_.exit_code =
      WIFSIGNALED(status_) ? 128 + WTERMSIG(status_) : WEXITSTATUS(status_);
  return std::move(output_);
}

}  // namespace

Result<ToolOutput> RunToolCommand(const ToolCommand& command,
                                  std::string_view input) {
  ToolProcess process(command, input);
  CARAT_RETURN_IF_ERROR(process.Start());
  return process.Wait();
}

std::string QuoteCommand(const std::vector<std::string>& argv) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
      "_-+=./:,@%^";
  std::string out;
  for (const std::string& word : argv) {
    if (!out.empty()) out += ' ';
    if (!word.empty() && word.find_first_not_of(kPlain) == word.npos) {
      out += word;
      continue;
    }
    out += '\'';
    for (const char c : word) {
      if (c == '\'') {
        out += "'\\''";
      } else {
        out += c;
      }
    }
    out += '\'';
  }
  return out;
}

}  // namespace carat
