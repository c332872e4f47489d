// The engine: one thread that owns the model's mutable state (KV pages,
// workspace, sequences) and turns requests into events. Every step it takes the
// next token of each running sequence plus a chunk of the oldest unread prompt
// through the model in one batch.
//
// Threads: Engine's methods may be called from any thread. Requests are
// rendered and tokenized on the caller's thread and handed over a queue; events
// come back over a queue of their own and are delivered on the caller's thread.
#ifndef CARAT_RUNTIME_ENGINE_H_
#define CARAT_RUNTIME_ENGINE_H_

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "carat/request.h"
#include "chat/chat_format.h"
#include "models/model.h"
#include "runtime/engine_stats.h"
#include "runtime/memory_plan.h"
#include "runtime/model_info.h"
#include "tokenizer/tokenizer.h"

namespace carat {

struct EngineOptions {
  std::string model_path;
  int threads = 0;             // 0: the CPUs this process may use
  int64_t context_tokens = 0;  // 0: the model's own, or what fits in memory
  KvType kv_type = KvType::kF16;
  // Memory of all keys and values, running and cached: at least one full
  // context. 0: that and a share of what is free; kKvOneContext: just that.
  uint64_t kv_bytes = 0;
  int64_t step_tokens = 512;  // most rows of one batch
  // Most rows of prompts in a batch in which others generate: bounds the wait
  // for their next token.
  int64_t busy_step_tokens = 256;
  int max_sequences = 16;      // that run at the same time
  int max_queue = 256;         // that wait; more are refused
  bool reuse_prefixes = true;  // keep caches of earlier prompts
  // Folder for caches of prompts that survive the memory and a restart, and
  // its limit in bytes. Empty: none. Needs reuse_prefixes.
  std::string cache_dir;
  uint64_t cache_dir_bytes = uint64_t{10} << 30;
  // Folder where packed weights stay for the next load, and its limit in
  // bytes. Empty: none.
  std::string packed_dir;
  uint64_t packed_dir_bytes = uint64_t{20} << 30;
  std::string chat_format;  // empty: detected from the file
  // Told while weights are packed: share of the file done, 0 to 1.
  std::function<void(double share)> progress;
  // Asked now and then while the model loads, maybe from several threads;
  // false ends that soon, with kCancelled.
  std::function<bool()> go_on;
};

// What loading took.
struct LoadReport {
  double seconds = 0;            // everything
  double tokenizer_seconds = 0;  // beside the weights, on a thread of its own
  double weights_seconds = 0;    // packing, or mapping what was packed before
  uint64_t packed_bytes = 0;

  // What became of the file of packed weights.
  enum class Kept { kNotAsked, kFound, kWritten, kFailed };
  Kept kept = Kept::kNotAsked;
  std::string kept_path;
  std::string kept_problem;  // with the file found, or with writing one
  double write_seconds = 0;  // of kWritten
};
const char* KeptName(LoadReport::Kept kept);

// A request in the engine's hands. Destroying it cancels the request.
class GenerationHandle {
 public:
  virtual ~GenerationHandle() = default;
  // Waits for the next event. After Done there is none.
  virtual GenerateEvent Next() = 0;
  // Waits at most `timeout_ms`; false when nothing came.
  virtual bool NextFor(int timeout_ms, GenerateEvent* event) = 0;
  // Ends the request within one step; Done follows with kCancelled.
  virtual void Cancel() = 0;
};

class Engine {
 public:
  // Opens, checks and loads a model. Errors name the file and what to do.
  static Result<std::unique_ptr<Engine>> Load(const EngineOptions& options);
  virtual ~Engine() = default;

  virtual const Tokenizer& tokenizer() const = 0;
  virtual const ModelInfo& info() const = 0;
  virtual const MemoryPlan& plan() const = 0;
  virtual const TokenWork& work() const = 0;
  // The format messages are rendered with; "none" for base models.
  virtual const ChatFormat& chat_format() const = 0;
  virtual int64_t context_tokens() const = 0;
  virtual int threads() const = 0;
  virtual const LoadReport& load_report() const = 0;
  // Bytes of the packed weights that are in huge pages right now.
  virtual uint64_t HugePageBytes() const = 0;
  // What the loader wants the user to know, e.g. widened types.
  virtual const std::vector<std::string>& notes() const = 0;
  virtual EngineStats stats() const = 0;

  // The request's prompt as token ids, BOS included.
  virtual Result<std::vector<TokenId>> PromptTokens(
      const GenerateRequest& request) const = 0;

  // Checks, renders and queues a request. Errors: invalid parameters, a prompt
  // that leaves no room in the context, kUnavailable when the queue is full.
  virtual Result<std::unique_ptr<GenerationHandle>> Submit(
      const GenerateRequest& request) = 0;

  // Submit and deliver all events to `sink` on this thread until Done. The sink
  // returns false to cancel. The returned Done was delivered too.
  Result<Done> Generate(const GenerateRequest& request,
                        const std::function<bool(const GenerateEvent&)>& sink);

  // Runs `tokens` from an empty cache and hands the logits [vocab] of every
  // position from `first` on to `callback`, in order, which returns false to
  // stop. Waits for its turn on the engine's thread.
  virtual Status EvaluateLogits(
      std::span<const TokenId> tokens, int64_t first,
      const std::function<bool(int64_t position,
                               std::span<const float> logits)>& callback,
      Observer* observer = nullptr) = 0;

  // For benchmarks: reads `depth` tokens, then times reading `prompt` more
  // (prompt > 0), or generating `decode` steps of `rows` sequences at once.
  // Tokens are pseudo-random.
  struct Timed {
    int64_t depth = 0;
    int64_t prompt = 0;
    int64_t decode = 0;
    int rows = 1;
  };
  struct Timing {
    double seconds = 0;  // of the timed part
    // Bytes a second at which the same threads read the packed weights just
    // before and after it, the mean; 0 without `decode`. Memory that others use
    // too is fast in one second and slow in the next.
    double read_speed = 0;
  };
  virtual Result<Timing> Time(const Timed& what) = 0;
};

}  // namespace carat

#endif  // CARAT_RUNTIME_ENGINE_H_
