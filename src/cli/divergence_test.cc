#include "cli/divergence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "cli/transcript.h"

namespace carat {
namespace {

std::vector<float> Logs(const std::vector<double>& p) {
  std::vector<float> out;
  for (const double x : p) out.push_back(static_cast<float>(std::log(x)));
  return out;
}

TEST(Divergence, OfTwoKnownDistributions) {
  DivergenceSum sum;
  sum.Add(Logs({0.5, 0.25, 0.25}), Logs({0.25, 0.5, 0.25}));
  // 0.5 ln 2 + 0.25 ln 0.5 = 0.25 ln 2
  EXPECT_NEAR(sum.mean_kl(), 0.25 * std::log(2.0), 1e-6);
  EXPECT_EQ(sum.top1_agreement(), 0);
  EXPECT_NEAR(sum.max_difference(), std::log(2.0), 1e-6);
  EXPECT_NEAR(sum.reference_range(), std::log(2.0), 1e-6);
  sum.Add(Logs({0.9, 0.05, 0.05}), Logs({0.9, 0.05, 0.05}));
  EXPECT_NEAR(sum.mean_kl(), 0.125 * std::log(2.0), 1e-6);
  EXPECT_EQ(sum.top1_agreement(), 0.5);
  EXPECT_NEAR(sum.max_kl(), 0.25 * std::log(2.0), 1e-6);
  EXPECT_NEAR(sum.kl_quantile(0), 0, 1e-12);
}

TEST(Divergence, AConstantAddedToAllLogitsChangesNothing) {
  std::vector<float> shifted = Logs({0.5, 0.25, 0.25});
  for (float& x : shifted) x += 8;
  DivergenceSum sum;
  sum.Add(Logs({0.5, 0.25, 0.25}), shifted);
  EXPECT_NEAR(sum.mean_kl(), 0, 1e-6);
  EXPECT_NEAR(sum.max_difference(), 8, 1e-6);
}

TEST(Perplexity, OfKnownProbabilities) {
  PerplexitySum sum;
  EXPECT_EQ(sum.perplexity(), 1);
  sum.Add(std::log(0.5));
  sum.Add(std::log(0.125));
  EXPECT_NEAR(sum.perplexity(), 4, 1e-9);
  EXPECT_EQ(sum.count(), 2);
  EXPECT_GT(sum.error(), 0);
}

TEST(Divergence, LogSumExpAndArgMax) {
  EXPECT_NEAR(LogSumExp(Logs({0.5, 0.25, 0.25})), 0, 1e-6);
  EXPECT_EQ(ArgMax(std::vector<float>{1, 3, 3}), 1);
}

TEST(Transcript, SurvivesItsJson) {
  Transcript transcript;
  transcript.system = "be brief";
  transcript.messages.emplace_back(Role::kUser, "hi \"you\"\n");
  transcript.messages.emplace_back(Role::kAssistant, "yes");
  const auto again = TranscriptFromJson(TranscriptToJson(transcript));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->system, transcript.system);
  EXPECT_EQ(again->messages, transcript.messages);
}

TEST(Transcript, RefusesOtherShapes) {
  for (const char* text :
       {"", "1", "{}", R"({"messages":{}})", R"({"messages":[1]})",
        R"({"messages":[{"content":"x"}]})",
        R"({"messages":[{"role":"robot","content":"x"}]})",
        R"({"messages":[{"role":"user","content":7}]})",
        R"({"messages":[{"role":"user","content":"x"}]} x)"}) {
    EXPECT_FALSE(TranscriptFromJson(text).ok()) << text;
  }
}

}  // namespace
}  // namespace carat
