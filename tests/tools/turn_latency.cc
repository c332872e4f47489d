// Measures what the prompt cache is for, on a real model:
//   turn_latency MODEL [THREADS]
// 1. An agent's second turn: 20,500 tokens of which 20,000 were the first
//    turn's, in memory and after a restart from disk, against a cold run of the
//    500 new tokens at that depth and of everything.
// 2. The wait between two tokens of a stream while another's long prompt is
//    read, with whole and with smaller steps.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "runtime/engine.h"

namespace carat {
namespace {

using Clock = std::chrono::steady_clock;

std::unique_ptr<Engine> Load(const EngineOptions& options) {
  auto engine = Engine::Load(options);
  if (!engine.ok()) {
    fmt::print(stderr, "{}\n", engine.status().message());
    std::exit(1);
  }
  return std::move(engine).value();
}

GenerateRequest Ask(int64_t tokens, uint32_t seed, int64_t max_tokens) {
  GenerateRequest request;
  request.prompt_tokens.push_back(2);
  uint32_t state = 12345;
  while (static_cast<int64_t>(request.prompt_tokens.size()) < tokens) {
    if (request.prompt_tokens.size() == 20000) state = seed;
    state = state * 1664525u + 1013904223u;
    request.prompt_tokens.push_back(
        static_cast<int32_t>(1000 + state % 200000));
  }
  request.max_tokens = max_tokens;
  request.ignore_end = true;
  request.sampling.temperature = 0;
  return request;
}

Done Run(Engine& engine, const GenerateRequest& request) {
  const auto done =
      engine.Generate(request, [](const GenerateEvent&) { return true; });
  if (!done.ok()) {
    fmt::print(stderr, "{}\n", done.status().message());
    std::exit(1);
  }
  return *done;
}

void Report(const std::string& what, const Done& done) {
  fmt::print("{:34} {:6} of {:6} tokens cached, first token after {:8.0f} ms\n",
             what, done.usage.cached_tokens, done.usage.prompt_tokens,
             done.timings.first_token_ms);
  std::fflush(stdout);
}

void MeasureTurns(EngineOptions options, const std::string& folder) {
  options.cache_dir = folder;
  {
    auto engine = Load(options);
    Report("first turn, cold", Run(*engine, Ask(20000, 0, 1)));
    for (uint32_t turn = 1; turn <= 3; ++turn) {
      Report("second turn", Run(*engine, Ask(20500, turn, 1)));
    }
    const auto alone = engine->Time({.depth = 20000, .prompt = 500});
    if (alone.ok()) {
      fmt::print("{:34} {:52.0f} ms\n", "500 tokens behind 20,000, no cache",
                 1000 * alone->seconds);
    }
  }
  auto engine = Load(options);
  Report("second turn after a restart", Run(*engine, Ask(20500, 9, 1)));
  const EngineStats stats = engine->stats();
  fmt::print("{} pages read, folder {} MiB\n", stats.disk_reads,
             stats.disk_bytes >> 20);
}

void MeasureStall(EngineOptions options, int64_t busy_step_tokens) {
  options.busy_step_tokens = busy_step_tokens;
  auto engine = Load(options);
  auto stream = std::move(engine->Submit(Ask(10, 1, 400))).value();
  std::vector<double> waits;
  std::unique_ptr<GenerationHandle> reader;
  double read_ms = 0;
  auto last = Clock::now();
  for (int tokens = 0;; ++tokens) {
    const GenerateEvent event = stream->Next();
    if (std::holds_alternative<Done>(event)) break;
    const auto now = Clock::now();
    const double wait =
        std::chrono::duration<double, std::milli>(now - last).count();
    last = now;
    if (tokens == 20) {
      reader = std::move(engine->Submit(Ask(8000, 2, 1))).value();
    } else if (reader != nullptr) {
      GenerateEvent other;
      if (reader->NextFor(0, &other) && std::holds_alternative<Done>(other)) {
        read_ms = std::get<Done>(other).timings.first_token_ms;
        break;
      }
      waits.push_back(wait);
    }
  }
  if (waits.empty() || read_ms == 0) return;
  std::sort(waits.begin(), waits.end());
  fmt::print(
      "prompt steps of {:3}: the stream's tokens {:4.0f} ms apart (median), "
      "{:4.0f} at most; 8,000 tokens read in {:5.0f} ms\n",
      busy_step_tokens, waits[waits.size() / 2], waits.back(), read_ms);
  std::fflush(stdout);
}

}  // namespace
}  // namespace carat

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: turn_latency MODEL [THREADS]\n");
    return 2;
  }
  const carat::EngineOptions options = {
      .model_path = argv[1], .threads = argc > 2 ? std::atoi(argv[2]) : 0};
  const std::string folder =
      (std::filesystem::temp_directory_path() / "carat-turn-latency").string();
  std::filesystem::remove_all(folder);
  carat::MeasureTurns(options, folder);
  std::filesystem::remove_all(folder);
  for (const int64_t rows : {512, 256, 128, 64}) {
    carat::MeasureStall(options, rows);
  }
  return 0;
}
