// What a request says about sampling. Absent fields keep the model's own
// defaults, which are known only once the model is loaded: requests are read
// and checked before that.
#ifndef CARAT_API_SAMPLING_FIELDS_H_
#define CARAT_API_SAMPLING_FIELDS_H_

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "carat/sampling_params.h"

namespace carat {

struct SamplingFields {
  std::optional<double> temperature, top_p, min_p;
  std::optional<double> repeat_penalty, presence_penalty, frequency_penalty;
  std::optional<int64_t> top_k, penalty_window;
  std::optional<int64_t> seed;
  std::optional<int64_t> logprobs;
  std::vector<std::pair<int32_t, float>> logit_bias;

  // `base`, normally the model's own, with the given fields replaced. Ranges
  // are checked by the engine.
  SamplingParams Over(SamplingParams base) const;
};

}  // namespace carat

#endif  // CARAT_API_SAMPLING_FIELDS_H_
