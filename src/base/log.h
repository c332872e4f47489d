// Levelled log lines for people who run carat. The threshold comes from
// CARAT_LOG (debug, info, warning, error or off; warning when unset) and lines
// go to stderr until a program sets another sink. Safe from any thread: the
// sink is called by one thread at a time. Never log prompts or answers.
#ifndef CARAT_BASE_LOG_H_
#define CARAT_BASE_LOG_H_

#include <fmt/core.h>

#include <functional>
#include <optional>
#include <string_view>
#include <utility>

namespace carat {

enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };

const char* LogLevelName(LogLevel level);
std::optional<LogLevel> ParseLogLevel(std::string_view name);

void SetLogLevel(LogLevel level);
bool LogEnabled(LogLevel level);

// The line comes without a newline and without its level.
using LogSink = std::function<void(LogLevel level, std::string_view line)>;
// An empty function brings back stderr.
void SetLogSink(LogSink sink);

// Hands one line to the sink if `level` is enabled.
void LogLine(LogLevel level, std::string_view line);

// Log(LogLevel::kInfo, "read {} tensors", n): formats only when enabled.
template <typename... Args>
void Log(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  if (!LogEnabled(level)) return;
  LogLine(level, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace carat

#endif  // CARAT_BASE_LOG_H_
