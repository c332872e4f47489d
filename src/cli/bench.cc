#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "cli/command.h"
#include "cli/engine_options.h"
#include "cli/interrupt.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "kernels/attention.h"
#include "kernels/cpu.h"

namespace carat {
namespace {

struct BenchArguments {
  EngineArguments engine;
  std::string prefill = "128,512,2048";
  std::string depths = "0,2048";
  std::string rows = "1";
  std::string threads;
  int64_t decode_tokens = 32;
  int repeats = 3;
  bool json = false;
};

struct Plan {
  std::vector<int64_t> prefill, depths, rows, threads;
};

struct Measured {
  Engine::Timed what;
  int threads = 0;
  std::vector<double> seconds;

  bool is_prefill() const { return what.prompt > 0; }
  double tokens() const {
    return static_cast<double>(is_prefill() ? what.prompt
                                            : what.decode * what.rows);
  }
  double median_speed() const { return tokens() / Median(seconds); }
  double best_speed() const {
    return tokens() / *std::min_element(seconds.begin(), seconds.end());
  }
  double worst_speed() const {
    return tokens() / *std::max_element(seconds.begin(), seconds.end());
  }
};

Status ReadList(const char* option, const std::string& text, int64_t least,
                std::vector<int64_t>* out) {
  if (text == "none") return OkStatus();
  const bool good = ParseNumberList(text, out);
  if (good && *std::min_element(out->begin(), out->end()) >= least) {
    return OkStatus();
  }
  return InvalidArgument(fmt::format(
      "{} is \"{}\"; expected numbers from {} on between commas, such as "
      "128,512, or none.",
      option, text, least));
}

Result<Plan> MakePlan(const BenchArguments& arguments) {
  Plan plan;
  CARAT_RETURN_IF_ERROR(
      ReadList("--prefill", arguments.prefill, 1, &plan.prefill));
  CARAT_RETURN_IF_ERROR(
      ReadList("--decode-at", arguments.depths, 0, &plan.depths));
  CARAT_RETURN_IF_ERROR(ReadList("--rows", arguments.rows, 1, &plan.rows));
  if (arguments.threads.empty()) {
    plan.threads = {0};
  } else {
    CARAT_RETURN_IF_ERROR(
        ReadList("--threads", arguments.threads, 1, &plan.threads));
  }
  if (plan.rows.empty()) plan.rows = {1};
  return plan;
}

std::vector<Engine::Timed> Jobs(const BenchArguments& arguments,
                                const Plan& plan) {
  std::vector<Engine::Timed> out;
  for (const int64_t tokens : plan.prefill) out.push_back({.prompt = tokens});
  for (const int64_t depth : plan.depths) {
    for (const int64_t rows : plan.rows) {
      out.push_back({.depth = depth,
                     .decode = arguments.decode_tokens,
                     .rows = static_cast<int>(rows)});
    }
  }
  return out;
}

// Each sequence has pages of its own.
int64_t WholePages(int64_t tokens) {
  return (tokens + kKvTile - 1) / kKvTile * kKvTile;
}

int64_t ContextFor(const std::vector<Engine::Timed>& jobs) {
  int64_t longest = 1;
  for (const Engine::Timed& job : jobs) {
    // The sequences share the context's pages.
    longest = std::max(longest, job.rows * WholePages(job.depth + job.prompt +
                                                      job.decode + 1));
  }
  return longest;
}

Json ToJson(const Measured& m) {
  Json seconds = Json::MakeArray();
  for (const double value : m.seconds) seconds.Append(value);
  Json out = Json::MakeObject();
  out.Set("kind", m.is_prefill() ? "prefill" : "decode");
  out.Set("threads", m.threads);
  out.Set("tokens", m.is_prefill() ? m.what.prompt : m.what.decode);
  out.Set("depth", m.what.depth);
  out.Set("rows", m.what.rows);
  out.Set("tokens_per_second", m.median_speed());
  out.Set("seconds", std::move(seconds));
  return out;
}

void AddRow(const Measured& m, Table* table) {
  table->Row(
      {m.is_prefill() ? "prefill" : "decode", fmt::format("{}", m.threads),
       fmt::format("{}", m.is_prefill() ? m.what.prompt : m.what.decode),
       fmt::format("{}", m.what.depth), fmt::format("{}", m.what.rows),
       fmt::format("{:.2f}", m.median_speed()),
       fmt::format("{:.2f} to {:.2f}", m.worst_speed(), m.best_speed())});
}

class Bench {
 public:
  explicit Bench(const BenchArguments& arguments) : arguments_(arguments) {}

  Status Run(const Plan& plan);
  void PrintResults() const;

 private:
  Status RunWith(int threads, const std::vector<Engine::Timed>& jobs);
  Result<Measured> Measure(Engine& engine, const Engine::Timed& job);

  const BenchArguments& arguments_;
  std::vector<Measured> results_;
  Json loads_ = Json::MakeArray();
};

Result<Measured> Bench::Measure(Engine& engine, const Engine::Timed& job) {
  Measured out{.what = job, .threads = engine.threads()};
  for (int i = 0; i < arguments_.repeats; ++i) {
    if (InterruptGuard::Interrupted()) {
      return Status(StatusCode::kCancelled, "Stopped.");
    }
    CARAT_ASSIGN_OR_RETURN(const double seconds, engine.Time(job));
    out.seconds.push_back(std::max(seconds, 1e-9));
  }
  return out;
}

Status Bench::RunWith(int threads, const std::vector<Engine::Timed>& jobs) {
  EngineArguments engine_arguments = arguments_.engine;
  engine_arguments.threads = threads;
  if (engine_arguments.context_tokens == 0) {
    engine_arguments.context_tokens = ContextFor(jobs);
  }
  CARAT_ASSIGN_OR_RETURN(auto engine, LoadEngine(engine_arguments));
  InterruptGuard guard;
  // Warms caches and the pool; not counted.
  CARAT_RETURN_IF_ERROR(engine->Time({.prompt = 16}).status());
  ProgressBar bar(fmt::format("{} threads", engine->threads()));
  for (size_t i = 0; i < jobs.size(); ++i) {
    CARAT_ASSIGN_OR_RETURN(Measured measured, Measure(*engine, jobs[i]));
    results_.push_back(std::move(measured));
    if (!arguments_.engine.quiet) {
      bar.Update(static_cast<double>(i + 1) / static_cast<double>(jobs.size()));
    }
  }
  Json load = Json::MakeObject();
  load.Set("threads", engine->threads());
  load.Set("context_tokens", engine->context_tokens());
  load.Set("seconds", engine->load_seconds());
  load.Set("weights_bytes", engine->plan().weights_bytes);
  load.Set("planned_bytes", engine->plan().total_bytes());
  load.Set("peak_bytes", PeakMemoryBytes());
  loads_.Append(std::move(load));
  return OkStatus();
}

Status Bench::Run(const Plan& plan) {
  const std::vector<Engine::Timed> jobs = Jobs(arguments_, plan);
  for (const int64_t threads : plan.threads) {
    CARAT_RETURN_IF_ERROR(RunWith(static_cast<int>(threads), jobs));
  }
  return OkStatus();
}

void Bench::PrintResults() const {
  if (arguments_.json) {
    Json results = Json::MakeArray();
    for (const Measured& m : results_) results.Append(ToJson(m));
    Json out = Json::MakeObject();
    out.Set("carat", CARAT_VERSION);
    out.Set("model", arguments_.engine.model);
    out.Set("isa", IsaName(ActiveIsa()));
    out.Set("kv", arguments_.engine.kv);
    out.Set("repeats", arguments_.repeats);
    out.Set("results", std::move(results));
    out.Set("loads", loads_);
    Print(out.Dump(2) + "\n");
    return;
  }
  Table table({Align::kLeft, Align::kRight, Align::kRight, Align::kRight,
               Align::kRight, Align::kRight, Align::kRight});
  table.Row({"TEST", "THREADS", "TOKENS", "DEPTH", "ROWS", "TOKENS/S",
             "WORST TO BEST"});
  for (const Measured& m : results_) AddRow(m, &table);
  Print(table.ToString());
  for (const Json& load : loads_.as_array()) {
    Print(fmt::format(
        "{} threads: loaded in {:.2f} s, memory {} planned, {} at most\n",
        load.Find("threads")->as_int(), load.Find("seconds")->as_double(),
        HumanBytes(static_cast<uint64_t>(load.Find("planned_bytes")->as_int())),
        HumanBytes(static_cast<uint64_t>(load.Find("peak_bytes")->as_int()))));
  }
}

int RunBench(const BenchArguments& arguments) {
  const Result<Plan> plan = MakePlan(arguments);
  if (!plan.ok()) return FailUsage(plan.status().message());
  Bench bench(arguments);
  const Status status = bench.Run(*plan);
  if (!status.ok()) return Fail(status);
  bench.PrintResults();
  return kExitOk;
}

}  // namespace

void AddBenchCommand(CLI::App& app, CommandMain* chosen) {
  CLI::App* command =
      app.add_subcommand("bench", "Measure the speed of a model");
  auto a = std::make_shared<BenchArguments>();
  AddModelOptions(*command, &a->engine);
  command->remove_option(command->get_option("--threads"));
  command->add_option("--threads", a->threads,
                      "Numbers of threads, \"1,2\"; default: all CPUs");
  command
      ->add_option("--prefill", a->prefill,
                   "Lengths of prompts to read, or none")
      ->capture_default_str();
  command
      ->add_option("--decode-at", a->depths,
                   "Depths of context to generate at, or none")
      ->capture_default_str();
  command->add_option("--decode-tokens", a->decode_tokens, "Tokens to generate")
      ->check(CLI::Range(int64_t{1}, int64_t{100000}).description(""))
      ->capture_default_str();
  command->add_option("--rows", a->rows, "Sequences that generate at once")
      ->capture_default_str();
  command->add_option("--repeats", a->repeats, "Runs of each; medians count")
      ->check(CLI::Range(1, 1000).description(""))
      ->capture_default_str();
  command->add_flag("--json", a->json, "One JSON object");
  AddNoiseOptions(*command, &a->engine);
  command->footer(
      "Examples:\n"
      "  carat bench gemma3:270m\n"
      "  carat bench gemma3:1b --threads 1,2,4 --prefill 512 --decode-at 0\n"
      "  carat bench gemma3:1b --prefill none --rows 1,2,4,8 --json");
  command->callback([a, chosen] { *chosen = [a] { return RunBench(*a); }; });
}

}  // namespace carat
