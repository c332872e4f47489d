#include "sampling/candidates.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "sampling/math.h"

namespace carat {
namespace {

// Fixed trip count: the compiler turns the inner loops into vector code.
constexpr size_t kLanes = 16;
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kFloatMax = std::numeric_limits<float>::max();

bool AnyAbove(const float* x, float threshold) {
  int any = 0;
  for (size_t j = 0; j < kLanes; ++j) any |= x[j] > threshold ? 1 : 0;
  return any != 0;
}

// Keeps the k best of `list`, in no particular order; returns the worst kept.
float KeepBest(size_t k, std::vector<Candidate>* list) {
  std::nth_element(list->begin(), list->begin() + (k - 1), list->end(), Better);
  list->resize(k);
  return list->back().logit;
}

// Buckets of width 1/kPerUnit below the maximum. Tokens more than kBuckets /
// kPerUnit = 96 below it have probability 0 in float.
constexpr int kPerUnit = 32;
constexpr int kBuckets = 96 * kPerUnit;

int BucketOf(float logit, float max) {
  const float distance = (max - logit) * kPerUnit;
  return distance < kBuckets - 1 ? static_cast<int>(distance) : kBuckets - 1;
}

// exp((x - max) / temperature) of four neighbours.
Float4 ExpFour(const float* x, const ExpScale& scale) {
  Float4 four;
  std::memcpy(&four, x, sizeof(four));
  return ExpNonPositive((four - Splat(scale.max)) / Splat(scale.temperature));
}

// Sum over the first kSumBlock logits, in 16 float lanes: vector code, and
// lanes short enough that floats lose little.
constexpr size_t kSumBlock = kLanes * 64;
double SumExpBlock(std::span<const float> logits, const ExpScale& scale) {
  const size_t n = std::min(kSumBlock, logits.size());
  Float4 lane[kLanes / 4] = {};
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (size_t j = 0; j < kLanes / 4; ++j) {
      lane[j] += ExpFour(logits.data() + i + 4 * j, scale);
    }
  }
  double total = 0;
  for (const Float4& four : lane) {
    for (int j = 0; j < 4; ++j) total += four[j];
  }
  for (; i < n; ++i) {
    total += ExpNonPositive((logits[i] - scale.max) / scale.temperature);
  }
  return total;
}

}  // namespace

LogitScan ScanLogits(std::span<const float> logits) {
  float max[kLanes];
  int bad[kLanes] = {};
  std::fill(max, max + kLanes, -kInf);
  const size_t blocks = logits.size() / kLanes;
  for (size_t b = 0; b < blocks; ++b) {
    const float* x = logits.data() + b * kLanes;
    for (size_t j = 0; j < kLanes; ++j) {
      max[j] = x[j] > max[j] ? x[j] : max[j];
      bad[j] |= x[j] <= kFloatMax ? 0 : 1;
    }
  }
  for (size_t i = blocks * kLanes; i < logits.size(); ++i) {
    max[0] = logits[i] > max[0] ? logits[i] : max[0];
    bad[0] |= logits[i] <= kFloatMax ? 0 : 1;
  }
  LogitScan scan{.max = max[0]};
  for (size_t j = 0; j < kLanes; ++j) {
    scan.max = std::max(scan.max, max[j]);
    scan.malformed |= bad[j] != 0;
  }
  return scan;
}

int32_t FirstEqual(std::span<const float> logits, float max) {
  const auto it = std::find(logits.begin(), logits.end(), max);
  return it == logits.end() ? -1 : static_cast<int32_t>(it - logits.begin());
}

void SelectTopK(std::span<const float> logits, int k,
                std::vector<Candidate>* out) {
  out->clear();
  if (k <= 0) return;
  const size_t keep = static_cast<size_t>(k);
  const size_t limit = 2 * keep + 64;
  // Strictly above: an equal logit that comes later has a higher id and loses.
  float threshold = -kInf;
  size_t i = 0;
  const auto consider = [&](size_t id) {
    if (!(logits[id] > threshold)) return;
    out->push_back({static_cast<int32_t>(id), logits[id]});
    if (out->size() == limit) threshold = KeepBest(keep, out);
  };
  for (; i + kLanes <= logits.size(); i += kLanes) {
    if (!AnyAbove(logits.data() + i, threshold)) continue;
    for (size_t j = 0; j < kLanes; ++j) consider(i + j);
  }
  for (; i < logits.size(); ++i) consider(i);
  if (out->size() > keep) KeepBest(keep, out);
  std::sort(out->begin(), out->end(), Better);
}

void SelectFrom(std::span<const float> logits, float floor,
                std::vector<Candidate>* out) {
  out->clear();
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] >= floor && logits[i] > -kInf) {
      out->push_back({static_cast<int32_t>(i), logits[i]});
    }
  }
}

void SelectTopP(std::span<const float> logits, float max, float top_p,
                std::vector<Candidate>* out) {
  // Only the bucket in which the sum crosses top_p needs sorting: better
  // buckets are kept whole, worse ones dropped whole.
  std::array<double, kBuckets> mass{};
  size_t i = 0;
  for (; i + 4 <= logits.size(); i += 4) {
    const Float4 weight = ExpFour(logits.data() + i, {.max = max});
    for (size_t j = 0; j < 4; ++j) {
      mass[BucketOf(logits[i + j], max)] += weight[j];
    }
  }
  for (; i < logits.size(); ++i) {
    mass[BucketOf(logits[i], max)] += ExpNonPositive(logits[i] - max);
  }
  double total = 0;
  for (const double m : mass) total += m;
  const double wanted = static_cast<double>(top_p) * total;
  double above = 0;
  int last = 0;
  while (last < kBuckets - 1 && above + mass[last] < wanted) {
    above += mass[last++];
  }
  out->clear();
  std::vector<Candidate> border;
  const float floor = last == kBuckets - 1
                          ? -kFloatMax
                          : max - static_cast<float>(last + 2) / kPerUnit;
  for (i = 0; i < logits.size(); ++i) {
    if (!(logits[i] >= floor)) continue;  // cheap, and drops -infinity
    const int bucket = BucketOf(logits[i], max);
    if (bucket > last) continue;
    const Candidate candidate{static_cast<int32_t>(i), logits[i]};
    (bucket < last ? *out : border).push_back(candidate);
  }
  std::sort(border.begin(), border.end(), Better);
  for (const Candidate& candidate : border) {
    if (above >= wanted && !out->empty()) break;
    out->push_back(candidate);
    above += ExpNonPositive(candidate.logit - max);
  }
  std::sort(out->begin(), out->end(),
            [](const Candidate& a, const Candidate& b) { return a.id < b.id; });
}

void CutTopP(float top_p, std::vector<Candidate>* sorted) {
  if (sorted->empty()) return;
  const float max = sorted->front().logit;
  double total = 0;
  for (const Candidate& c : *sorted) total += ExpNonPositive(c.logit - max);
  const double wanted = static_cast<double>(top_p) * total;
  double sum = 0;
  for (size_t i = 0; i < sorted->size(); ++i) {
    sum += ExpNonPositive((*sorted)[i].logit - max);
    if (sum >= wanted) {
      sorted->resize(i + 1);
      return;
    }
  }
}

double SumExp(std::span<const float> logits, const ExpScale& scale) {
  double total = 0;
  for (size_t i = 0; i < logits.size(); i += kSumBlock) {
    total += SumExpBlock(logits.subspan(i), scale);
  }
  return total;
}

int32_t DrawFromAll(std::span<const float> logits, const ExpScale& scale,
                    double uniform) {
  const double target = uniform * SumExp(logits, scale);
  double sum = 0;
  int32_t last = -1;
  for (size_t i = 0; i < logits.size(); i += kSumBlock) {
    const double block = SumExpBlock(logits.subspan(i), scale);
    if (sum + block <= target && i + kSumBlock < logits.size()) {
      sum += block;
      continue;
    }
    const size_t end = std::min(i + kSumBlock, logits.size());
    for (size_t j = i; j < end; ++j) {
      const float weight =
          ExpNonPositive((logits[j] - scale.max) / scale.temperature);
      if (weight == 0) continue;
      last = static_cast<int32_t>(j);
      sum += weight;
      if (sum > target) return last;
    }
    // A rounding short of the target within the block that holds it.
    if (last >= 0) return last;
  }
  return last >= 0 ? last : FirstEqual(logits, scale.max);
}

}  // namespace carat
