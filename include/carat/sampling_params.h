// How the next token is chosen. The defaults are Google's for Gemma; a model's
// own generation config may replace them. sampling/sampler.h documents the
// order in which the fields act.
#ifndef CARAT_SAMPLING_PARAMS_H_
#define CARAT_SAMPLING_PARAMS_H_

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace carat {

struct SamplingParams {
  float temperature = 1.0f;  // 0: greedy, the most likely token always
  int top_k = 64;            // 0: off
  float top_p = 0.95f;       // 1: off
  float min_p = 0.0f;        // 0: off; relative to the most likely token

  // Penalties look at the last `penalty_window` tokens, the prompt's included.
  float repeat_penalty = 1.0f;     // 1: off; > 1 discourages
  float presence_penalty = 0.0f;   // once per distinct token
  float frequency_penalty = 0.0f;  // per occurrence
  int penalty_window = 64;         // 0: penalties off; -1: everything so far

  // Absent: drawn afresh for each request. The one used is reported.
  std::optional<uint64_t> seed;
  // Added to the logits; -infinity forbids a token.
  std::vector<std::pair<int32_t, float>> logit_bias;
  // Alternatives reported per token; 0: only the chosen token's own
  // log-probability; absent: none.
  std::optional<int> logprobs;
};

}  // namespace carat

#endif  // CARAT_SAMPLING_PARAMS_H_
