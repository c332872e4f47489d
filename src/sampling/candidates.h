// Picking the few tokens that matter out of a whole vocabulary of logits in
// one or two passes. Every order is by logit, highest first; equal logits: the
// lowest id first. Sums run in a fixed order, so results have the same bits on
// every platform.
#ifndef CARAT_SAMPLING_CANDIDATES_H_
#define CARAT_SAMPLING_CANDIDATES_H_

#include <cstdint>
#include <span>
#include <vector>

namespace carat {

struct Candidate {
  int32_t id;
  float logit;
};

inline bool Better(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

struct LogitScan {
  float max = 0;           // -infinity when nothing is possible
  bool malformed = false;  // a NaN or +infinity is present
};
LogitScan ScanLogits(std::span<const float> logits);

// The lowest id whose logit equals `max`, or -1.
int32_t FirstEqual(std::span<const float> logits, float max);

// The k best tokens, sorted; fewer when fewer are above -infinity.
void SelectTopK(std::span<const float> logits, int k,
                std::vector<Candidate>* out);

// Every token at or above `floor` and above -infinity, by ascending id.
void SelectFrom(std::span<const float> logits, float floor,
                std::vector<Candidate>* out);

// The smallest set of best tokens whose probabilities reach top_p of the
// whole vocabulary's, by ascending id. max: ScanLogits(logits).max, finite.
void SelectTopP(std::span<const float> logits, float max, float top_p,
                std::vector<Candidate>* out);

// Cuts sorted candidates after the first whose cumulative probability among
// them reaches top_p. Never leaves none of a non-empty list.
void CutTopP(float top_p, std::vector<Candidate>* sorted);

// Weight of a token: exp((logit - max) / temperature).
struct ExpScale {
  float max = 0;  // ScanLogits(logits).max, finite
  float temperature = 1;
};

// Sum of all weights.
double SumExp(std::span<const float> logits, const ExpScale& scale);

// The token at which the running sum of weights passes uniform * SumExp, for
// uniform in [0, 1).
int32_t DrawFromAll(std::span<const float> logits, const ExpScale& scale,
                    double uniform);

}  // namespace carat

#endif  // CARAT_SAMPLING_CANDIDATES_H_
