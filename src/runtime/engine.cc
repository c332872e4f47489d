#include "runtime/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <future>

#include "base/log.h"
#include "base/memory_info.h"
#include "kernels/machine_peak.h"
#include "kv/disk_tier.h"
#include "runtime/constraints.h"
#include "runtime/model_key.h"
#include "runtime/packed_cache.h"
#include "runtime/scheduler.h"

namespace carat {
namespace {

// Most rows per step while logits of every position are wanted: bounds the
// memory of [rows, vocab] logits, with what the plan has room for.
constexpr int64_t kLogitRows = 16;

class Handle : public GenerationHandle {
 public:
  explicit Handle(std::shared_ptr<EventQueue> events)
      : events_(std::move(events)) {}
  ~Handle() override { events_->Cancel(); }
  GenerateEvent Next() override { return events_->Pop(); }
  bool NextFor(int timeout_ms, GenerateEvent* event) override {
    return events_->PopFor(timeout_ms, event);
  }
  void Cancel() override { events_->Cancel(); }

 private:
  std::shared_ptr<EventQueue> events_;
};

class EngineImpl : public Engine {
 public:
  Status Open(const EngineOptions& options);

  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  const ModelInfo& info() const override { return info_; }
  const MemoryPlan& plan() const override { return plan_; }
  const TokenWork& work() const override { return model_->work(); }
  const ChatFormat& chat_format() const override { return *format_; }
  int64_t context_tokens() const override { return plan_.context_tokens; }
  int threads() const override { return scheduler_->pool().threads(); }
  const LoadReport& load_report() const override { return report_; }
  uint64_t HugePageBytes() const override {
    return HugeBytesIn(weights_->bytes());
  }
  const std::vector<std::string>& notes() const override {
    return model_->notes();
  }
  EngineStats stats() const override { return scheduler_->stats(); }

  Result<std::vector<TokenId>> PromptTokens(
      const GenerateRequest& request) const override;
  Result<std::unique_ptr<GenerationHandle>> Submit(
      const GenerateRequest& request) override;
  Status EvaluateLogits(
      std::span<const TokenId> tokens, int64_t first,
      const std::function<bool(int64_t, std::span<const float>)>& callback,
      Observer* observer) override;
  Result<Timing> Time(const Timed& what) override;

 private:
  // Fills weights_ and model_ as `plan` says.
  Status LoadWeights(const Packing& plan, ModelOptions options,
                     ThreadPool& pool);
  // The same with EngineOptions::packed_dir.
  Status LoadKeptWeights(const Packing& plan, ModelOptions options,
                         ThreadPool& pool);
  // A request's prompt and what it leaves open.
  struct Prepared {
    std::vector<TokenId> tokens;
    bool chat = false;  // rendered from messages
    OutputState state = OutputState::kContent;
  };
  Result<Prepared> Prepare(const GenerateRequest& request) const;
  Status EvaluateOnThread(
      std::span<const TokenId> tokens, int64_t first,
      const std::function<bool(int64_t, std::span<const float>)>& callback);
  Result<Timing> TimeOnThread(const Timed& what);
  // Of the first gigabyte of the packed weights.
  double WeightReadSpeed();
  // Runs `count` pseudo-random tokens of one sequence in steps.
  Status Feed(KvSequence& kv, int64_t count);
  int vocab() const {
    return static_cast<int>(
        std::min<int64_t>(model_->config().vocab, tokenizer_->vocab_size()));
  }

  std::unique_ptr<ModelFile> file_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<ChatFormat> format_;
  std::unique_ptr<Constraints> constraints_;
  std::unique_ptr<WeightMemory> weights_;  // of model_
  std::unique_ptr<Model> model_;
  std::unique_ptr<Scheduler> scheduler_;  // destroyed first: uses the model
  ModelInfo info_;
  MemoryPlan plan_;
  EngineOptions options_;
  LoadReport report_;
};

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// The token that ends a turn, -1 for formats without.
TokenId TurnEnd(const ChatFormat& format, const Tokenizer& tokenizer) {
  const std::string_view piece = format.syntax().turn_end;
  return piece.empty() ? -1 : tokenizer.Find(piece).value_or(-1);
}

Status EngineImpl::LoadWeights(const Packing& plan, ModelOptions options,
                               ThreadPool& pool) {
  const auto begin = Clock::now();
  if (weights_ == nullptr) {
    CARAT_ASSIGN_OR_RETURN(weights_, WeightMemory::Allocate(plan.bytes));
  }
  options.mode = WeightLoader::Mode::kLoad;
  options.memory = weights_.get();
  CARAT_ASSIGN_OR_RETURN(model_, LoadModel(*file_, options, &pool));
  report_.packed_bytes = plan.bytes;
  report_.weights_seconds += SecondsSince(begin);
  return OkStatus();
}

Status EngineImpl::LoadKeptWeights(const Packing& plan, ModelOptions options,
                                   ThreadPool& pool) {
  const auto begin = Clock::now();
  CARAT_ASSIGN_OR_RETURN(
      const PackedCache cache,
      PackedCache::Open(options_.packed_dir, options_.packed_dir_bytes,
                        options_.go_on));
  const Sha256Digest key = PackedWeightsKey(*file_, plan);
  report_.kept_path = cache.PathOf(key);
  auto found = cache.Find(key, plan.bytes, pool);
  report_.weights_seconds = SecondsSince(begin);
  if (found.ok()) {
    weights_ = std::move(found).value();
    report_.kept = LoadReport::Kept::kFound;
    return LoadWeights(plan, std::move(options), pool);
  }
  if (found.status().code() == StatusCode::kCancelled) return found.status();
  if (found.status().code() != StatusCode::kNotFound) {
    report_.kept_problem = fmt::format("{} is ignored: {}", report_.kept_path,
                                       found.status().message());
    Log(LogLevel::kWarning, "{}", report_.kept_problem);
  }
  CARAT_RETURN_IF_ERROR(LoadWeights(plan, std::move(options), pool));
  const auto write = Clock::now();
  const Status written =
      cache.Write(key, std::filesystem::path(file_->path()).filename().string(),
                  weights_->bytes(), pool);
  if (written.code() == StatusCode::kCancelled) return written;
  report_.write_seconds = SecondsSince(write);
  report_.kept =
      written.ok() ? LoadReport::Kept::kWritten : LoadReport::Kept::kFailed;
  if (!written.ok()) {
    report_.kept_problem =
        fmt::format("packed weights are not kept: {}", written.message());
    Log(LogLevel::kWarning, "{}", report_.kept_problem);
  }
  return OkStatus();
}

Status EngineImpl::Open(const EngineOptions& options) {
  const auto begin = Clock::now();
  options_ = options;
  CARAT_ASSIGN_OR_RETURN(file_, ModelFile::Open(options.model_path));
  CARAT_ASSIGN_OR_RETURN(info_, ReadModelInfo(*file_));

  const int threads =
      options.threads > 0 ? options.threads : ThreadPool::DefaultThreads();
  const PlanOptions plan_options = {.context_tokens = options.context_tokens,
                                    .kv_type = options.kv_type,
                                    .kv_bytes = options.kv_bytes,
                                    .max_sequences = options.max_sequences,
                                    .step_tokens = options.step_tokens,
                                    .threads = threads};
  const ModelOptions model_options = {.kv_type = options.kv_type,
                                      .mode = WeightLoader::Mode::kPlan,
                                      .progress = options.progress,
                                      .go_on = options.go_on};
  Packing packing;
  {
    CARAT_ASSIGN_OR_RETURN(auto planned,
                           LoadModel(*file_, model_options, nullptr));
    CARAT_ASSIGN_OR_RETURN(plan_, PlanMemory(*file_, *planned, plan_options));
    CARAT_RETURN_IF_ERROR(CheckFits(*file_, *planned, plan_, plan_options));
    packing = planned->packing();
  }
  // Building it takes one thread a good while, and packing waits for memory
  // often.
  auto tokenizer = std::async(std::launch::async | std::launch::deferred, [&] {
    const auto start = Clock::now();
    auto made = Tokenizer::FromModelFile(*file_);
    report_.tokenizer_seconds = SecondsSince(start);
    return made;
  });
  {
    ThreadPool loaders(threads);
    CARAT_RETURN_IF_ERROR(
        options.packed_dir.empty()
            ? LoadWeights(packing, model_options, loaders)
            : LoadKeptWeights(packing, model_options, loaders));
  }
  CARAT_ASSIGN_OR_RETURN(tokenizer_, tokenizer.get());
  if (options.go_on && !options.go_on()) return LoadingGivenUp();
  CARAT_ASSIGN_OR_RETURN(
      format_, DetectChatFormat(*file_, *tokenizer_, options.chat_format));
  info_.chat_format = std::string(format_->name());
  constraints_ = std::make_unique<Constraints>(tokenizer_.get());
  std::unique_ptr<DiskTier> disk;
  if (!options.cache_dir.empty() && options.reuse_prefixes) {
    CARAT_ASSIGN_OR_RETURN(
        disk, DiskTier::Open(model_->kv_layout(),
                             {.folder = options.cache_dir,
                              .limit_bytes = options.cache_dir_bytes,
                              .model = ModelKey(*file_, *model_),
                              .pending_bytes = plan_.kv_bytes / 8}));
  }
  scheduler_ = std::make_unique<Scheduler>(
      model_.get(), vocab(),
      Scheduler::Options{.threads = threads,
                         .step_tokens = options.step_tokens,
                         .busy_step_tokens = options.busy_step_tokens,
                         .max_sequences = options.max_sequences,
                         .max_queue = options.max_queue,
                         .kv_budget_bytes = plan_.kv_bytes,
                         .reuse_prefixes = options.reuse_prefixes,
                         .turn_end = TurnEnd(*format_, *tokenizer_)},
      std::move(disk));
  options_.progress = nullptr;  // nobody is told or asked any more
  options_.go_on = nullptr;
  report_.seconds = SecondsSince(begin);
  return OkStatus();
}

Result<EngineImpl::Prepared> EngineImpl::Prepare(
    const GenerateRequest& request) const {
  const int forms = (request.messages.empty() ? 0 : 1) +
                    (request.prompt.empty() ? 0 : 1) +
                    (request.prompt_tokens.empty() ? 0 : 1);
  if (forms != 1) {
    return InvalidArgument(
        forms == 0 ? "the prompt is empty; give messages, text or token ids"
                   : "give the prompt in one form only: messages, text or "
                     "token ids");
  }
  Prepared out;
  if (!request.prompt_tokens.empty()) {
    for (TokenId id : request.prompt_tokens) {
      if (id < 0 || id >= vocab()) {
        return InvalidArgument(fmt::format(
            "token id {} is outside the vocabulary of {}", id, vocab()));
      }
    }
    out.tokens = request.prompt_tokens;
    return out;
  }
  if (!request.prompt.empty()) {
    if (tokenizer_->bos() >= 0) out.tokens.push_back(tokenizer_->bos());
    const std::vector<TokenId> text = tokenizer_->Encode(request.prompt);
    out.tokens.insert(out.tokens.end(), text.begin(), text.end());
    return out;
  }
  RenderOptions render;
  render.tools = request.tools;
  render.think = request.think;
  render.preserve_thinking = request.preserve_thinking;
  if (request.continue_last_message) render.ending = PromptEnding::kPrefill;
  CARAT_ASSIGN_OR_RETURN(RenderedPrompt rendered,
                         format_->Render(request.messages, render));
  CARAT_ASSIGN_OR_RETURN(out.tokens,
                         TokenizeSegments(*tokenizer_, rendered.segments,
                                          format_->syntax().reserved));
  out.chat = true;
  out.state = rendered.state;
  return out;
}

Result<std::vector<TokenId>> EngineImpl::PromptTokens(
    const GenerateRequest& request) const {
  CARAT_ASSIGN_OR_RETURN(Prepared prepared, Prepare(request));
  return std::move(prepared.tokens);
}

Result<std::unique_ptr<GenerationHandle>> EngineImpl::Submit(
    const GenerateRequest& request) {
  CARAT_ASSIGN_OR_RETURN(Prepared prepared, Prepare(request));
  const int64_t context = plan_.context_tokens;
  if (static_cast<int64_t>(prepared.tokens.size()) >= context) {
    return InvalidArgument(fmt::format(
        "the prompt has {} tokens, the context holds {} and the answer needs "
        "room too; shorten the prompt{}",
        prepared.tokens.size(), context,
        context < info_.config.context_tokens
            ? fmt::format(" or ask for a larger context (--ctx, up to {})",
                          info_.config.context_tokens)
            : std::string()));
  }
  GenerationSetup setup;
  CARAT_ASSIGN_OR_RETURN(
      setup.grammar, constraints_->Build(request, *format_, prepared.state));
  setup.prompt = std::move(prepared.tokens);
  setup.tokenizer = tokenizer_.get();
  setup.format = prepared.chat ? format_.get() : nullptr;
  setup.state = prepared.state;
  setup.suppress = model_->config().suppress_tokens;
  const ChatSyntax& syntax = format_->syntax();
  for (std::string_view piece : syntax.suppressed) {
    if (auto id = tokenizer_->Find(piece)) setup.suppress.push_back(*id);
  }
  const bool may_call = !request.tools.empty() &&
                        request.tool_choice.mode != ToolChoice::Mode::kNone;
  if (prepared.chat && !may_call && !syntax.call_open.empty()) {
    // Without tools, or with calls forbidden, no call may begin.
    if (auto id = tokenizer_->Find(syntax.call_open)) {
      setup.suppress.push_back(*id);
    }
  }
  setup.vocab = vocab();
  setup.context_tokens = context;
  setup.events = std::make_shared<EventQueue>();
  auto handle = std::make_unique<Handle>(setup.events);
  CARAT_ASSIGN_OR_RETURN(auto generation,
                         Generation::Create(request, std::move(setup)));
  CARAT_RETURN_IF_ERROR(scheduler_->Submit(std::move(generation)));
  return std::unique_ptr<GenerationHandle>(std::move(handle));
}

Status EngineImpl::EvaluateOnThread(
    std::span<const TokenId> tokens, int64_t first,
    const std::function<bool(int64_t, std::span<const float>)>& callback) {
  KvSequence kv(&scheduler_->pages());
  const int64_t total = static_cast<int64_t>(tokens.size());
  while (kv.length() < total) {
    const int64_t at = kv.length();
    const bool wanted = at + options_.step_tokens > first;
    const int64_t most =
        wanted ? std::clamp<int64_t>(options_.max_sequences, 1, kLogitRows)
               : options_.step_tokens;
    const int64_t count = std::min(total - at, most);
    CARAT_RETURN_IF_ERROR(scheduler_->ExtendWithEviction(kv, count));
    Batch batch;
    batch.sequences = {&kv.tables()};
    for (int64_t i = at; i < at + count; ++i) {
      batch.rows.push_back({.token = tokens[i],
                            .position = i,
                            .sequence = 0,
                            .output = i >= first});
    }
    ForwardResult result;
    CARAT_RETURN_IF_ERROR(model_->Forward(batch, scheduler_->workspace(),
                                          scheduler_->pool(), &result));
    kv.Advance(count);
    for (int64_t r = 0; r < result.outputs; ++r) {
      const int64_t position = at + count - result.outputs + r;
      if (!callback(position, {result.logits + r * result.stride,
                               static_cast<size_t>(vocab())})) {
        return OkStatus();
      }
    }
  }
  return OkStatus();
}

Status EngineImpl::EvaluateLogits(
    std::span<const TokenId> tokens, int64_t first,
    const std::function<bool(int64_t, std::span<const float>)>& callback,
    Observer* observer) {
  if (static_cast<int64_t>(tokens.size()) > plan_.context_tokens) {
    return InvalidArgument(fmt::format("{} tokens do not fit the context of {}",
                                       tokens.size(), plan_.context_tokens));
  }
  Status status;
  scheduler_->RunExclusive([&] {
    scheduler_->workspace().observer = observer;
    status = EvaluateOnThread(tokens, first, callback);
    scheduler_->workspace().observer = nullptr;
  });
  return status;
}

Status EngineImpl::Feed(KvSequence& kv, int64_t count) {
  while (count > 0) {
    const int64_t step = std::min(count, options_.step_tokens);
    CARAT_RETURN_IF_ERROR(scheduler_->ExtendWithEviction(kv, step));
    Batch batch;
    batch.sequences = {&kv.tables()};
    for (int64_t i = 0; i < step; ++i) {
      const int64_t position = kv.length() + i;
      const uint32_t mixed = static_cast<uint32_t>(position) * 2654435761u >> 8;
      batch.rows.push_back({.token = static_cast<TokenId>(mixed % vocab()),
                            .position = position,
                            .sequence = 0,
                            .output = count == step && i + 1 == step});
    }
    ForwardResult result;
    CARAT_RETURN_IF_ERROR(model_->Forward(batch, scheduler_->workspace(),
                                          scheduler_->pool(), &result));
    kv.Advance(step);
    count -= step;
  }
  return OkStatus();
}

double EngineImpl::WeightReadSpeed() {
  constexpr size_t kMost = size_t{1} << 30;
  const std::span<const uint8_t> bytes = weights_->bytes();
  return ReadSpeed(bytes.first(std::min(bytes.size(), kMost)),
                   scheduler_->pool());
}

Result<Engine::Timing> EngineImpl::TimeOnThread(const Timed& what) {
  std::vector<KvSequence> kvs;
  for (int i = 0; i < what.rows; ++i) {
    kvs.emplace_back(&scheduler_->pages());
    CARAT_RETURN_IF_ERROR(Feed(kvs.back(), what.depth));
  }
  const double before = what.decode > 0 ? WeightReadSpeed() : 0;
  const auto begin = Clock::now();
  if (what.prompt > 0) CARAT_RETURN_IF_ERROR(Feed(kvs[0], what.prompt));
  for (int64_t step = 0; step < what.decode; ++step) {
    Batch batch;
    for (int i = 0; i < what.rows; ++i) {
      CARAT_RETURN_IF_ERROR(scheduler_->ExtendWithEviction(kvs[i], 1));
      batch.sequences.push_back(&kvs[i].tables());
      batch.rows.push_back(
          {.token = static_cast<TokenId>((step * 7919 + i * 104729) % vocab()),
           .position = kvs[i].length(),
           .sequence = i,
           .output = true});
    }
    ForwardResult result;
    CARAT_RETURN_IF_ERROR(model_->Forward(batch, scheduler_->workspace(),
                                          scheduler_->pool(), &result));
    for (KvSequence& kv : kvs) kv.Advance(1);
  }
  const double seconds = SecondsSince(begin);
  const double after = what.decode > 0 ? WeightReadSpeed() : 0;
  return Timing{.seconds = seconds, .read_speed = (before + after) / 2};
}

Result<Engine::Timing> EngineImpl::Time(const Timed& what) {
  if (what.depth < 0 || what.prompt < 0 || what.decode < 0 || what.rows < 1 ||
      what.rows * (what.depth + what.prompt + what.decode) >
          plan_.context_tokens) {
    return InvalidArgument(fmt::format(
        "{} sequences of {} tokens do not fit the context of {}; give --ctx",
        what.rows, what.depth + what.prompt + what.decode,
        plan_.context_tokens));
  }
  Result<Timing> timing = Timing{};
  scheduler_->RunExclusive([&] { timing = TimeOnThread(what); });
  return timing;
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::Load(const EngineOptions& options) {
  auto engine = std::make_unique<EngineImpl>();
  CARAT_RETURN_IF_ERROR(engine->Open(options));
  return std::unique_ptr<Engine>(std::move(engine));
}

Result<Done> Engine::Generate(
    const GenerateRequest& request,
    const std::function<bool(const GenerateEvent&)>& sink) {
  CARAT_ASSIGN_OR_RETURN(auto handle, Submit(request));
  for (;;) {
    const GenerateEvent event = handle->Next();
    if (!sink(event)) handle->Cancel();
    if (const Done* done = std::get_if<Done>(&event)) return *done;
  }
}

}  // namespace carat
