#include "cli/pull_progress_view.h"

#include <fmt/format.h>

#include "base/utf8.h"
#include "cli/text.h"

namespace carat {
namespace {

constexpr auto kDrawEvery = std::chrono::milliseconds(100);
constexpr size_t kLabelBytes = 40;

// The end of a long name says more than its start.
std::string Label(const std::string& file) {
  std::string name = file.substr(file.rfind('/') + 1);
  if (name.size() > kLabelBytes) {
    name = "..." + name.substr(name.size() - kLabelBytes);
  }
  return Visible(SanitizeUtf8(name));
}

}  // namespace

PullProgressView::PullProgressView(Kind kind)
    : kind_(kind), terminal_(StderrIsTerminal()) {}

void PullProgressView::Begin(const PullProgress& progress) {
  End();
  file_ = progress.file;
  start_ = drawn_ = Clock::now();
  start_bytes_ = last_bytes_ = progress.done_bytes;
  tenth_ = -1;
  if (terminal_) bar_ = std::make_unique<ProgressBar>(Label(file_));
}

std::string PullProgressView::Tail(const PullProgress& progress) {
  const double seconds =
      std::chrono::duration<double>(Clock::now() - start_).count();
  std::string out = fmt::format("{} of {}", HumanBytes(progress.done_bytes),
                                HumanBytes(progress.total_bytes));
  if (seconds > 0.5 && progress.done_bytes > start_bytes_) {
    const double speed =
        static_cast<double>(progress.done_bytes - start_bytes_) / seconds;
    out += fmt::format(", {}/s", HumanBytes(static_cast<uint64_t>(speed)));
  }
  return out;
}

void PullProgressView::Show(const PullProgress& progress) {
  if (kind_ == Kind::kSilent || progress.file.empty()) return;
  if (progress.file != file_) Begin(progress);
  // Begun anew: the speed is that of the new attempt.
  if (progress.done_bytes < last_bytes_) {
    start_ = Clock::now();
    start_bytes_ = progress.done_bytes;
  }
  last_bytes_ = progress.done_bytes;
  const bool finished = progress.done_bytes == progress.total_bytes;
  const double fraction = progress.total_bytes == 0
                              ? 1
                              : static_cast<double>(progress.done_bytes) /
                                    static_cast<double>(progress.total_bytes);
  if (terminal_) {
    if (!finished && Clock::now() - drawn_ < kDrawEvery) return;
    drawn_ = Clock::now();
    bar_->Update(fraction, Tail(progress));
    return;
  }
  const int tenth = static_cast<int>(fraction * 10);
  if (tenth == tenth_ || (tenth == 0 && !finished)) return;
  tenth_ = tenth;
  PrintNote(
      fmt::format("{}: {}% ({})", Label(file_), tenth * 10, Tail(progress)));
}

void PullProgressView::Note(const std::string& line) {
  if (bar_ != nullptr) bar_->Clear();
  PrintNote("carat: note: " + Visible(line));
}

void PullProgressView::End() {
  bar_.reset();
  file_.clear();
}

}  // namespace carat
