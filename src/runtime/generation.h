// One request while the engine works on it: its tokens, cache, sampler, grammar
// and budgets. Owned and used by the engine's thread.
#ifndef CARAT_RUNTIME_GENERATION_H_
#define CARAT_RUNTIME_GENERATION_H_

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "carat/request.h"
#include "grammar/grammar.h"
#include "kv/kv_sequence.h"
#include "runtime/event_queue.h"
#include "runtime/output_pipeline.h"
#include "sampling/sampler.h"
#include "tokenizer/tokenizer.h"

namespace carat {

// What Generation needs beside the request itself.
struct GenerationSetup {
  std::vector<TokenId> prompt;  // not empty, leaves room in the context
  const Tokenizer* tokenizer = nullptr;
  const ChatFormat* format = nullptr;  // null: the output is plain text
  OutputState state = OutputState::kContent;
  std::optional<GrammarState> grammar;
  std::vector<int32_t> suppress;  // never generated
  int vocab = 0;
  int64_t context_tokens = 0;
  std::shared_ptr<EventQueue> events;
};

class Generation {
 public:
  using Clock = std::chrono::steady_clock;

  // Errors: invalid sampling parameters or stop strings.
  static Result<std::unique_ptr<Generation>> Create(
      const GenerateRequest& request, GenerationSetup setup);

  const std::vector<TokenId>& tokens() const { return tokens_; }
  int64_t prompt_tokens() const { return prompt_tokens_; }
  // Positions that are in the cache already.
  int64_t done() const { return kv ? kv->length() : 0; }
  // Tokens that are not in the cache yet: 1 while generating, more while the
  // prompt is read, after forced tokens or after the cache was taken away.
  int64_t pending() const {
    return static_cast<int64_t>(tokens_.size()) - done();
  }
  bool cancelled() const { return events_->cancelled(); }
  // Past its deadline.
  bool expired(Clock::time_point now) const { return now >= deadline_; }
  const std::string& caller() const { return caller_; }
  // Generating: its next token must not wait for somebody's prompt. Tokens that
  // a grammar forced may be pending beside it.
  bool decoding() const { return prompt_read_ && pending() <= kForcedTokens; }
  static constexpr int64_t kForcedTokens = 32;
  bool finished() const { return finished_; }
  FinishReason reason() const { return reason_; }      // once finished
  const Timings& timings() const { return timings_; }  // once finished
  bool started() const { return started_ != Clock::time_point{}; }

  // Reading its prompt while the logits of every row are wanted: nothing of it
  // may come from another's cache.
  bool scoring() const { return score_prompt_ && !prompt_read_; }

  // The cache; set when the engine starts on the request.
  std::optional<KvSequence> kv;

  void Start(int64_t cached_tokens);
  // Goes on from `longer`, the cache of more of the same tokens.
  void CatchUp(KvSequence longer);
  // `rows` more tokens are in the cache. True when that completed the prompt
  // for the first time.
  bool Advance(int64_t rows);
  // While scoring, before Advance: the logits [vocab] of the row at `position`.
  void Score(int64_t position, std::span<const float> logits);
  // Chooses the next token from logits [vocab] (overwritten), appends it and
  // whatever the grammar forces behind it, and emits what that brings; may
  // finish.
  void Step(std::span<float> logits);
  void Finish(FinishReason reason, std::string error = {});

 private:
  explicit Generation(Sampler sampler) : sampler_(std::move(sampler)) {}

  TokenProbability Probability(const SampledToken& token) const;
  // The token that must come next whatever the logits say, or -1.
  TokenId Overruled() const;
  Result<SampledToken> Choose(std::span<float> logits);
  // Makes a token part of the output. False when the generation is over.
  bool Append(TokenId id);
  void AppendForced();

  const Tokenizer* tokenizer_ = nullptr;
  std::shared_ptr<EventQueue> events_;
  std::vector<TokenId> tokens_;  // prompt, then output
  int64_t prompt_tokens_ = 0;
  int64_t cached_tokens_ = 0;
  int64_t context_tokens_ = 0;
  int64_t max_tokens_ = -1;
  bool wants_probabilities_ = false;
  bool score_prompt_ = false;
  std::vector<TokenProbability> prompt_probabilities_;
  Sampler sampler_;
  std::optional<GrammarState> grammar_;
  std::vector<uint64_t> mask_;
  std::unique_ptr<OutputPipeline> output_;
  TokenId thought_close_ = -1;
  int64_t max_thought_tokens_ = -1;
  std::string caller_;
  bool finished_ = false;
  FinishReason reason_ = FinishReason::kError;
  Timings timings_;
  bool prompt_read_ = false;
  bool has_first_token_ = false;
  Clock::time_point submitted_, started_, first_token_;
  Clock::time_point deadline_ = Clock::time_point::max();
};

}  // namespace carat

#endif  // CARAT_RUNTIME_GENERATION_H_
