#include "runtime/scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>

namespace carat {

namespace {

// Windows of sliding layers are kept every so many tokens of a long prompt: as
// often as lets them take about as much memory as the global layers' pages.
int64_t BoundaryTokens(const KvLayout& layout) {
  double window = 0, token = 0;  // bytes
  for (const KvGroup& group : layout.groups) {
    const double each = static_cast<double>(group.page_bytes) / kKvTile;
    if (group.window > 0) {
      window += each * static_cast<double>(group.window + 2 * kKvTile);
    } else {
      token += each;
    }
  }
  int64_t tokens = 1024;
  while (tokens < 8192 && static_cast<double>(tokens) * token < window) {
    tokens *= 2;
  }
  return tokens;
}

// Turns that end closer together than this share a boundary.
constexpr int64_t kTurnTokens = 256;

}  // namespace

Scheduler::Scheduler(const Model* model, int vocab, const Options& options,
                     std::unique_ptr<DiskTier> disk)
    : model_(model),
      vocab_(vocab),
      options_(options),
      pool_(options.threads),
      pages_(model->kv_layout(), options.kv_budget_bytes),
      prefixes_(&pages_),
      boundary_tokens_(BoundaryTokens(model->kv_layout())),
      disk_(disk == nullptr ? nullptr
                            : std::make_unique<PrefixDisk>(&pages_, &prefixes_,
                                                           std::move(disk))),
      workspace_(model->NewWorkspace()) {
  thread_ = std::thread([this] { Loop(); });
}

Scheduler::~Scheduler() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

Status Scheduler::Submit(std::unique_ptr<Generation> generation) {
  if (disk_ != nullptr) disk_->Prefetch(generation->tokens());
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const size_t waiting = queue_.size();
    if (waiting >= static_cast<size_t>(options_.max_queue)) {
      ++stats_.refused;
      return Status(StatusCode::kUnavailable,
                    fmt::format("{} requests are waiting already, as many as "
                                "may; try again later",
                                waiting));
    }
    ++stats_.requests;
    queue_.Push(std::move(generation));
  }
  wake_.notify_all();
  return OkStatus();
}

void Scheduler::RunExclusive(const std::function<void()>& job) {
  std::promise<void> done;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    jobs_.push_back([&] {
      job();
      done.set_value();
    });
  }
  wake_.notify_all();
  done.get_future().wait();
}

EngineStats Scheduler::stats() const {
  std::lock_guard<std::mutex> lock(mutex_);
  EngineStats stats = stats_;
  stats.queued = static_cast<int>(queue_.size());
  stats.kv_budget_bytes = options_.kv_budget_bytes;
  if (disk_ != nullptr) {
    const DiskTier::Stats disk = disk_->stats();
    stats.disk_reads = disk.reads;
    stats.disk_writes = disk.writes;
    stats.disk_errors = disk.errors;
    stats.disk_bytes = disk.bytes;
  }
  return stats;
}

void Scheduler::Loop() {
  for (;;) {
    std::deque<std::function<void()>> jobs;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [&] {
        return stop_ || !queue_.empty() || !jobs_.empty() || !running_.empty();
      });
      if (stop_) break;
      jobs.swap(jobs_);
    }
    for (const auto& job : jobs) job();
    if (disk_ != nullptr) disk_->Release();
    EndGone();
    Admit();
    if (!Step()) DropFinished();
    std::lock_guard<std::mutex> lock(mutex_);
    stats_.running = static_cast<int>(running_.size());
    stats_.kv_used_bytes = pages_.used_bytes();
    stats_.kv_reserved_bytes = pages_.reserved_bytes();
    stats_.cached_bytes = pages_.evictable_bytes();
    stats_.cache_evictions = prefixes_.evictions();
    if (disk_ != nullptr) {
      stats_.disk_hits = disk_->hits();
      stats_.disk_tokens = disk_->tokens();
    }
  }
  for (auto& g : running_) KeepAll(*g);
  if (disk_ != nullptr) disk_->Stop();
  std::lock_guard<std::mutex> lock(mutex_);
  for (auto& g : running_) g->Finish(FinishReason::kCancelled);
  while (auto g = queue_.Pop()) g->Finish(FinishReason::kCancelled);
  running_.clear();
  for (const auto& job : jobs_) job();
  prefixes_.Clear();
}

void Scheduler::EndGone() {
  const auto now = Generation::Clock::now();
  const auto end = [&](Generation& g) {
    if (g.cancelled()) {
      g.Finish(FinishReason::kCancelled);
    } else if (g.expired(now)) {
      g.Finish(FinishReason::kDeadline);
    }
  };
  for (auto& g : running_) end(*g);
  DropFinished();
  std::vector<std::unique_ptr<Generation>> gone;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    gone = queue_.TakeIf(
        [&](const Generation& g) { return g.cancelled() || g.expired(now); });
  }
  for (auto& g : gone) {
    end(*g);
    Count(*g);
  }
}

void Scheduler::Count(const Generation& g) {
  std::lock_guard<std::mutex> lock(mutex_);
  ++stats_.finished;
  stats_.cancelled += g.reason() == FinishReason::kCancelled;
  stats_.expired += g.reason() == FinishReason::kDeadline;
  stats_.failed += g.reason() == FinishReason::kError;
  if (g.started()) stats_.queue_seconds.Add(g.timings().queue_ms / 1000);
  if (g.timings().first_token_ms > 0) {
    stats_.first_token_seconds.Add(g.timings().first_token_ms / 1000);
  }
}

bool Scheduler::FitsBeside(const Generation& g, const KvSequence& kv) const {
  if (running_.empty()) return true;
  // Room for what is to be read and for a while of generating. Pages that only
  // the index holds are in nobody's way.
  constexpr int64_t kAhead = 64;
  const auto need = [&](const Generation& which, int64_t done) {
    const int64_t length = static_cast<int64_t>(which.tokens().size()) + kAhead;
    return KvSequence::BytesFor(model_->kv_layout(), length,
                                options_.step_tokens) -
           KvSequence::BytesFor(model_->kv_layout(), done,
                                options_.step_tokens);
  };
  uint64_t bytes = pages_.pinned_bytes() + need(g, kv.length());
  for (const auto& r : running_) bytes += need(*r, r->done());
  return bytes <= pages_.budget_bytes();
}

KvSequence Scheduler::FindPrefix(const Generation& g) {
  if (g.scoring()) return KvSequence(&pages_);
  // The last token is always run: its logits are wanted.
  const int64_t limit = static_cast<int64_t>(g.tokens().size()) - 1;
  if (disk_ != nullptr && FitsBeside(g, KvSequence(&pages_))) {
    return disk_->Find(g.tokens(), limit, prompt_tokens_per_second_);
  }
  return prefixes_.Find(g.tokens(), limit);
}

void Scheduler::Admit() {
  while (static_cast<int>(running_.size()) < options_.max_sequences) {
    std::unique_ptr<Generation> g;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      g = queue_.Pop();
    }
    if (g == nullptr) return;
    KvSequence kv = FindPrefix(*g);
    const int64_t cached = kv.length();
    std::lock_guard<std::mutex> lock(mutex_);
    if (!FitsBeside(*g, kv)) {
      queue_.PutBack(std::move(g));
      return;
    }
    if (!g->started()) {
      stats_.prompt_tokens += g->prompt_tokens();
      stats_.cached_tokens += cached;
      ++(cached > 0 ? stats_.cache_hits : stats_.cache_misses);
    }
    g->kv.emplace(std::move(kv));
    g->Start(cached);
    running_.push_back(std::move(g));
  }
}

Status Scheduler::ExtendWithEviction(KvSequence& kv, int64_t count) {
  Status status = kv.Extend(count);
  while (!status.ok() && prefixes_.EvictOne()) status = kv.Extend(count);
  return status;
}

bool Scheduler::IsRunning(const Generation* g) const {
  return std::any_of(running_.begin(), running_.end(),
                     [&](const auto& r) { return r.get() == g; });
}

bool Scheduler::MakeRoom(Generation* g, int64_t count,
                         const std::vector<Share>& shares) {
  for (;;) {
    const Status room = ExtendWithEviction(*g->kv, count);
    if (room.ok()) return true;
    if (running_.size() == 1) {
      if (disk_ != nullptr) {
        // Pages on their way to the disk are the last that others hold.
        disk_->ReleaseAll();
        if (ExtendWithEviction(*g->kv, count).ok()) return true;
      }
      g->Finish(FinishReason::kError, room.message());
      return false;
    }
    // The latest comer gives way, back to the head of the queue.
    const Generation* last = running_.back().get();
    const bool in_batch =
        std::any_of(shares.begin(), shares.end(),
                    [&](const Share& s) { return s.generation == last; });
    if (in_batch) return false;
    std::unique_ptr<Generation> latest = std::move(running_.back());
    running_.pop_back();
    if (options_.reuse_prefixes) {
      prefixes_.Insert(latest->tokens(), *latest->kv, latest->done());
    }
    latest->kv->Clear();
    {
      std::lock_guard<std::mutex> lock(mutex_);
      ++stats_.preempted;
      queue_.PutBack(std::move(latest));
    }
    if (last == g) return false;
  }
}

bool Scheduler::AddRows(Generation* g, int64_t count, Batch& batch,
                        std::vector<Share>& shares) {
  if (!MakeRoom(g, count, shares)) return false;
  const int sequence = static_cast<int>(batch.sequences.size());
  batch.sequences.push_back(&g->kv->tables());
  const int64_t first = g->done();
  const bool samples = count == g->pending();
  const int64_t outputs = g->scoring() ? count : (samples ? 1 : 0);
  for (int64_t i = 0; i < count; ++i) {
    batch.rows.push_back({.token = g->tokens()[first + i],
                          .position = first + i,
                          .sequence = sequence,
                          .output = i >= count - outputs});
  }
  shares.push_back({g, count, samples, outputs});
  return true;
}

int64_t Scheduler::ScoredRows() const {
  const auto scoring =
      std::count_if(running_.begin(), running_.end(),
                    [](const auto& g) { return g->scoring(); });
  return options_.max_sequences -
         (static_cast<int64_t>(running_.size()) - scoring);
}

std::vector<std::pair<Generation*, int64_t>> Scheduler::PlanPrompts(
    int64_t room) {
  for (auto& g : running_) {
    if (!g->finished() && !g->decoding()) CatchUp(*g);
  }
  std::vector<Generation*> reading;  // oldest first
  std::map<std::string, int64_t> served;
  int64_t least = 0;
  for (auto& g : running_) {
    const auto known = served_.find(g->caller());
    if (known != served_.end()) {
      least = served.empty() ? known->second : std::min(least, known->second);
      served.insert(*known);
    }
    if (!g->finished() && !g->decoding()) reading.push_back(g.get());
  }
  // Callers that are new start level with the least served, without credit.
  for (auto& g : running_) served.emplace(g->caller(), least);
  served_ = std::move(served);
  if (reading.empty()) return {};

  // The least served caller's oldest prompt goes first, but a quarter of the
  // step is for the shortest others, which a long prompt must not starve.
  std::stable_sort(reading.begin(), reading.end(),
                   [&](const Generation* a, const Generation* b) {
                     return served_[a->caller()] < served_[b->caller()];
                   });
  std::stable_sort(reading.begin() + 1, reading.end(),
                   [](const Generation* a, const Generation* b) {
                     return a->pending() < b->pending();
                   });
  int64_t scored = ScoredRows();
  const auto take = [&scored](const Generation& g, int64_t most) {
    int64_t count = std::min(g.pending(), most);
    if (!g.scoring()) return count;
    count = std::min(count, scored);
    scored -= count;
    return count;
  };
  std::vector<std::pair<Generation*, int64_t>> plan;
  const int64_t first_most = reading.size() > 1 ? room - room / 4 : room;
  plan.emplace_back(reading[0], take(*reading[0], first_most));
  int64_t left = room - plan[0].second;
  for (size_t i = 1; i < reading.size() && left > 0; ++i) {
    const int64_t count = take(*reading[i], left);
    if (count > 0) plan.emplace_back(reading[i], count);
    left -= count;
  }
  if (!reading[0]->scoring()) {
    plan[0].second += std::min(left, reading[0]->pending() - plan[0].second);
  }
  return plan;
}

bool Scheduler::Step() {
  const auto begin = Generation::Clock::now();
  Batch batch;
  std::vector<Share> shares;
  int64_t room = options_.step_tokens;
  // Sequences that are generating come first: their next token must not wait
  // for somebody else's prompt. Making room may shorten running_ at its end.
  for (size_t i = 0; i < running_.size() && room > 0; ++i) {
    Generation* g = running_[i].get();
    if (!g->decoding()) continue;
    const int64_t count = std::min(room, g->pending());
    if (AddRows(g, count, batch, shares)) room -= count;
  }
  if (!shares.empty()) room = std::min(room, options_.busy_step_tokens);
  for (const auto& [g, count] : PlanPrompts(room)) {
    if (!IsRunning(g)) continue;  // gave its memory to another
    const std::string caller = g->caller();
    if (AddRows(g, count, batch, shares)) served_[caller] += count;
  }
  if (batch.rows.empty()) return false;

  ForwardResult result;
  const Status status = model_->Forward(batch, *workspace_, pool_, &result);
  if (!status.ok()) {
    for (const Share& s : shares) {
      s.generation->Finish(FinishReason::kError, status.message());
    }
  } else {
    Deliver(shares, result);
  }
  DropFinished();
  const std::chrono::duration<double> took = Generation::Clock::now() - begin;
  constexpr size_t kPromptRows = 64;
  if (batch.rows.size() >= kPromptRows) {
    const double rate = static_cast<double>(batch.rows.size()) / took.count();
    double& known = prompt_tokens_per_second_;
    known += (known == 0 ? 1.0 : 0.1) * (rate - known);
  }
  std::lock_guard<std::mutex> lock(mutex_);
  ++stats_.steps;
  stats_.batch_rows.Add(static_cast<double>(batch.rows.size()));
  stats_.batch_sequences.Add(static_cast<double>(batch.sequences.size()));
  stats_.step_seconds.Add(took.count());
  return true;
}

void Scheduler::Deliver(const std::vector<Share>& shares,
                        const ForwardResult& result) {
  int64_t output = 0;
  for (const Share& s : shares) {
    Generation& g = *s.generation;
    const int64_t before = g.done();
    const float* rows = result.logits + output * result.stride;
    output += s.outputs;
    if (g.scoring()) {
      for (int64_t i = 0; i < s.rows; ++i) {
        g.Score(before + i,
                {rows + i * result.stride, static_cast<size_t>(vocab_)});
      }
    }
    g.Advance(s.rows);
    Keep(g, before);
    if (!s.samples || g.finished()) continue;
    float* logits = const_cast<float*>(rows + (s.outputs - 1) * result.stride);
    g.Step({logits, static_cast<size_t>(vocab_)});
    std::lock_guard<std::mutex> lock(mutex_);
    ++stats_.output_tokens;
  }
}

void Scheduler::Keep(Generation& g, int64_t before) {
  const int64_t prompt = g.prompt_tokens();
  if (!options_.reuse_prefixes || before >= prompt) return;
  const int64_t after = g.done();
  int64_t last = before / boundary_tokens_ * boundary_tokens_;
  for (int64_t at = before + 1; at <= std::min(after, prompt); ++at) {
    // The end of the prompt is where the next turn of the same conversation
    // most likely departs; where a turn ends is where an edited one does.
    const bool turn =
        at < prompt && at - last >= kTurnTokens &&
        g.tokens()[static_cast<size_t>(at - 1)] == options_.turn_end;
    if (!turn && at != prompt && at % boundary_tokens_ != 0) continue;
    prefixes_.Insert(g.tokens(), *g.kv, at);
    last = at;
  }
}

void Scheduler::CatchUp(Generation& g) {
  if (!options_.reuse_prefixes || g.scoring()) return;
  KvSequence found =
      prefixes_.Find(g.tokens(), static_cast<int64_t>(g.tokens().size()) - 1);
  const int64_t gained = found.length() - g.done();
  if (gained < kKvTile) return;
  g.CatchUp(std::move(found));
  std::lock_guard<std::mutex> lock(mutex_);
  stats_.cached_tokens += gained;
}

void Scheduler::KeepAll(const Generation& g) {
  if (!options_.reuse_prefixes || g.done() == 0) return;
  prefixes_.Insert(g.tokens(), *g.kv, g.done());
  if (disk_ != nullptr) disk_->Save(g.tokens(), g.done());
}

void Scheduler::DropFinished() {
  for (size_t i = 0; i < running_.size();) {
    if (!running_[i]->finished()) {
      ++i;
      continue;
    }
    Count(*running_[i]);
    KeepAll(*running_[i]);
    running_.erase(running_.begin() + static_cast<ptrdiff_t>(i));
  }
}

}  // namespace carat
