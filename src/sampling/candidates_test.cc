#include "sampling/candidates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "sampling/math.h"
#include "sampling/test_logits.h"

namespace carat {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

TEST(SamplingMath, ExpKeepsItsStatedError) {
  double worst = 0;
  for (int i = 0; i <= 870000; ++i) {
    const float x = -static_cast<float>(i) * 1e-4f;
    const double exact = std::exp(static_cast<double>(x));
    worst = std::max(worst, std::fabs(ExpNonPositive(x) - exact) / exact);
  }
  EXPECT_LT(worst, 2e-7);
  EXPECT_EQ(ExpNonPositive(0.0f), 1.0f);
  EXPECT_EQ(ExpNonPositive(-kInf), 0.0f);
  EXPECT_EQ(ExpNonPositive(-88.0f), 0.0f);
}

TEST(SamplingMath, LogKeepsItsStatedError) {
  for (double x = 1e-300; x < 1e300; x *= 1.37) {
    EXPECT_NEAR(NaturalLog(x), std::log(x),
                1e-14 * std::max(1.0, std::fabs(NaturalLog(x))));
  }
  EXPECT_EQ(NaturalLog(1.0), 0.0);
  EXPECT_EQ(NaturalLog(0.0), -std::numeric_limits<double>::infinity());
  EXPECT_NEAR(NaturalLog(5e-324), std::log(5e-324), 1e-12);
}

TEST(SelectTopK, EqualsAFullSort) {
  for (int k : {1, 2, 63, 64, 500, 4999}) {
    std::vector<float> logits = Noise(5003, k);
    for (size_t i = 0; i < logits.size(); i += 3) {
      logits[i] = std::round(logits[i]);  // many ties
    }
    logits[17] = -kInf;
    std::vector<Candidate> all, some;
    SelectFrom(logits, -kInf, &all);
    std::sort(all.begin(), all.end(), Better);
    SelectTopK(logits, k, &some);
    ASSERT_EQ(some.size(), static_cast<size_t>(k));
    for (int i = 0; i < k; ++i) EXPECT_EQ(some[i].id, all[i].id) << k;
  }
}

TEST(SelectTopK, WorstCaseAscendingLogits) {
  std::vector<float> logits(10000);
  std::iota(logits.begin(), logits.end(), 0.0f);
  std::vector<Candidate> out;
  SelectTopK(logits, 3, &out);
  ASSERT_EQ(out.size(), 3u);
  EXPECT_EQ(out[0].id, 9999);
  EXPECT_EQ(out[2].id, 9997);
}

TEST(SelectTopP, KeepsTheSmallestSetThatReachesP) {
  for (float p : {0.01f, 0.3f, 0.5f, 0.9f, 0.99f, 0.9999f}) {
    const std::vector<float> logits = Noise(3001, 5);
    std::vector<Candidate> sorted, kept;
    SelectFrom(logits, -kInf, &sorted);
    std::sort(sorted.begin(), sorted.end(), Better);
    CutTopP(p, &sorted);
    SelectTopP(logits, ScanLogits(logits).max, p, &kept);
    std::sort(kept.begin(), kept.end(), Better);
    // The two sum in different orders: one token of difference at the border.
    ASSERT_NEAR(static_cast<double>(kept.size()),
                static_cast<double>(sorted.size()), 1)
        << p;
    const size_t n = std::min(kept.size(), sorted.size());
    for (size_t i = 0; i < n; ++i) ASSERT_EQ(kept[i].id, sorted[i].id);
  }
}

}  // namespace
}  // namespace carat
