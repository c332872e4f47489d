#include "api/sampling_fields.h"

#include <algorithm>
#include <limits>

namespace carat {
namespace {

// Out-of-range integers stay out of range instead of wrapping around.
int Clamp(int64_t value) {
  return static_cast<int>(std::clamp<int64_t>(
      value, std::numeric_limits<int>::min(), std::numeric_limits<int>::max()));
}

void Set(const std::optional<double>& from, float* to) {
  if (from) *to = static_cast<float>(*from);
}

void Set(const std::optional<int64_t>& from, int* to) {
  if (from) *to = Clamp(*from);
}

}  // namespace

SamplingParams SamplingFields::Over(SamplingParams base) const {
  Set(temperature, &base.temperature);
  Set(top_p, &base.top_p);
  Set(min_p, &base.min_p);
  Set(repeat_penalty, &base.repeat_penalty);
  Set(presence_penalty, &base.presence_penalty);
  Set(frequency_penalty, &base.frequency_penalty);
  Set(top_k, &base.top_k);
  Set(penalty_window, &base.penalty_window);
  if (seed) base.seed = static_cast<uint64_t>(*seed);
  if (logprobs) base.logprobs = Clamp(*logprobs);
  if (!logit_bias.empty()) base.logit_bias = logit_bias;
  return base;
}

}  // namespace carat
