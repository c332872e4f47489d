#include "sampling/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <vector>

#include "sampling/test_logits.h"

namespace carat {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

SamplingParams Plain() {
  SamplingParams params;
  params.top_k = 0;
  params.top_p = 1;
  params.seed = 7;
  return params;
}

SamplingParams Greedy() {
  SamplingParams params = Plain();
  params.temperature = 0;
  return params;
}

Sampler Make(const SamplingParams& params, int vocab,
             std::vector<int32_t> suppress = {}) {
  auto result = Sampler::Create(params, vocab, std::move(suppress));
  EXPECT_TRUE(result.ok()) << result.status().message();
  return std::move(result).value();
}

int32_t Choose(Sampler& sampler, std::vector<float> logits,
               TokenMask mask = {}) {
  auto result = sampler.Sample(logits, mask);
  EXPECT_TRUE(result.ok()) << result.status().message();
  return result.ok() ? result->id : -1;
}

std::map<int32_t, int> Histogram(const SamplingParams& params,
                                 const std::vector<float>& logits, int draws) {
  SamplingParams quiet = params;
  Sampler sampler = Make(quiet, static_cast<int>(logits.size()));
  std::map<int32_t, int> counts;
  for (int i = 0; i < draws; ++i) {
    const int32_t id = Choose(sampler, logits);
    ++counts[id];
    sampler.Accept(id);
  }
  return counts;
}

// Pearson's statistic of counts against probabilities.
double ChiSquare(const std::map<int32_t, int>& counts,
                 const std::vector<double>& p, int draws) {
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    const auto it = counts.find(static_cast<int32_t>(i));
    const double seen = it == counts.end() ? 0 : it->second;
    const double expected = p[i] * draws;
    sum += (seen - expected) * (seen - expected) / expected;
  }
  return sum;
}

std::vector<double> Softmax(const std::vector<float>& logits, double t) {
  std::vector<double> p;
  for (float l : logits) p.push_back(std::exp(l / t));
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& x : p) x /= sum;
  return p;
}

TEST(CounterRng, GivesTheSameNumbersEverywhere) {
  const CounterRng rng(42);
  EXPECT_EQ(rng.Bits(0), CounterRng(42).Bits(0));
  EXPECT_NE(rng.Bits(0), rng.Bits(1));
  EXPECT_NE(rng.Bits(0), CounterRng(43).Bits(0));
  // Frozen: a change here changes every seeded answer ever given.
  EXPECT_EQ(CounterRng(0).Bits(0), UINT64_C(12453307006594937960));
  EXPECT_EQ(CounterRng(42).Bits(7), UINT64_C(14978676229788702003));
}

TEST(CounterRng, IsUniform) {
  const CounterRng rng(1);
  std::vector<int> bins(100);
  for (int i = 0; i < 100000; ++i)
    ++bins[static_cast<int>(rng.Uniform(i) * 100)];
  double chi = 0;
  for (int n : bins) chi += (n - 1000.0) * (n - 1000.0) / 1000.0;
  EXPECT_LT(chi, 149);  // 99.9% of 99 degrees of freedom
  EXPECT_GT(chi, 56);
}

TEST(Sampler, GreedyTakesTheBestAndOfEqualsTheLowestId) {
  Sampler sampler = Make(Greedy(), 40);
  std::vector<float> logits(40, 0.0f);
  logits[33] = 2;
  logits[12] = 2;
  EXPECT_EQ(Choose(sampler, logits), 12);
}

TEST(Sampler, TopKOfOneIsGreedy) {
  SamplingParams params = Plain();
  params.top_k = 1;
  Sampler sampler = Make(params, 4);
  EXPECT_EQ(Choose(sampler, {1, 3, 3, 2}), 1);
}

TEST(Sampler, DrawsFollowTheDistribution) {
  const std::vector<float> logits = {1, 0, -1, 2, 0.5f, -0.5f};
  for (float t : {0.5f, 1.0f, 1.7f}) {
    SamplingParams params = Plain();
    params.temperature = t;
    const auto counts = Histogram(params, logits, 20000);
    // 99.9% of 5 degrees of freedom is 20.5.
    EXPECT_LT(ChiSquare(counts, Softmax(logits, t), 20000), 20.5) << t;
  }
}

TEST(Sampler, DrawsOfABigVocabularyFollowTheDistribution) {
  // Sixteen tokens spread over several blocks carry nearly everything.
  std::vector<float> logits(5000, -60.0f), heavy;
  for (int i = 0; i < 16; ++i) {
    heavy.push_back(0.1f * static_cast<float>(i));
    logits[i * 311 + 5] = heavy.back();
  }
  std::map<int32_t, int> dense;
  for (const auto& [id, n] : Histogram(Plain(), logits, 20000)) {
    dense[(id - 5) / 311] += n;
  }
  // 99.9% of 15 degrees of freedom is 37.7.
  EXPECT_LT(ChiSquare(dense, Softmax(heavy, 1), 20000), 37.7);
}

TEST(Sampler, TopKDrawsFollowTheRenormalisedDistribution) {
  SamplingParams params = Plain();
  params.top_k = 3;
  const auto counts = Histogram(params, {1, 0, -1, 2, 0.5f, -0.5f}, 20000);
  EXPECT_EQ(counts.size(), 3u);
  std::map<int32_t, int> dense = {
      {0, counts.at(0)}, {1, counts.at(3)}, {2, counts.at(4)}};
  EXPECT_LT(ChiSquare(dense, Softmax({1, 2, 0.5f}, 1), 20000), 13.8);
}

TEST(Sampler, TopPKeepsTokensUpToTheOneThatReachesIt) {
  // Probabilities 0.5, 0.25, 0.15, 0.1.
  const std::vector<float> logits = {std::log(0.25f), std::log(0.5f),
                                     std::log(0.1f), std::log(0.15f)};
  SamplingParams params = Plain();
  params.top_p = 0.7f;
  auto counts = Histogram(params, logits, 500);
  EXPECT_EQ(counts.size(), 2u);
  EXPECT_EQ(counts.count(0) + counts.count(1), 2u);
  params.top_p = 0.8f;
  EXPECT_EQ(Histogram(params, logits, 500).size(), 3u);
  params.top_p = 0.0001f;
  EXPECT_EQ(Histogram(params, logits, 50).size(), 1u);
  // The same through top-k, which keeps all of them.
  params.top_k = 3;
  params.top_p = 0.7f;
  EXPECT_EQ(Histogram(params, logits, 500).size(), 2u);
}

TEST(Sampler, TopPCountsWithinWhatTopKLeft) {
  // Within the best two: 2/3 and 1/3, so 0.6 is reached by the first alone.
  const std::vector<float> logits = {std::log(0.4f), std::log(0.2f),
                                     std::log(0.2f), std::log(0.2f)};
  SamplingParams params = Plain();
  params.top_k = 2;
  params.top_p = 0.55f;
  EXPECT_EQ(Histogram(params, logits, 200).size(), 1u);
  params.top_k = 0;
  EXPECT_EQ(Histogram(params, logits, 200).size(), 2u);
}

TEST(Sampler, MinPIsRelativeToTheBest) {
  const std::vector<float> logits = {std::log(0.5f), std::log(0.3f),
                                     std::log(0.14f), std::log(0.06f)};
  SamplingParams params = Plain();
  params.min_p = 0.25f;
  EXPECT_EQ(Histogram(params, logits, 500).size(), 3u);
  params.min_p = 1.0f;
  EXPECT_EQ(Histogram(params, logits, 50).size(), 1u);
}

TEST(Sampler, TemperatureNeverChangesWhichTokensMayCome) {
  const std::vector<float> logits = {3, 2, 1, 0, -1, -2, -3};
  SamplingParams params = Plain();
  params.top_p = 0.9f;
  const size_t kept = Histogram(params, logits, 2000).size();
  params.temperature = 50;
  EXPECT_EQ(Histogram(params, logits, 2000).size(), kept);
}

TEST(Sampler, TinyTemperatureIsNearlyGreedy) {
  SamplingParams params = Plain();
  params.temperature = 1e-30f;
  Sampler sampler = Make(params, 3);
  EXPECT_EQ(Choose(sampler, {1, 1.001f, 1}), 1);
}

TEST(Sampler, SameSeedSameTokensAndForksAgree) {
  const std::vector<float> logits = Noise(1000, 3);
  Sampler a = Make(Plain(), 1000), b = Make(Plain(), 1000);
  std::vector<int32_t> first, second, forked;
  for (int i = 0; i < 50; ++i) {
    if (i == 20) {
      Sampler fork = a;
      for (int j = 0; j < 30; ++j) {
        forked.push_back(Choose(fork, logits));
        fork.Accept(forked.back());
      }
    }
    first.push_back(Choose(a, logits));
    EXPECT_EQ(Choose(a, logits), first.back());  // no draw until Accept
    a.Accept(first.back());
    second.push_back(Choose(b, logits));
    b.Accept(second.back());
  }
  EXPECT_EQ(first, second);
  EXPECT_EQ(forked, std::vector<int32_t>(first.begin() + 20, first.end()));
}

TEST(Sampler, FrozenSequenceOfASeed) {
  SamplingParams params;
  params.seed = 1234;
  Sampler sampler = Make(params, 5000);
  std::vector<int32_t> ids;
  for (int i = 0; i < 8; ++i) {
    ids.push_back(Choose(sampler, Noise(5000, i)));
    sampler.Accept(ids.back());
  }
  EXPECT_EQ(ids, (std::vector<int32_t>{4836, 2551, 1446, 586, 4151, 247, 4284,
                                       2857}));
}

TEST(Sampler, DrawsASeedWhenNoneIsGiven) {
  SamplingParams params = Plain();
  params.seed.reset();
  EXPECT_NE(Make(params, 4).seed(), Make(params, 4).seed());
}

TEST(Sampler, RepeatPenaltyDividesPositiveAndMultipliesNegative) {
  SamplingParams params = Greedy();
  params.repeat_penalty = 2;
  Sampler sampler = Make(params, 4);
  sampler.AddPrompt(std::vector<int32_t>{0, 1});
  std::vector<float> logits = {3, -1, 1.6f, -1.9f};
  ASSERT_TRUE(sampler.Sample(logits).ok());
  EXPECT_EQ(logits, (std::vector<float>{1.5f, -2, 1.6f, -1.9f}));
}

TEST(Sampler, PresenceCountsOnceAndFrequencyEachTime) {
  SamplingParams params = Greedy();
  params.presence_penalty = 0.5f;
  params.frequency_penalty = 0.25f;
  Sampler sampler = Make(params, 3);
  sampler.Accept(1);
  sampler.Accept(1);
  sampler.Accept(1);
  sampler.Accept(2);
  std::vector<float> logits = {0, 4, 4};
  ASSERT_TRUE(sampler.Sample(logits).ok());
  EXPECT_EQ(logits, (std::vector<float>{0, 2.75f, 3.25f}));
}

TEST(Sampler, PenaltyWindowForgetsOldTokens) {
  SamplingParams params = Greedy();
  params.presence_penalty = 1;
  params.penalty_window = 2;
  Sampler sampler = Make(params, 4);
  for (int32_t id : {0, 1, 2, 1}) sampler.Accept(id);
  std::vector<float> logits = {0, 0, 0, 0};
  ASSERT_TRUE(sampler.Sample(logits).ok());
  EXPECT_EQ(logits, (std::vector<float>{0, -1, -1, 0}));
  params.penalty_window = -1;
  Sampler all = Make(params, 4);
  for (int32_t id : {0, 1, 2, 1}) all.Accept(id);
  logits = {0, 0, 0, 0};
  ASSERT_TRUE(all.Sample(logits).ok());
  EXPECT_EQ(logits, (std::vector<float>{-1, -1, -1, 0}));
}

TEST(Sampler, BiasMovesAndForbidsTokens) {
  SamplingParams params = Greedy();
  params.logit_bias = {{2, 5.0f}, {0, -kInf}};
  Sampler sampler = Make(params, 3);
  EXPECT_EQ(Choose(sampler, {9, 3, 0}), 2);
}

TEST(Sampler, MaskAllowsOnlyItsTokens) {
  Sampler sampler = Make(Greedy(), 130);
  std::vector<float> logits(130);
  std::iota(logits.begin(), logits.end(), 0.0f);
  std::vector<uint64_t> mask(3, 0);
  mask[1] = 1ULL << 6;  // token 70
  mask[0] = 1ULL << 3;
  EXPECT_EQ(Choose(sampler, logits, mask), 70);
  std::fill(mask.begin(), mask.end(), ~0ULL);
  EXPECT_EQ(Choose(sampler, logits, mask), 129);
}

TEST(Sampler, MaskOfEverythingChangesNothing) {
  const std::vector<float> logits = Noise(1000, 9);
  const std::vector<uint64_t> mask(16, ~0ULL);
  Sampler a = Make(Plain(), 1000), b = Make(Plain(), 1000);
  for (int i = 0; i < 100; ++i) {
    const int32_t id = Choose(a, logits);
    ASSERT_EQ(id, Choose(b, logits, mask));
    a.Accept(id);
    b.Accept(id);
  }
}

TEST(Sampler, NeverReturnsSuppressedTokens) {
  Sampler sampler = Make(Greedy(), 3, {2, 77, -5});
  EXPECT_EQ(Choose(sampler, {1, 0, 9}), 0);
}

TEST(Sampler, LogprobsAreTheModelsOwn) {
  SamplingParams params = Greedy();
  params.logprobs = 2;
  params.logit_bias = {{2, 10.0f}};
  params.temperature = 0;
  Sampler sampler = Make(params, 3, {0});
  std::vector<float> logits = {std::log(0.6f), std::log(0.3f), std::log(0.1f)};
  auto token = sampler.Sample(logits);
  ASSERT_TRUE(token.ok());
  EXPECT_EQ(token->id, 2);
  EXPECT_NEAR(token->logprob, std::log(0.1), 1e-6);
  ASSERT_EQ(token->top.size(), 2u);
  EXPECT_EQ(token->top[0].id, 0);
  EXPECT_NEAR(token->top[0].logprob, std::log(0.6), 1e-6);
  EXPECT_NEAR(token->top[1].logprob, std::log(0.3), 1e-6);
}

TEST(Sampler, LogprobsOfABigVocabularySumToOne) {
  SamplingParams params = Greedy();
  params.logprobs = 5000;
  Sampler sampler = Make(params, 5000);
  std::vector<float> logits = Noise(5000, 11);
  auto token = sampler.Sample(logits);
  ASSERT_TRUE(token.ok());
  double sum = 0;
  for (const TokenLogprob& t : token->top) sum += std::exp(t.logprob);
  EXPECT_NEAR(sum, 1.0, 1e-5);
}

TEST(Sampler, OneTokenLeftIsTaken) {
  for (int k : {0, 2}) {
    for (float p : {0.5f, 1.0f}) {
      SamplingParams params = Plain();
      params.top_k = k;
      params.top_p = p;
      Sampler sampler = Make(params, 40);
      std::vector<float> logits(40, -kInf);
      logits[31] = -1e30f;
      EXPECT_EQ(Choose(sampler, logits), 31);
    }
  }
}

TEST(Sampler, NothingLeftIsAnError) {
  Sampler sampler = Make(Plain(), 4);
  std::vector<float> logits(4, -kInf);
  EXPECT_EQ(sampler.Sample(logits).status().code(),
            StatusCode::kFailedPrecondition);
  logits.assign(4, 0.0f);
  const std::vector<uint64_t> none = {0};
  EXPECT_EQ(sampler.Sample(logits, none).status().code(),
            StatusCode::kFailedPrecondition);
}

TEST(Sampler, NanAndInfinityAreErrors) {
  for (size_t at : {0u, 5u, 31u, 39u}) {
    for (float bad : {std::nanf(""), kInf}) {
      Sampler sampler = Make(Plain(), 40);
      std::vector<float> logits(40, 0.0f);
      logits[at] = bad;
      EXPECT_EQ(sampler.Sample(logits).status().code(), StatusCode::kInternal);
    }
  }
}

TEST(Sampler, WrongSizesAreErrors) {
  Sampler sampler = Make(Plain(), 70);
  std::vector<float> logits(69);
  EXPECT_FALSE(sampler.Sample(logits).ok());
  logits.resize(70);
  const std::vector<uint64_t> mask(1, ~0ULL);
  EXPECT_FALSE(sampler.Sample(logits, mask).ok());
  std::vector<float> none;
  EXPECT_FALSE(sampler.Sample(none).ok());
  EXPECT_FALSE(Sampler::Create(Plain(), 0).ok());
}

TEST(Sampler, RefusesParametersOutOfRange) {
  const auto refused = [](auto change) {
    SamplingParams params;
    change(params);
    return !Sampler::Create(params, 10).ok();
  };
  EXPECT_FALSE(refused([](SamplingParams&) {}));
  EXPECT_TRUE(refused([](auto& p) { p.temperature = -1; }));
  EXPECT_TRUE(refused([](auto& p) { p.temperature = std::nanf(""); }));
  EXPECT_TRUE(refused([](auto& p) { p.top_k = -1; }));
  EXPECT_TRUE(refused([](auto& p) { p.top_p = 0; }));
  EXPECT_TRUE(refused([](auto& p) { p.top_p = 1.5f; }));
  EXPECT_TRUE(refused([](auto& p) { p.min_p = 2; }));
  EXPECT_TRUE(refused([](auto& p) { p.repeat_penalty = 0; }));
  EXPECT_TRUE(refused([](auto& p) { p.presence_penalty = kInf; }));
  EXPECT_TRUE(refused([](auto& p) { p.frequency_penalty = std::nanf(""); }));
  EXPECT_TRUE(refused([](auto& p) { p.penalty_window = -2; }));
  EXPECT_TRUE(refused([](auto& p) { p.logprobs = -1; }));
  EXPECT_TRUE(refused([](auto& p) { p.logit_bias = {{10, 1.0f}}; }));
  EXPECT_TRUE(refused([](auto& p) { p.logit_bias = {{-1, 1.0f}}; }));
  EXPECT_TRUE(refused([](auto& p) { p.logit_bias = {{1, kInf}}; }));
}

}  // namespace
}  // namespace carat
