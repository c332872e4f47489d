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
#include "cli/machine.h"
#include "cli/model_argument.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "kernels/attention.h"
#include "kernels/cpu.h"
#include "kernels/machine_peak.h"
#include "runtime/memory_plan.h"

namespace carat {
namespace {

struct BenchArguments {
  EngineArguments engine;
  std::string prefill = "128,512,2048,8192";
  std::string depths = "0,2048,8192,16384";
  std::string rows = "1,2,4,8";
  std::string threads;
  int64_t decode_tokens = 32;
  int repeats = 3;
  bool machine = true;
  bool json = false;
};

struct Plan {
  std::vector<int64_t> prefill, depths, rows, threads;
};

struct Measured {
  Engine::Timed what;
  int threads = 0;
  std::vector<double> seconds;
  // Bytes a second at which the weights could be read around each run; decode.
  std::vector<double> read_speeds;
  // What the runs reach of the machine's peak, the median: of multiply-adds of
  // 8-bit integers for prefill, of reading the weights for decode. 0: unknown.
  double share = 0;

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
      if (rows != plan.rows[0] && depth != plan.depths[0]) continue;
      out.push_back({.depth = depth,
                     .decode = arguments.decode_tokens,
                     .rows = static_cast<int>(rows)});
    }
  }
  return out;
}

std::string NameOf(const Engine::Timed& job) {
  if (job.prompt > 0) return fmt::format("prefill of {}", job.prompt);
  return fmt::format("decode at {} with {} row{}", job.depth, job.rows,
                     job.rows == 1 ? "" : "s");
}

// Each sequence has pages of its own.
int64_t WholePages(int64_t tokens) {
  return (tokens + kKvTile - 1) / kKvTile * kKvTile;
}

// The sequences share the context's pages.
int64_t ContextFor(const Engine::Timed& job) {
  return job.rows * WholePages(job.depth + job.prompt + job.decode + 1);
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
  if (m.share > 0) {
    out.Set("limit", m.is_prefill() ? "int8" : "read");
    out.Set("share_of_limit", m.share);
  }
  out.Set("seconds", std::move(seconds));
  if (!m.is_prefill()) {
    out.Set("read_bytes_per_second", Median(m.read_speeds));
  }
  return out;
}

void AddRow(const Measured& m, Table* table) {
  table->Row({m.is_prefill() ? "prefill" : "decode",
              fmt::format("{}", m.threads),
              fmt::format("{}", m.is_prefill() ? m.what.prompt : m.what.decode),
              fmt::format("{}", m.what.depth), fmt::format("{}", m.what.rows),
              fmt::format("{:.2f}", m.median_speed()),
              fmt::format("{:.2f} to {:.2f}", m.worst_speed(), m.best_speed()),
              m.share > 0 ? fmt::format("{:.0f}% of {}", m.share * 100,
                                        m.is_prefill() ? "int8" : "read")
                          : std::string("-")});
}

// The part of what the memory gave at the time that the steps' weights made up.
// A step of several rows reads them once, but for a mixture's.
double ReadShare(const Measured& m, const TokenWork& work) {
  std::vector<double> shares;
  for (size_t i = 0; i < m.seconds.size(); ++i) {
    if (m.read_speeds[i] <= 0) return 0;
    const double bytes = static_cast<double>(m.what.decode) *
                         static_cast<double>(work.decode_bytes);
    shares.push_back(bytes / m.seconds[i] / m.read_speeds[i]);
  }
  return Median(shares);
}

// Reads the model once, so that loading finds it in the page cache as it would
// the second time.
void WarmPageCache(const ModelFile& file) {
  constexpr size_t kPage = 4096;
  unsigned sum = 0;
  for (const TensorView& tensor : file.tensors()) {
    file.WillNeed(tensor);
    for (size_t at = 0; at < tensor.bytes; at += kPage) sum += tensor.data[at];
    file.Release(tensor);
  }
  [[maybe_unused]] volatile unsigned sink = sum;
}

class Bench {
 public:
  explicit Bench(const BenchArguments& arguments) : arguments_(arguments) {}

  Status Run(const Plan& plan);
  void PrintResults() const;

 private:
  // The jobs that the model's context and the memory hold, and the context
  // that they need.
  Status Choose(const Plan& plan);
  Status RunWith(int threads);
  Result<Measured> Measure(Engine& engine, const Engine::Timed& job);
  void AddLoad(const Engine& engine);
  // Compares with what the machine can do with as many threads.
  void Compare(int threads, const TokenWork& work);
  Json ReportJson() const;

  const BenchArguments& arguments_;
  std::vector<Engine::Timed> jobs_;
  int64_t context_tokens_ = 1;
  std::vector<std::string> skipped_;
  std::vector<Measured> results_;
  Json loads_ = Json::MakeArray();
  Json machine_ = Json::MakeArray();
  Json work_ = Json::MakeObject();
};

Status Bench::Choose(const Plan& plan) {
  const EngineArguments& a = arguments_.engine;
  CARAT_ASSIGN_OR_RETURN(const std::string path, FindModel(a.model));
  CARAT_ASSIGN_OR_RETURN(const auto file, ModelFile::Open(path));
  int64_t most = a.context_tokens;
  if (most == 0) {
    const int threads = plan.threads.back() > 0
                            ? static_cast<int>(plan.threads.back())
                            : ThreadPool::DefaultThreads();
    CARAT_ASSIGN_OR_RETURN(
        const MemoryPlan memory,
        PlanMemory(*file, {.kv_type = a.kv_type(), .threads = threads}));
    most = memory.context_tokens;
  }
  for (const Engine::Timed& job : Jobs(arguments_, plan)) {
    const int64_t needed = ContextFor(job);
    if (needed > most) {
      skipped_.push_back(fmt::format(
          "{}: needs a context of {}, {} holds {}", NameOf(job),
          Grouped(needed), a.context_tokens > 0 ? "--ctx" : "this model here",
          Grouped(most)));
      if (!a.quiet) PrintNote("carat: skipped " + skipped_.back());
      continue;
    }
    jobs_.push_back(job);
    context_tokens_ = std::max(context_tokens_, needed);
  }
  if (a.context_tokens > 0) context_tokens_ = a.context_tokens;
  WarmPageCache(*file);
  return OkStatus();
}

Result<Measured> Bench::Measure(Engine& engine, const Engine::Timed& job) {
  Measured out{.what = job, .threads = engine.threads()};
  for (int i = 0; i < arguments_.repeats; ++i) {
    if (InterruptGuard::Interrupted()) {
      return Status(StatusCode::kCancelled, "Stopped.");
    }
    CARAT_ASSIGN_OR_RETURN(const Engine::Timing timing, engine.Time(job));
    out.seconds.push_back(std::max(timing.seconds, 1e-9));
    out.read_speeds.push_back(timing.read_speed);
  }
  return out;
}

void Bench::AddLoad(const Engine& engine) {
  const LoadReport& report = engine.load_report();
  Json load = Json::MakeObject();
  load.Set("threads", engine.threads());
  load.Set("context_tokens", engine.context_tokens());
  load.Set("seconds", report.seconds);
  load.Set("weights_seconds", report.weights_seconds);
  load.Set("tokenizer_seconds", report.tokenizer_seconds);
  load.Set("packed_cache", KeptName(report.kept));
  load.Set("packed_bytes", report.packed_bytes);
  load.Set("huge_page_bytes", engine.HugePageBytes());
  load.Set("weights_bytes", engine.plan().weights_bytes);
  load.Set("planned_bytes", engine.plan().total_bytes());
  load.Set("peak_bytes", PeakMemoryBytes());
  loads_.Append(std::move(load));
}

void Bench::Compare(int threads, const TokenWork& work) {
  work_.Set("decode_weight_bytes", work.decode_bytes);
  work_.Set("decode_multiply_adds", work.decode_multiply_adds);
  work_.Set("prefill_multiply_adds", work.prefill_multiply_adds);
  for (Measured& m : results_) {
    if (m.threads == threads && !m.is_prefill()) m.share = ReadShare(m, work);
  }
  if (!arguments_.machine) return;
  ThreadPool pool(threads);
  const MachinePeak peak = MeasureMachine(ActiveIsa(), pool);
  Json machine = Json::MakeObject();
  machine.Set("threads", threads);
  machine.Set("read_bytes_per_second", peak.read_bytes);
  machine.Set("int8_operations_per_second", peak.int8_ops);
  machine.Set("int8_instruction", peak.int8_instruction);
  machine_.Append(std::move(machine));
  for (Measured& m : results_) {
    if (m.threads != threads || !m.is_prefill() || peak.int8_ops == 0) continue;
    m.share = m.median_speed() * 2 *
              static_cast<double>(work.prefill_multiply_adds) / peak.int8_ops;
  }
}

Status Bench::RunWith(int threads) {
  EngineArguments engine_arguments = arguments_.engine;
  engine_arguments.threads = threads;
  engine_arguments.context_tokens = context_tokens_;
  CARAT_ASSIGN_OR_RETURN(auto engine, LoadEngine(engine_arguments));
  InterruptGuard guard;
  // Warms caches and the pool; not counted.
  CARAT_RETURN_IF_ERROR(
      engine->Time({.prompt = std::min<int64_t>(16, context_tokens_)})
          .status());
  ProgressBar bar(fmt::format("{} threads", engine->threads()));
  for (size_t i = 0; i < jobs_.size(); ++i) {
    CARAT_ASSIGN_OR_RETURN(Measured measured, Measure(*engine, jobs_[i]));
    results_.push_back(std::move(measured));
    if (!arguments_.engine.quiet) {
      bar.Update(static_cast<double>(i + 1) /
                 static_cast<double>(jobs_.size()));
    }
  }
  bar.Clear();
  AddLoad(*engine);
  const TokenWork work = engine->work();
  const int used = engine->threads();
  engine.reset();  // its threads and its memory are not in the way
  Compare(used, work);
  return OkStatus();
}

Status Bench::Run(const Plan& plan) {
  CARAT_RETURN_IF_ERROR(Choose(plan));
  for (const int64_t threads : plan.threads) {
    CARAT_RETURN_IF_ERROR(RunWith(static_cast<int>(threads)));
  }
  return OkStatus();
}

Json Bench::ReportJson() const {
  Json results = Json::MakeArray();
  for (const Measured& m : results_) results.Append(ToJson(m));
  Json skipped = Json::MakeArray();
  for (const std::string& line : skipped_) skipped.Append(line);
  Json out = Json::MakeObject();
  out.Set("carat", CARAT_VERSION);
  out.Set("model", arguments_.engine.model);
  out.Set("cpu", InspectMachine().cpu);
  out.Set("isa", IsaName(ActiveIsa()));
  out.Set("kv", arguments_.engine.kv);
  out.Set("repeats", arguments_.repeats);
  out.Set("results", std::move(results));
  out.Set("skipped", std::move(skipped));
  out.Set("loads", loads_);
  out.Set("machine", machine_);
  out.Set("per_token", work_);
  return out;
}

void Bench::PrintResults() const {
  if (arguments_.json) {
    Print(ReportJson().Dump(2) + "\n");
    return;
  }
  Table table({Align::kLeft, Align::kRight, Align::kRight, Align::kRight,
               Align::kRight, Align::kRight, Align::kRight, Align::kRight});
  table.Row({"TEST", "THREADS", "TOKENS", "DEPTH", "ROWS", "TOKENS/S",
             "WORST TO BEST", "OF THE LIMIT"});
  for (const Measured& m : results_) AddRow(m, &table);
  Print(table.ToString());
  const auto bytes = [](const Json& json, const char* key) {
    return HumanBytes(static_cast<uint64_t>(json.Find(key)->as_int()));
  };
  for (const Json& load : loads_.as_array()) {
    Print(fmt::format(
        "{} threads: loaded in {:.2f} s, memory {} planned, {} at most; "
        "weights {}, {} of them in huge pages\n",
        load.Find("threads")->as_int(), load.Find("seconds")->as_double(),
        bytes(load, "planned_bytes"), bytes(load, "peak_bytes"),
        bytes(load, "packed_bytes"), bytes(load, "huge_page_bytes")));
  }
  for (const Json& peak : machine_.as_array()) {
    Print(fmt::format(
        "{} threads: the machine reads {:.1f} GB/s and does {:.3f} TOPS of "
        "int8 ({})\n",
        peak.Find("threads")->as_int(),
        peak.Find("read_bytes_per_second")->as_double() / 1e9,
        peak.Find("int8_operations_per_second")->as_double() / 1e12,
        peak.Find("int8_instruction")->as_string()));
  }
  Print(fmt::format(
      "a token: {} of weights and {} multiply-adds in decode, {} multiply-adds "
      "in prefill\n",
      bytes(work_, "decode_weight_bytes"),
      HumanCount(
          static_cast<uint64_t>(work_.Find("decode_multiply_adds")->as_int())),
      HumanCount(static_cast<uint64_t>(
          work_.Find("prefill_multiply_adds")->as_int()))));
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
  command
      ->add_option("--rows", a->rows,
                   "Sequences that generate at once; all but the first number "
                   "at the first depth only")
      ->capture_default_str();
  command->add_option("--repeats", a->repeats, "Runs of each; medians count")
      ->check(CLI::Range(1, 1000).description(""))
      ->capture_default_str();
  command->add_flag("!--no-machine", a->machine,
                    "Do not measure what the machine reads and multiplies");
  command->add_flag("--json", a->json, "One JSON object");
  AddPackedCacheOptions(*command, &a->engine);
  AddNoiseOptions(*command, &a->engine);
  command->footer(
      "A test that needs a longer context than the model or the memory has is "
      "left out.\n"
      "OF THE LIMIT compares prefill with the machine's int8 multiply-adds and "
      "decode\nwith what it reads from memory (docs/benchmarks.md).\n"
      "\n"
      "Examples:\n"
      "  carat bench gemma3:270m\n"
      "  carat bench gemma3:1b --threads 1,2,4 --prefill 512 --decode-at 0\n"
      "  carat bench gemma3:1b --prefill none --rows 1,2,4,8 --json");
  command->callback([a, chosen] { *chosen = [a] { return RunBench(*a); }; });
}

}  // namespace carat
