// One request while the engine works on it: its tokens, cache, sampler and the
// path from sampled tokens to events. Owned and used by the engine's thread.
#ifndef CARAT_RUNTIME_GENERATION_H_
#define CARAT_RUNTIME_GENERATION_H_

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "carat/request.h"
#include "kv/kv_sequence.h"
#include "runtime/event_queue.h"
#include "sampling/sampler.h"
#include "sampling/stop.h"
#include "tokenizer/tokenizer.h"

namespace carat {

class Generation {
 public:
  using Clock = std::chrono::steady_clock;

  // `prompt` is not empty and leaves room for one token in `context_tokens`.
  // Errors: invalid sampling parameters or stop strings.
  static Result<std::unique_ptr<Generation>> Create(
      const GenerateRequest& request, std::vector<TokenId> prompt,
      const Tokenizer* tokenizer, int vocab,
      const std::vector<int32_t>& suppress, int64_t context_tokens,
      std::shared_ptr<EventQueue> events);

  const std::vector<TokenId>& tokens() const { return tokens_; }
  int64_t prompt_tokens() const { return prompt_tokens_; }
  // Positions that are in the cache already.
  int64_t done() const { return kv ? kv->length() : 0; }
  // Tokens that are not in the cache yet: 1 while generating, more while the
  // prompt is read or after the cache was taken away.
  int64_t pending() const {
    return static_cast<int64_t>(tokens_.size()) - done();
  }
  bool cancelled() const { return events_->cancelled(); }
  bool finished() const { return finished_; }

  // The cache; set when the engine starts on the request.
  std::optional<KvSequence> kv;

  void Start(int64_t cached_tokens);
  // `rows` more tokens are in the cache. True when that completed the prompt
  // for the first time.
  bool Advance(int64_t rows);
  // Chooses the next token from logits [vocab] (overwritten) and emits what it
  // brings; may finish.
  void Step(std::span<float> logits);
  void Finish(FinishReason reason, std::string error = {});

 private:
  Generation(Sampler sampler, StopRules stop)
      : sampler_(std::move(sampler)), stop_(std::move(stop)) {}

  void Emit(GenerateEvent event) { events_->Push(std::move(event)); }
  void EmitText(std::string text);

  const Tokenizer* tokenizer_ = nullptr;
  std::shared_ptr<EventQueue> events_;
  std::vector<TokenId> tokens_;  // prompt, then output
  int64_t prompt_tokens_ = 0;
  int64_t cached_tokens_ = 0;
  int64_t context_tokens_ = 0;
  bool wants_probabilities_ = false;
  Sampler sampler_;
  StopRules stop_;
  std::optional<StreamDecoder> decoder_;
  std::vector<std::string> stop_strings_;
  bool finished_ = false;
  bool prompt_read_ = false;
  Clock::time_point submitted_, started_, first_token_;
  bool has_first_token_ = false;
};

}  // namespace carat

#endif  // CARAT_RUNTIME_GENERATION_H_
