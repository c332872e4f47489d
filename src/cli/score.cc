#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "cli/divergence.h"
#include "cli/engine_options.h"
#include "cli/interrupt.h"
#include "cli/logits_dump.h"
#include "cli/read_file.h"
#include "cli/terminal.h"
#include "sampling/candidates.h"

namespace carat {
namespace {

constexpr int64_t kDefaultWindow = 512;

struct ScoreArguments {
  EngineArguments engine;
  std::string file;
  int64_t windows = 0;  // 0: all
  bool ids = false;
  std::string dump, reference, records, reference_records;
  bool json = false;
};

using Window = std::vector<TokenId>;

struct Score {
  PerplexitySum perplexity;
  PerplexitySum reference_perplexity;  // of the dump
  DivergenceSum divergence;
  std::vector<ScoreRecord> records;
  size_t windows = 0;
  double seconds = 0;
};

Result<std::vector<TokenId>> ParseIdFile(const std::string& text, int vocab) {
  std::vector<TokenId> ids;
  const char* at = text.c_str();
  for (;;) {
    char* end = nullptr;
    const long long id = std::strtoll(at, &end, 10);
    if (end == at) break;
    if (id < 0 || id >= vocab) {
      return InvalidArgument(
          fmt::format("Token {} of the file is {}; ids go from 0 to {}.",
                      ids.size() + 1, id, vocab - 1));
    }
    ids.push_back(static_cast<TokenId>(id));
    at = end;
  }
  while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t') ++at;
  if (*at == '\0') return ids;
  return InvalidArgument(
      fmt::format("The file has {} where a token id was expected.",
                  QuoteForMessage(at, 20)));
}

// BOS and size - 1 tokens each, without overlap. What is left at the end is
// too short and not scored; a text shorter than one window makes one of its
// own.
std::vector<Window> CutWindows(const std::vector<TokenId>& tokens, TokenId bos,
                               int64_t size) {
  const size_t step = static_cast<size_t>(bos >= 0 ? size - 1 : size);
  std::vector<Window> out;
  for (size_t i = 0; i + step <= tokens.size() || i == 0; i += step) {
    Window window;
    window.reserve(static_cast<size_t>(size));
    if (bos >= 0) window.push_back(bos);
    const size_t end = std::min(tokens.size(), i + step);
    window.insert(window.end(), tokens.begin() + static_cast<ptrdiff_t>(i),
                  tokens.begin() + static_cast<ptrdiff_t>(end));
    if (window.size() >= 2) out.push_back(std::move(window));
  }
  return out;
}

Result<std::vector<Window>> ReadWindows(const ScoreArguments& arguments,
                                        const Engine& engine, int64_t size) {
  CARAT_ASSIGN_OR_RETURN(std::string text, ReadTextFile(arguments.file));
  const Tokenizer& tokenizer = engine.tokenizer();
  std::vector<TokenId> tokens;
  if (arguments.ids) {
    CARAT_ASSIGN_OR_RETURN(tokens, ParseIdFile(text, tokenizer.vocab_size()));
  } else {
    tokens = tokenizer.Encode(text);
  }
  std::vector<Window> windows = CutWindows(tokens, tokenizer.bos(), size);
  if (windows.empty()) {
    return InvalidArgument(fmt::format(
        "{} has {} tokens; at least {} are needed to score anything.",
        QuoteForMessage(arguments.file, 200), tokens.size(),
        tokenizer.bos() >= 0 ? 1 : 2));
  }
  return windows;
}

class Scorer {
 public:
  Scorer(Engine& engine, const LogitsDump* reference, LogitsDumpWriter* dump)
      : engine_(engine), reference_(reference), dump_(dump) {}

  Status Run(const std::vector<Window>& windows, bool progress, Score* out);

 private:
  Status RunWindow(const Window& window, size_t index, Score* out);
  void AddPosition(const Window& window, size_t index, size_t position,
                   std::span<const float> logits, Score* out) const;

  Engine& engine_;
  const LogitsDump* reference_;
  LogitsDumpWriter* dump_;
};

void Scorer::AddPosition(const Window& window, size_t index, size_t position,
                         std::span<const float> logits, Score* out) const {
  std::span<const float> reference;
  if (reference_ != nullptr) {
    reference = reference_->row(reference_->windows()[index], position);
    out->divergence.Add(reference, logits);
  }
  if (position + 1 == window.size()) return;  // nothing follows to score
  const size_t next = static_cast<size_t>(window[position + 1]);
  const double log_sum = LogSumExp(logits);
  const int32_t best = ArgMax(logits);
  const double logprob = static_cast<double>(logits[next]) - log_sum;
  out->perplexity.Add(logprob);
  out->records.push_back(
      {.token = window[position + 1],
       .logprob = static_cast<float>(logprob),
       .best = best,
       .best_logprob = static_cast<float>(
           static_cast<double>(logits[static_cast<size_t>(best)]) - log_sum)});
  if (!reference.empty()) {
    out->reference_perplexity.Add(static_cast<double>(reference[next]) -
                                  LogSumExp(reference));
  }
}

Status Scorer::RunWindow(const Window& window, size_t index, Score* out) {
  if (dump_ != nullptr) CARAT_RETURN_IF_ERROR(dump_->BeginWindow(window));
  Status inner;
  const Status status = engine_.EvaluateLogits(
      window, 0, [&](int64_t position, std::span<const float> logits) {
        if (InterruptGuard::Interrupted()) {
          inner = Status(StatusCode::kCancelled, "Stopped.");
          return false;
        }
        if (ScanLogits(logits).malformed) {
          inner = Internal(fmt::format(
              "The logits at position {} of window {} are not all finite.",
              position, index + 1));
          return false;
        }
        if (dump_ != nullptr) inner = dump_->AddRow(logits);
        if (!inner.ok()) return false;
        AddPosition(window, index, static_cast<size_t>(position), logits, out);
        return true;
      });
  return inner.ok() ? status : inner;
}

Status Scorer::Run(const std::vector<Window>& windows, bool progress,
                   Score* out) {
  const auto start = std::chrono::steady_clock::now();
  ProgressBar bar("Scoring");
  for (size_t i = 0; i < windows.size(); ++i) {
    CARAT_RETURN_IF_ERROR(RunWindow(windows[i], i, out));
    if (progress) {
      bar.Update(static_cast<double>(i + 1) /
                 static_cast<double>(windows.size()));
    }
  }
  out->windows = windows.size();
  out->seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  return OkStatus();
}

struct RecordComparison {
  int64_t same_top = 0;
  double max_difference = 0;
  PerplexitySum reference;
};

Result<RecordComparison> CompareRecords(
    const std::vector<ScoreRecord>& ours,
    const std::vector<ScoreRecord>& reference) {
  if (ours.size() != reference.size()) {
    return InvalidArgument(fmt::format(
        "The reference has {} records, but {} tokens were scored; use the same "
        "text, --ctx and --windows.",
        reference.size(), ours.size()));
  }
  RecordComparison out;
  for (size_t i = 0; i < ours.size(); ++i) {
    if (ours[i].token != reference[i].token) {
      return InvalidArgument(fmt::format(
          "Record {} of the reference is about token {}, here it is token {}; "
          "the texts or tokenizers differ.",
          i + 1, reference[i].token, ours[i].token));
    }
    out.same_top += ours[i].best == reference[i].best ? 1 : 0;
    out.max_difference = std::max(
        out.max_difference,
        std::fabs(static_cast<double>(ours[i].logprob) - reference[i].logprob));
    out.reference.Add(reference[i].logprob);
  }
  return out;
}

Json ToJson(const ScoreArguments& arguments, const Score& score,
            int64_t window_size,
            const std::optional<RecordComparison>& records) {
  Json out = Json::MakeObject();
  out.Set("model", arguments.engine.model);
  out.Set("file", arguments.file);
  out.Set("window_tokens", window_size);
  out.Set("windows", static_cast<int64_t>(score.windows));
  out.Set("scored_tokens", score.perplexity.count());
  out.Set("perplexity", score.perplexity.perplexity());
  out.Set("perplexity_error", score.perplexity.error());
  out.Set("mean_nll", score.perplexity.mean_nll());
  out.Set("seconds", score.seconds);
  if (!arguments.reference.empty()) {
    const DivergenceSum& d = score.divergence;
    Json reference = Json::MakeObject();
    reference.Set("positions", d.count());
    reference.Set("perplexity", score.reference_perplexity.perplexity());
    reference.Set("mean_kl", d.mean_kl());
    reference.Set("kl_99", d.kl_quantile(0.99));
    reference.Set("max_kl", d.max_kl());
    reference.Set("top1_agreement", d.top1_agreement());
    reference.Set("max_logit_difference", d.max_difference());
    reference.Set("logit_range", d.reference_range());
    out.Set("reference", std::move(reference));
  }
  if (records) {
    const double n = static_cast<double>(score.records.size());
    Json json = Json::MakeObject();
    json.Set("perplexity", records->reference.perplexity());
    json.Set("top1_agreement", static_cast<double>(records->same_top) / n);
    json.Set("max_logprob_difference", records->max_difference);
    out.Set("reference_records", std::move(json));
  }
  return out;
}

std::string ToText(const Json& json) {
  const auto number = [](const Json& object, const char* key) {
    const Json* value = object.Find(key);
    return value == nullptr || !value->is_number() ? 0.0 : value->as_double();
  };
  std::string out = fmt::format(
      "perplexity {:.4f} +- {:.4f} over {} tokens ({} windows of {})\n",
      number(json, "perplexity"), number(json, "perplexity_error"),
      number(json, "scored_tokens"), number(json, "windows"),
      number(json, "window_tokens"));
  if (const Json* r = json.Find("reference")) {
    out += fmt::format(
        "reference perplexity {:.4f}\n"
        "KL divergence mean {:.3g}, 99% {:.3g}, largest {:.3g}\n"
        "top-1 agreement {:.3f}% of {} positions\n"
        "largest logit difference {:.3g} (logits span {:.3g})\n",
        number(*r, "perplexity"), number(*r, "mean_kl"), number(*r, "kl_99"),
        number(*r, "max_kl"), 100 * number(*r, "top1_agreement"),
        number(*r, "positions"), number(*r, "max_logit_difference"),
        number(*r, "logit_range"));
  }
  if (const Json* r = json.Find("reference_records")) {
    out += fmt::format(
        "reference perplexity {:.4f}\n"
        "top-1 agreement {:.3f}%\n"
        "largest log-probability difference {:.3g}\n",
        number(*r, "perplexity"), 100 * number(*r, "top1_agreement"),
        number(*r, "max_logprob_difference"));
  }
  return out;
}

Status CheckReference(const LogitsDump& dump, const Engine& engine) {
  const int vocab = engine.tokenizer().vocab_size();
  const uint64_t model_vocab =
      static_cast<uint64_t>(engine.info().config.vocab);
  if (dump.vocab() != model_vocab) {
    return InvalidArgument(
        fmt::format("The dump is of a model with {} tokens; this one has {}.",
                    dump.vocab(), model_vocab));
  }
  for (const LogitsDump::Window& window : dump.windows()) {
    if (static_cast<int64_t>(window.tokens.size()) > engine.context_tokens()) {
      return InvalidArgument(fmt::format(
          "The dump has a window of {} tokens, but the context is {}; give a "
          "larger --ctx.",
          window.tokens.size(), engine.context_tokens()));
    }
    for (const int32_t id : window.tokens) {
      if (id < 0 || id >= vocab) {
        return Malformed(fmt::format("The dump names the token {}.", id));
      }
    }
  }
  return OkStatus();
}

struct Inputs {
  std::vector<Window> windows;
  std::optional<LogitsDump> reference;
  std::optional<LogitsDumpWriter> dump;
};

// That a text makes the windows of the dump, as far as the dump goes.
Status CheckSameText(const ScoreArguments& arguments, const Engine& engine,
                     const std::vector<Window>& dumped) {
  if (dumped.empty()) return OkStatus();
  CARAT_ASSIGN_OR_RETURN(
      const std::vector<Window> windows,
      ReadWindows(arguments, engine,
                  static_cast<int64_t>(dumped.front().size())));
  for (size_t i = 0; i < dumped.size(); ++i) {
    if (i < windows.size() && windows[i] == dumped[i]) continue;
    return InvalidArgument(fmt::format(
        "Window {} of the dump is not of {}: the texts or the tokenizers "
        "differ. Leave FILE out to compare over the dump's tokens.",
        i + 1, QuoteForMessage(arguments.file, 200)));
  }
  return OkStatus();
}

Result<Inputs> Prepare(const ScoreArguments& arguments, const Engine& engine,
                       int64_t window_size) {
  Inputs in;
  if (!arguments.reference.empty()) {
    CARAT_ASSIGN_OR_RETURN(LogitsDump dump,
                           LogitsDump::Open(arguments.reference));
    CARAT_RETURN_IF_ERROR(CheckReference(dump, engine));
    for (const LogitsDump::Window& window : dump.windows()) {
      in.windows.emplace_back(window.tokens.begin(), window.tokens.end());
    }
    in.reference = std::move(dump);
    if (!arguments.file.empty()) {
      CARAT_RETURN_IF_ERROR(CheckSameText(arguments, engine, in.windows));
    }
  } else {
    CARAT_ASSIGN_OR_RETURN(in.windows,
                           ReadWindows(arguments, engine, window_size));
  }
  if (arguments.windows > 0) {
    in.windows.resize(std::min<size_t>(in.windows.size(),
                                       static_cast<size_t>(arguments.windows)));
  }
  if (!arguments.dump.empty()) {
    CARAT_ASSIGN_OR_RETURN(
        LogitsDumpWriter dump,
        LogitsDumpWriter::Create(
            arguments.dump, static_cast<uint32_t>(engine.info().config.vocab),
            static_cast<uint32_t>(in.windows.size())));
    in.dump = std::move(dump);
  }
  return in;
}

Result<Json> ScoreAll(const ScoreArguments& arguments, Engine& engine,
                      int64_t window_size) {
  CARAT_ASSIGN_OR_RETURN(Inputs in, Prepare(arguments, engine, window_size));
  Score score;
  InterruptGuard guard;
  Scorer scorer(engine, in.reference ? &*in.reference : nullptr,
                in.dump ? &*in.dump : nullptr);
  CARAT_RETURN_IF_ERROR(
      scorer.Run(in.windows, !arguments.engine.quiet, &score));
  if (in.dump) CARAT_RETURN_IF_ERROR(in.dump->Close());
  if (!arguments.records.empty()) {
    CARAT_RETURN_IF_ERROR(WriteRecords(arguments.records, score.records));
  }
  std::optional<RecordComparison> records;
  if (!arguments.reference_records.empty()) {
    CARAT_ASSIGN_OR_RETURN(auto reference,
                           ReadRecords(arguments.reference_records));
    CARAT_ASSIGN_OR_RETURN(records, CompareRecords(score.records, reference));
  }
  return ToJson(arguments, score, window_size, records);
}

// No more context than the windows need; a dump says how long its are.
Status ChooseContext(int64_t window_size, ScoreArguments* arguments) {
  if (arguments->reference.empty()) {
    arguments->engine.context_tokens = window_size;
    return OkStatus();
  }
  if (arguments->engine.context_tokens > 0) return OkStatus();
  CARAT_ASSIGN_OR_RETURN(const LogitsDump dump,
                         LogitsDump::Open(arguments->reference));
  for (const LogitsDump::Window& window : dump.windows()) {
    arguments->engine.context_tokens =
        std::max(arguments->engine.context_tokens,
                 static_cast<int64_t>(window.tokens.size()));
  }
  return OkStatus();
}

int RunScore(ScoreArguments arguments) {
  if (arguments.file.empty() && arguments.reference.empty()) {
    return FailUsage("There is nothing to score: give FILE or --reference.");
  }
  int64_t window_size = arguments.engine.context_tokens;
  if (window_size == 0) window_size = kDefaultWindow;
  if (window_size < 2) return FailUsage("--ctx must be at least 2 here.");
  const Status fixed = ChooseContext(window_size, &arguments);
  if (!fixed.ok()) return Fail(fixed);
  auto engine = LoadEngine(arguments.engine);
  if (!engine.ok()) return Fail(engine.status());
  window_size = std::min(window_size, (*engine)->context_tokens());
  const auto json = ScoreAll(arguments, **engine, window_size);
  if (!json.ok()) return Fail(json.status());
  Print(arguments.json ? json->Dump(2) + "\n" : ToText(*json));
  return kExitOk;
}

}  // namespace

void AddScoreCommand(CLI::App& app, CommandMain* chosen) {
  CLI::App* command =
      app.add_subcommand("score", "Measure how well a model predicts a text");
  auto a = std::make_shared<ScoreArguments>();
  AddModelOptions(*command, &a->engine);
  command->add_option("FILE", a->file, "The text; - is stdin");
  command->add_flag("--ids", a->ids, "FILE holds token ids, not text");
  command->add_option("--windows", a->windows, "Only the first N windows")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40).description(""));
  auto* dump = command->add_option("--dump-logits", a->dump,
                                   "Write all logits to this file (large)");
  auto* reference = command->add_option(
      "--reference", a->reference,
      "Compare with such a file, over its tokens; with FILE, also "
      "check that they are the same text");
  reference->excludes(dump);
  command->add_option("--records", a->records,
                      "Write each token's log-probability to this file");
  command->add_option("--reference-records", a->reference_records,
                      "Compare with such a file");
  command->add_flag("--json", a->json, "One JSON object");
  command->add_flag("--quiet", a->engine.quiet, "No progress bar");
  command->footer(
      "The text is cut into windows of --ctx tokens (default 512) that do not\n"
      "overlap. Each begins with BOS and is read on its own; every token but\n"
      "the first is scored. What is left at the end is not.\n"
      "\n"
      "Examples:\n"
      "  carat score gemma3 text.txt --ctx 1024\n"
      "  carat score gemma3:f16 text.txt --windows 1 --dump-logits f16.bin\n"
      "  carat score gemma3:q4_0 --reference f16.bin --json");
  command->callback([a, chosen] { *chosen = [a] { return RunScore(*a); }; });
}

}  // namespace carat
