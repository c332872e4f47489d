#include "runtime/scheduler.h"

#include <algorithm>
#include <future>

namespace carat {

Scheduler::Scheduler(const Model* model, int vocab, const Options& options)
    : model_(model),
      vocab_(vocab),
      options_(options),
      pool_(options.threads),
      pages_(model->kv_layout(), options.kv_budget_bytes),
      prefixes_(options.prefix_entries),
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

void Scheduler::Submit(std::unique_ptr<Generation> generation) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    ++stats_.requests;
    queue_.push_back(std::move(generation));
  }
  wake_.notify_all();
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
    Admit();
    if (!Step()) DropFinished();
    std::lock_guard<std::mutex> lock(mutex_);
    stats_.running = static_cast<int>(running_.size());
    stats_.kv_used_bytes = pages_.used_bytes();
    stats_.kv_reserved_bytes = pages_.reserved_bytes();
  }
  std::lock_guard<std::mutex> lock(mutex_);
  for (auto& g : running_) g->Finish(FinishReason::kCancelled);
  for (auto& g : queue_) g->Finish(FinishReason::kCancelled);
  running_.clear();
  queue_.clear();
  for (const auto& job : jobs_) job();
  prefixes_.Clear();
}

bool Scheduler::FitsBeside(const Generation& g) const {
  if (running_.empty()) return true;
  // Room for what it has and for a while of generating.
  constexpr int64_t kAhead = 64;
  const uint64_t bytes = KvSequence::BytesFor(
      model_->kv_layout(), static_cast<int64_t>(g.tokens().size()) + kAhead,
      options_.step_tokens);
  return pages_.used_bytes() + bytes <= pages_.budget_bytes();
}

void Scheduler::Admit() {
  while (static_cast<int>(running_.size()) < options_.max_sequences) {
    std::unique_ptr<Generation> g;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (queue_.empty()) return;
      while (!FitsBeside(*queue_.front())) {
        if (!prefixes_.EvictOne()) return;
      }
      g = std::move(queue_.front());
      queue_.pop_front();
    }
    if (g->cancelled()) {
      g->Finish(FinishReason::kCancelled);
      continue;
    }
    g->kv.emplace(prefixes_.Find(g->tokens(), &pages_));
    g->Start(g->kv->length());
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stats_.prompt_tokens += g->prompt_tokens();
      stats_.cached_tokens += g->kv->length();
    }
    running_.push_back(std::move(g));
  }
}

Status Scheduler::ExtendWithEviction(KvSequence& kv, int64_t count) {
  Status status = kv.Extend(count);
  while (!status.ok() && prefixes_.EvictOne()) status = kv.Extend(count);
  return status;
}

bool Scheduler::MakeRoom(size_t index, int64_t count,
                         const std::vector<Share>& shares) {
  Generation& g = *running_[index];
  for (;;) {
    const Status room = ExtendWithEviction(*g.kv, count);
    if (room.ok()) return true;
    if (running_.size() == 1) {
      g.Finish(FinishReason::kError, room.message());
      return false;
    }
    // The latest comer gives way, back to the head of the queue.
    const Generation* last = running_.back().get();
    const bool in_batch =
        std::any_of(shares.begin(), shares.end(),
                    [&](const Share& s) { return s.generation == last; });
    if (in_batch) return false;
    const bool self = running_.size() == index + 1;
    std::unique_ptr<Generation> latest = std::move(running_.back());
    running_.pop_back();
    latest->kv->Clear();
    {
      std::lock_guard<std::mutex> lock(mutex_);
      queue_.push_front(std::move(latest));
    }
    if (self) return false;
  }
}

void Scheduler::AddRows(size_t index, int64_t count, Batch& batch,
                        std::vector<Share>& shares) {
  if (!MakeRoom(index, count, shares)) return;
  Generation& g = *running_[index];
  const int sequence = static_cast<int>(batch.sequences.size());
  batch.sequences.push_back(&g.kv->tables());
  const int64_t first = g.done();
  const bool samples = count == g.pending();
  for (int64_t i = 0; i < count; ++i) {
    batch.rows.push_back({.token = g.tokens()[first + i],
                          .position = first + i,
                          .sequence = sequence,
                          .output = samples && i + 1 == count});
  }
  shares.push_back({&g, count, samples});
}

bool Scheduler::Step() {
  Batch batch;
  std::vector<Share> shares;
  int64_t room = options_.step_tokens;
  for (auto& g : running_) {
    if (g->cancelled()) g->Finish(FinishReason::kCancelled);
  }
  DropFinished();
  // Sequences that are generating come first: their next token must not wait
  // for somebody else's prompt. Making room may shorten running_ at its end.
  for (size_t i = 0; i < running_.size() && room > 0; ++i) {
    if (running_[i]->pending() != 1) continue;
    AddRows(i, 1, batch, shares);
    --room;
  }
  for (size_t i = 0; i < running_.size() && room > 0; ++i) {
    if (running_[i]->finished() || running_[i]->pending() <= 1) continue;
    const int64_t count = std::min(room, running_[i]->pending());
    AddRows(i, count, batch, shares);
    room -= count;
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
  std::lock_guard<std::mutex> lock(mutex_);
  ++stats_.steps;
  return true;
}

void Scheduler::Deliver(const std::vector<Share>& shares,
                        const ForwardResult& result) {
  int64_t output = 0;
  for (const Share& s : shares) {
    Generation& g = *s.generation;
    if (g.Advance(s.rows)) {
      // The state right behind the prompt is where the next turn of the same
      // conversation most likely departs.
      prefixes_.Insert(g.tokens(), g.kv->Fork(g.kv->length()));
    }
    if (!s.samples) continue;
    float* logits = const_cast<float*>(result.logits + output * result.stride);
    ++output;
    g.Step({logits, static_cast<size_t>(vocab_)});
    std::lock_guard<std::mutex> lock(mutex_);
    ++stats_.output_tokens;
  }
}

void Scheduler::DropFinished() {
  for (size_t i = 0; i < running_.size();) {
    if (!running_[i]->finished()) {
      ++i;
      continue;
    }
    prefixes_.Insert(running_[i]->tokens(), std::move(*running_[i]->kv));
    running_.erase(running_.begin() + static_cast<ptrdiff_t>(i));
  }
}

}  // namespace carat
