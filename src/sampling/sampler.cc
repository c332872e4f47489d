#include "sampling/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "sampling/math.h"

namespace carat {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

Status BadRange(const char* name, double value, const char* range) {
  return InvalidArgument(
      fmt::format("{} is {}; expected {}.", name, value, range));
}

uint64_t SystemSeed() {
  std::random_device device;
  return (static_cast<uint64_t>(device()) << 32) ^ device();
}

// -infinity where the low four bits are 0.
void MaskFour(uint64_t bits, float* logits) {
  const Int4 allowed = {-static_cast<int32_t>(bits & 1),
                        -static_cast<int32_t>(bits >> 1 & 1),
                        -static_cast<int32_t>(bits >> 2 & 1),
                        -static_cast<int32_t>(bits >> 3 & 1)};
  Float4 x;
  std::memcpy(&x, logits, sizeof(x));
  x = allowed ? x : Splat(-kInf);
  std::memcpy(logits, &x, sizeof(x));
}

void ApplyMask(TokenMask mask, std::span<float> logits) {
  for (size_t word = 0, i = 0; i < logits.size(); ++word, i += 64) {
    const uint64_t bits = mask[word];
    if (bits == ~0ULL) continue;
    float* x = logits.data() + i;
    const size_t n = std::min<size_t>(64, logits.size() - i);
    if (bits == 0) {
      std::fill(x, x + n, -kInf);
    } else if (n == 64) {
      for (size_t j = 0; j < 64; j += 4) MaskFour(bits >> j, x + j);
    } else {
      for (size_t j = 0; j < n; ++j) {
        if ((bits >> j & 1) == 0) x[j] = -kInf;
      }
    }
  }
}

}  // namespace

Status ValidateSamplingParams(const SamplingParams& p, int vocab) {
  // Negated comparisons, so that NaN is refused too.
  if (!(p.temperature >= 0 && p.temperature <= 1000)) {
    return BadRange("temperature", p.temperature, "0 (greedy) to 1000");
  }
  if (p.top_k < 0) return BadRange("top_k", p.top_k, "0 (off) or more");
  if (!(p.top_p > 0 && p.top_p <= 1)) {
    return BadRange("top_p", p.top_p, "more than 0, up to 1 (off)");
  }
  if (!(p.min_p >= 0 && p.min_p <= 1)) {
    return BadRange("min_p", p.min_p, "0 (off) to 1");
  }
  if (!(p.repeat_penalty > 0 && p.repeat_penalty <= 100)) {
    return BadRange("repeat_penalty", p.repeat_penalty,
                    "more than 0, up to 100 (1: off)");
  }
  if (!(std::fabs(p.presence_penalty) <= 100)) {
    return BadRange("presence_penalty", p.presence_penalty, "-100 to 100");
  }
  if (!(std::fabs(p.frequency_penalty) <= 100)) {
    return BadRange("frequency_penalty", p.frequency_penalty, "-100 to 100");
  }
  if (p.penalty_window < -1) {
    return BadRange("penalty_window", p.penalty_window,
                    "-1 (everything), 0 (off) or more");
  }
  if (p.logprobs && (*p.logprobs < 0 || *p.logprobs > vocab)) {
    return BadRange("logprobs", *p.logprobs, "0 up to the vocabulary's size");
  }
  for (const auto& [id, bias] : p.logit_bias) {
    if (id < 0 || id >= vocab) {
      return InvalidArgument(
          fmt::format("logit_bias names token {}; expected an id from 0 to {}.",
                      id, vocab - 1));
    }
    if (!(bias < kInf)) {
      return InvalidArgument(fmt::format(
          "logit_bias of token {} is {}; expected a finite number or "
          "-infinity.",
          id, bias));
    }
  }
  return OkStatus();
}

Sampler::Sampler(const SamplingParams& params, int vocab, uint64_t seed)
    : params_(params), vocab_(vocab), seed_(seed), rng_(seed) {
  greedy_ = params.temperature == 0 || params.top_k == 1;
  keep_all_ = (params.top_k == 0 || params.top_k >= vocab) &&
              params.top_p == 1 && params.min_p == 0;
  penalise_ = params.penalty_window != 0 &&
              (params.repeat_penalty != 1 || params.presence_penalty != 0 ||
               params.frequency_penalty != 0);
}

Result<Sampler> Sampler::Create(const SamplingParams& params, int vocab,
                                std::vector<int32_t> suppress) {
  if (vocab <= 0) {
    return InvalidArgument(
        fmt::format("The vocabulary has {} tokens; expected some.", vocab));
  }
  CARAT_RETURN_IF_ERROR(ValidateSamplingParams(params, vocab));
  Sampler sampler(params, vocab, params.seed ? *params.seed : SystemSeed());
  std::erase_if(suppress,
                [vocab](int32_t id) { return id < 0 || id >= vocab; });
  sampler.suppress_ = std::move(suppress);
  return sampler;
}

void Sampler::Remember(int32_t token) {
  if (!penalise_ || token < 0 || token >= vocab_) return;
  window_.push_back(token);
  ++counts_[token];
  if (params_.penalty_window < 0) return;
  if (window_.size() > static_cast<size_t>(params_.penalty_window)) {
    const auto oldest = counts_.find(window_.front());
    if (--oldest->second == 0) counts_.erase(oldest);
    window_.pop_front();
  }
}

void Sampler::AddPrompt(std::span<const int32_t> tokens) {
  if (!penalise_) return;
  for (const int32_t token : tokens) Remember(token);
}

void Sampler::Accept(int32_t token) {
  Remember(token);
  ++step_;
}

Status Sampler::Check(std::span<const float> logits, TokenMask mask) const {
  if (logits.size() != static_cast<size_t>(vocab_)) {
    return InvalidArgument(
        fmt::format("The sampler got {} logits; expected {}, one per token.",
                    logits.size(), vocab_));
  }
  if (!mask.empty() && mask.size() * 64 < logits.size()) {
    return InvalidArgument(
        fmt::format("The token mask has {} bits; expected at least {}.",
                    mask.size() * 64, vocab_));
  }
  return OkStatus();
}

void Sampler::Edit(std::span<float> logits, int32_t id, float value) {
  edits_.push_back({id, logits[id]});
  logits[id] = value;
}

void Sampler::ApplyPenalties(std::span<float> logits) {
  for (const auto& [id, count] : counts_) {
    float logit = logits[id];
    logit = logit > 0 ? logit / params_.repeat_penalty
                      : logit * params_.repeat_penalty;
    logit -= static_cast<float>(count) * params_.frequency_penalty +
             params_.presence_penalty;
    Edit(logits, id, logit);
  }
}

void Sampler::ApplyEdits(std::span<float> logits, TokenMask mask) {
  edits_.clear();
  for (const int32_t id : suppress_) Edit(logits, id, -kInf);
  if (!mask.empty()) ApplyMask(mask, logits);
  for (const auto& [id, bias] : params_.logit_bias) {
    Edit(logits, id, logits[id] + bias);
  }
  if (penalise_) ApplyPenalties(logits);
}

void Sampler::Select(std::span<const float> logits, float max) {
  const bool top_p = params_.top_p < 1;
  if (params_.top_k > 0 && params_.top_k < vocab_) {
    SelectTopK(logits, params_.top_k, &candidates_);
    if (top_p) CutTopP(params_.top_p, &candidates_);
    // The draw walks by ascending id, whichever way the tokens were found.
    std::sort(
        candidates_.begin(), candidates_.end(),
        [](const Candidate& a, const Candidate& b) { return a.id < b.id; });
  } else if (top_p) {
    SelectTopP(logits, max, params_.top_p, &candidates_);
  } else {
    // A little low, for the rounding of Log; the exact test follows.
    const double floor = max + NaturalLog(params_.min_p) - 1e-3;
    SelectFrom(logits, static_cast<float>(floor), &candidates_);
  }
  if (params_.min_p > 0) {
    std::erase_if(candidates_, [&](const Candidate& c) {
      return ExpNonPositive(c.logit - max) < params_.min_p;
    });
  }
}

int32_t Sampler::Draw(std::span<const float> logits, float max) {
  if (keep_all_) {
    return DrawFromAll(logits, {.max = max, .temperature = params_.temperature},
                       rng_.Uniform(step_));
  }
  Select(logits, max);
  weights_.resize(candidates_.size() + 3);
  double total = 0;
  for (size_t i = 0; i < candidates_.size(); i += 4) {
    Float4 x = Splat(-kInf);
    const size_t n = std::min<size_t>(4, candidates_.size() - i);
    for (size_t j = 0; j < n; ++j) x[j] = candidates_[i + j].logit - max;
    const Float4 weight = ExpNonPositive(x / Splat(params_.temperature));
    for (size_t j = 0; j < 4; ++j) {
      weights_[i + j] = weight[j];
      total += weight[j];
    }
  }
  const double target = rng_.Uniform(step_) * total;
  double sum = 0;
  int32_t last = -1;
  for (size_t i = 0; i < candidates_.size(); ++i) {
    if (weights_[i] == 0) continue;
    last = candidates_[i].id;
    sum += weights_[i];
    if (sum > target) break;
  }
  return last;
}

void Sampler::ModelLogprobs(std::span<const float> logits, float max,
                            SampledToken* out) {
  log_sum_ =
      NaturalLog(SumExp(logits, {.max = max})) + static_cast<double>(max);
  SelectTopK(logits, *params_.logprobs, &candidates_);
  for (const Candidate& c : candidates_) {
    out->top.push_back({c.id, static_cast<float>(c.logit - log_sum_)});
  }
}

Result<SampledToken> Sampler::Sample(std::span<float> logits, TokenMask mask) {
  CARAT_RETURN_IF_ERROR(Check(logits, mask));
  LogitScan scan = ScanLogits(logits);
  if (scan.malformed) {
    return Internal(
        "The model's logits contain NaN or infinity; the model file may be "
        "damaged.");
  }
  SampledToken out;
  if (params_.logprobs && scan.max > -kInf) {
    ModelLogprobs(logits, scan.max, &out);
  }
  ApplyEdits(logits, mask);
  if (!edits_.empty() || !mask.empty()) scan = ScanLogits(logits);
  if (scan.malformed) {
    return Internal(
        "Penalties and bias made a logit NaN or infinite; use smaller ones.");
  }
  if (scan.max == -kInf) {
    return FailedPrecondition(
        "No token is left to choose from: the grammar, the bias or the "
        "suppressed tokens forbid every one.");
  }
  if (greedy_) {
    out.id = FirstEqual(logits, scan.max);
  } else {
    out.id = Draw(logits, scan.max);
  }
  if (params_.logprobs) {
    // The first edit of a token holds its logit as the model gave it.
    const auto edit =
        std::find_if(edits_.begin(), edits_.end(),
                     [&](const Candidate& e) { return e.id == out.id; });
    const float logit = edit != edits_.end() ? edit->logit : logits[out.id];
    out.logprob = static_cast<float>(logit - log_sum_);
  }
  return out;
}

Result<SampledToken> Sampler::Score(std::span<const float> logits,
                                    int32_t token) {
  CARAT_RETURN_IF_ERROR(Check(logits, {}));
  if (!params_.logprobs || token < 0 || token >= vocab_) {
    return InvalidArgument(fmt::format(
        "Token {} of a vocabulary of {} cannot be scored.", token, vocab_));
  }
  const LogitScan scan = ScanLogits(logits);
  if (scan.malformed || scan.max == -kInf) {
    return Internal(
        "The model's logits contain NaN or infinity; the model file may be "
        "damaged.");
  }
  SampledToken out;
  out.id = token;
  ModelLogprobs(logits, scan.max, &out);
  out.logprob = static_cast<float>(logits[token] - log_sum_);
  return out;
}

}  // namespace carat
