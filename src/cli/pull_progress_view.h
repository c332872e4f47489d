// Shows a download on stderr: a bar on a terminal, a line now and then
// elsewhere.
#ifndef CARAT_CLI_PULL_PROGRESS_VIEW_H_
#define CARAT_CLI_PULL_PROGRESS_VIEW_H_

#include <chrono>
#include <memory>
#include <string>

#include "cli/terminal.h"
#include "store/hub/pull_progress.h"

namespace carat {

class PullProgressView {
 public:
  // A silent one shows nothing but notes.
  enum class Kind { kShown, kSilent };
  explicit PullProgressView(Kind kind);
  void Show(const PullProgress& progress);
  void Note(const std::string& line);
  // Removes the bar.
  void End();

 private:
  using Clock = std::chrono::steady_clock;
  void Begin(const PullProgress& progress);
  std::string Tail(const PullProgress& progress);

  const Kind kind_;
  const bool terminal_;
  std::string file_;  // whose bar or lines are shown
  std::unique_ptr<ProgressBar> bar_;
  Clock::time_point start_, drawn_;
  uint64_t start_bytes_ = 0;
  uint64_t last_bytes_ = 0;
  int tenth_ = -1;  // of the file, shown last
};

}  // namespace carat

#endif  // CARAT_CLI_PULL_PROGRESS_VIEW_H_
