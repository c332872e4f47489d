// The engine's thread: takes requests from a queue, forms one batch per step
// from everything that runs, and feeds the results back. All mutable state of a
// model in use lives here.
#ifndef CARAT_RUNTIME_SCHEDULER_H_
#define CARAT_RUNTIME_SCHEDULER_H_

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "kv/prefix_disk.h"
#include "kv/prefix_index.h"
#include "models/model.h"
#include "runtime/engine.h"
#include "runtime/fair_queue.h"
#include "runtime/generation.h"

namespace carat {

class Scheduler {
 public:
  struct Options {
    int threads = 1;
    int64_t step_tokens = 512;
    int64_t busy_step_tokens = 256;  // of prompts while others generate
    int max_sequences = 16;
    int max_queue = 256;
    uint64_t kv_budget_bytes = 0;
    bool reuse_prefixes = true;
    TokenId turn_end = -1;  // the token that ends a turn, if there is one
  };

  // `model` and `vocab` tokens of it that may be generated; the model outlives
  // the scheduler.
  // `disk`: behind the prefix index, or null.
  Scheduler(const Model* model, int vocab, const Options& options,
            std::unique_ptr<DiskTier> disk);
  ~Scheduler();  // cancels what still runs

  // Thread-safe. kUnavailable when the queue is full.
  Status Submit(std::unique_ptr<Generation> generation);
  // Runs `job` on the engine's thread between two steps and waits for it.
  void RunExclusive(const std::function<void()>& job);
  EngineStats stats() const;

  // For jobs inside RunExclusive.
  PagePool& pages() { return pages_; }
  Workspace& workspace() { return *workspace_; }
  ThreadPool& pool() { return pool_; }
  // Makes room in the page pool by dropping prefixes until `extend` succeeds.
  Status ExtendWithEviction(KvSequence& kv, int64_t count);

 private:
  // Rows of one generation in the current batch.
  struct Share {
    Generation* generation;
    int64_t rows;
    bool samples;     // its last row's logits are wanted
    int64_t outputs;  // rows, the last ones, whose logits are wanted
  };

  void Loop();
  void Admit();
  // Ends what was cancelled or is past its deadline, running or waiting.
  void EndGone();
  void Count(const Generation& finished);
  void DropFinished();
  bool Step();
  // Whether `g` can run beside the others when it starts from `kv`.
  bool FitsBeside(const Generation& g, const KvSequence& kv) const;
  // Rows of prompts whose logits fit beside those of all others, so that the
  // workspace stays within its plan.
  int64_t ScoredRows() const;
  // Who reads how much of its prompt in this step, `room` tokens in all.
  std::vector<std::pair<Generation*, int64_t>> PlanPrompts(int64_t room);
  // Room for `count` more tokens of `g`, if need be by taking the caches of
  // sequences that started later and are not in this step's batch; they read
  // again when there is room. False: not in this step.
  bool MakeRoom(Generation* g, int64_t count, const std::vector<Share>& shares);
  // False when `g` has to sit this step out.
  bool AddRows(Generation* g, int64_t count, Batch& batch,
               std::vector<Share>& shares);
  void Deliver(const std::vector<Share>& shares, const ForwardResult& result);
  // What is known of `g`'s tokens, in memory and, if there is room for all of
  // them, on disk.
  KvSequence FindPrefix(const Generation& g);
  // Skips what another sequence has read of the same prompt in the meantime.
  void CatchUp(Generation& g);
  // Keeps all of what `g` has read.
  void KeepAll(const Generation& g);
  // Keeps what `g` has read since `before` for others, at the boundaries in it.
  void Keep(Generation& g, int64_t before);
  bool IsRunning(const Generation* g) const;

  const Model* model_;
  const int vocab_;
  const Options options_;
  ThreadPool pool_;
  PagePool pages_;
  PrefixIndex prefixes_;
  const int64_t boundary_tokens_;        // between windows kept of long prompts
  std::unique_ptr<PrefixDisk> disk_;     // null without
  double prompt_tokens_per_second_ = 0;  // of steps that read prompts
  std::unique_ptr<Workspace> workspace_;
  std::vector<std::unique_ptr<Generation>> running_;  // oldest first
  // Tokens of prompts read for each caller that runs.
  std::map<std::string, int64_t> served_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  FairQueue queue_;                         // guarded by mutex_
  std::deque<std::function<void()>> jobs_;  // guarded by mutex_
  EngineStats stats_;                       // guarded by mutex_
  bool stop_ = false;                       // guarded by mutex_
  std::thread thread_;
};

}  // namespace carat

#endif  // CARAT_RUNTIME_SCHEDULER_H_
