#include "base/log.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>

namespace carat {
namespace {

constexpr const char* kNames[] = {"debug", "info", "warning", "error", "off"};

LogLevel LevelFromEnvironment() {
  const char* name = std::getenv("CARAT_LOG");
  if (name == nullptr) return LogLevel::kWarning;
  return ParseLogLevel(name).value_or(LogLevel::kWarning);
}

std::atomic<LogLevel>& Level() {
  static std::atomic<LogLevel> level = LevelFromEnvironment();
  return level;
}

struct SinkState {
  std::mutex mutex;
  LogSink sink;
};

// Never destroyed: threads may still log while the program ends.
SinkState& Sink() {
  static SinkState* state = new SinkState;
  return *state;
}

void WriteToStderr(LogLevel level, std::string_view line) {
  const std::string text =
      fmt::format("carat: {}: {}\n", LogLevelName(level), line);
  std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace

const char* LogLevelName(LogLevel level) {
  return kNames[static_cast<int>(level)];
}

std::optional<LogLevel> ParseLogLevel(std::string_view name) {
  if (name == "warn") return LogLevel::kWarning;
  for (int i = 0; i <= static_cast<int>(LogLevel::kOff); ++i) {
    if (name == kNames[i]) return static_cast<LogLevel>(i);
  }
  return std::nullopt;
}

void SetLogLevel(LogLevel level) { Level() = level; }

bool LogEnabled(LogLevel level) {
  return level != LogLevel::kOff && level >= Level().load();
}

void SetLogSink(LogSink sink) {
  SinkState& state = Sink();
  const std::lock_guard lock(state.mutex);
  state.sink = std::move(sink);
}

void LogLine(LogLevel level, std::string_view line) {
  if (!LogEnabled(level)) return;
  SinkState& state = Sink();
  const std::lock_guard lock(state.mutex);
  if (state.sink) {
    state.sink(level, line);
  } else {
    WriteToStderr(level, line);
  }
}

}  // namespace carat
