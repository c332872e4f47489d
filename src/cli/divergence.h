// How far one set of logits is from another.
#ifndef CARAT_CLI_DIVERGENCE_H_
#define CARAT_CLI_DIVERGENCE_H_

#include <cstdint>
#include <span>
#include <vector>

namespace carat {

// log(sum(exp(logits))); logits [vocab], finite.
double LogSumExp(std::span<const float> logits);
// The lowest id with the largest logit.
int32_t ArgMax(std::span<const float> logits);

// Log-probabilities of scored tokens.
class PerplexitySum {
 public:
  void Add(double logprob) {
    sum_ -= logprob;
    square_ += logprob * logprob;
    ++count_;
  }
  int64_t count() const { return count_; }
  double mean_nll() const;  // nats per token
  double perplexity() const;
  // One standard error of the perplexity.
  double error() const;

 private:
  double sum_ = 0, square_ = 0;
  int64_t count_ = 0;
};

// Position by position: reference against ours, both [vocab].
class DivergenceSum {
 public:
  void Add(std::span<const float> reference, std::span<const float> ours);
  int64_t count() const { return static_cast<int64_t>(kl_.size()); }
  double mean_kl() const;  // of ours from the reference, nats
  double kl_quantile(double q) const;
  double max_kl() const { return kl_quantile(1); }
  double top1_agreement() const;  // share of positions
  double max_difference() const { return max_difference_; }
  // Largest logit minus smallest, over all of the reference.
  double reference_range() const { return high_ - low_; }

 private:
  std::vector<double> kl_;
  int64_t same_top_ = 0;
  double max_difference_ = 0;
  double low_ = 0, high_ = 0;
};

}  // namespace carat

#endif  // CARAT_CLI_DIVERGENCE_H_
