#include "cli/divergence.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "sampling/candidates.h"

namespace carat {

double LogSumExp(std::span<const float> logits) {
  const float max = ScanLogits(logits).max;
  return std::log(SumExp(logits, {.max = max})) + static_cast<double>(max);
}

int32_t ArgMax(std::span<const float> logits) {
  return FirstEqual(logits, ScanLogits(logits).max);
}

double PerplexitySum::mean_nll() const {
  return count_ == 0 ? 0 : sum_ / static_cast<double>(count_);
}

double PerplexitySum::perplexity() const { return std::exp(mean_nll()); }

double PerplexitySum::error() const {
  if (count_ < 2) return 0;
  const double n = static_cast<double>(count_);
  const double mean = mean_nll();
  const double variance = std::max(0.0, square_ / n - mean * mean);
  return perplexity() * std::sqrt(variance / (n - 1));
}

void DivergenceSum::Add(std::span<const float> reference,
                        std::span<const float> ours) {
  const double reference_log = LogSumExp(reference);
  const double ours_log = LogSumExp(ours);
  double kl = 0;
  for (size_t i = 0; i < reference.size(); ++i) {
    const double p = static_cast<double>(reference[i]) - reference_log;
    const double q = static_cast<double>(ours[i]) - ours_log;
    // Far below a float's reach: nothing to add, no exp to compute.
    if (p > -60) kl += std::exp(p) * (p - q);
    max_difference_ =
        std::max(max_difference_,
                 std::fabs(static_cast<double>(reference[i]) - ours[i]));
  }
  const auto [low, high] =
      std::minmax_element(reference.begin(), reference.end());
  low_ = kl_.empty() ? *low : std::min<double>(low_, *low);
  high_ = kl_.empty() ? *high : std::max<double>(high_, *high);
  same_top_ += ArgMax(reference) == ArgMax(ours) ? 1 : 0;
  kl_.push_back(kl);
}

double DivergenceSum::mean_kl() const {
  if (kl_.empty()) return 0;
  return std::accumulate(kl_.begin(), kl_.end(), 0.0) /
         static_cast<double>(kl_.size());
}

double DivergenceSum::kl_quantile(double q) const {
  if (kl_.empty()) return 0;
  std::vector<double> sorted = kl_;
  std::sort(sorted.begin(), sorted.end());
  const double at = q * static_cast<double>(sorted.size() - 1);
  return sorted[static_cast<size_t>(std::lround(at))];
}

double DivergenceSum::top1_agreement() const {
  return kl_.empty()
             ? 0
             : static_cast<double>(same_top_) / static_cast<double>(kl_.size());
}

}  // namespace carat
