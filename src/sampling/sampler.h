// Chooses the next token of one sequence from its logits.
//
// Order, the one of llama.cpp's default chain and of Google's description of
// its API (top-k, then top-p, then temperature):
//
//   1. suppressed tokens and tokens outside the mask: -infinity
//   2. logit bias (added)
//   3. repetition penalty, then frequency and presence penalties, over the
//      last `penalty_window` tokens
//   4. top-k   5. top-p over what top-k left   6. min-p
//   7. temperature   8. draw (or, greedy: the best token after step 3)
//
// transformers and vLLM scale by the temperature before top-k and top-p: a
// high temperature then widens the set that top-p keeps. Here temperature
// never changes which tokens may come, only how often. At temperature 1, the
// default, the two orders are the same.
//
// Log-probabilities are those of the model: softmax of the logits as they came
// in, before any of the steps.
//
// A Sampler owns its parameters, history and random source; copying one forks
// the sequence. Not thread-safe; distinct Samplers are independent. The same
// logits, parameters, seed and history give the same token on every platform.
#ifndef CARAT_SAMPLING_SAMPLER_H_
#define CARAT_SAMPLING_SAMPLER_H_

#include <cstdint>
#include <deque>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/status.h"
#include "carat/sampling_params.h"
#include "sampling/candidates.h"
#include "sampling/rng.h"

namespace carat {

// Bit id % 64 of word id / 64 says whether a token is allowed.
using TokenMask = std::span<const uint64_t>;

struct TokenLogprob {
  int32_t id = -1;
  float logprob = 0;
};

struct SampledToken {
  int32_t id = -1;
  // Set when params.logprobs is; top: the most likely tokens, sorted.
  float logprob = 0;
  std::vector<TokenLogprob> top;
};

// An error that names the field, the value and the range.
Status ValidateSamplingParams(const SamplingParams& params, int vocab);

class Sampler {
 public:
  // `suppress`: ids never to be generated; those outside the vocabulary are
  // ignored. Without params.seed one is drawn from the system.
  static Result<Sampler> Create(const SamplingParams& params, int vocab,
                                std::vector<int32_t> suppress = {});

  // Prompt tokens, for the penalties.
  void AddPrompt(std::span<const int32_t> tokens);

  // Chooses a token. `logits` [vocab] is overwritten. `mask`, when not empty,
  // has at least vocab bits. Until Accept, calling again with the same logits
  // chooses the same token.
  // Errors: NaN or +infinity among the logits (kInternal), nothing left to
  // choose from (kFailedPrecondition), a wrong size (kInvalidArgument).
  Result<SampledToken> Sample(std::span<float> logits, TokenMask mask = {});

  // What Sample would tell of `token` if it chose it. params.logprobs is set;
  // history and random source stay as they are. Errors: as Sample.
  Result<SampledToken> Score(std::span<const float> logits, int32_t token);

  // Makes `token` part of the history and moves on to the next draw.
  void Accept(int32_t token);

  const SamplingParams& params() const { return params_; }
  uint64_t seed() const { return seed_; }

 private:
  Sampler(const SamplingParams& params, int vocab, uint64_t seed);

  Status Check(std::span<const float> logits, TokenMask mask) const;
  void Remember(int32_t token);
  void ApplyEdits(std::span<float> logits, TokenMask mask);
  void ApplyPenalties(std::span<float> logits);
  void Edit(std::span<float> logits, int32_t id, float value);
  // Fills candidates_ with what steps 4 to 6 leave.
  void Select(std::span<const float> logits, float max);
  int32_t Draw(std::span<const float> logits, float max);
  void ModelLogprobs(std::span<const float> logits, float max,
                     SampledToken* out);

  SamplingParams params_;
  int vocab_ = 0;
  uint64_t seed_ = 0;
  CounterRng rng_;
  uint64_t step_ = 0;  // tokens accepted so far
  bool greedy_ = false;
  bool keep_all_ = false;  // no top-k, top-p or min-p
  bool penalise_ = false;
  std::vector<int32_t> suppress_;
  std::deque<int32_t> window_;               // the last tokens
  std::unordered_map<int32_t, int> counts_;  // of window_
  std::vector<Candidate> candidates_;        // scratch
  std::vector<float> weights_;               // scratch, of candidates_
  std::vector<Candidate> edits_;  // logits before they were changed, in order
  double log_sum_ = 0;            // of the unmodified logits
};

}  // namespace carat

#endif  // CARAT_SAMPLING_SAMPLER_H_
