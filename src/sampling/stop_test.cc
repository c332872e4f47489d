#include "sampling/stop.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace carat {
namespace {

StopStrings Make(const std::vector<std::string>& stops) {
  auto result = StopStrings::Create(stops);
  EXPECT_TRUE(result.ok()) << result.status().message();
  return std::move(result).value();
}

// Everything shown when `text` arrives in pieces of `piece` bytes.
std::string Shown(const std::vector<std::string>& stops,
                  const std::string& text, size_t piece) {
  StopStrings stop = Make(stops);
  std::string shown;
  for (size_t i = 0; i < text.size(); i += piece) {
    shown += stop.Add(text.substr(i, piece));
  }
  return shown + stop.Flush();
}

TEST(StopStrings, PassesTextThroughAtOnceWithoutStops) {
  StopStrings stop = Make({});
  EXPECT_EQ(stop.Add("Hello"), "Hello");
  EXPECT_EQ(stop.Add(" world"), " world");
  EXPECT_EQ(stop.Flush(), "");
}

TEST(StopStrings, HoldsBackWhatCouldBeginAStop) {
  StopStrings stop = Make({"END"});
  EXPECT_EQ(stop.Add("the EN"), "the ");
  EXPECT_FALSE(stop.matched());
  EXPECT_EQ(stop.Add("EMY"), "ENEMY");
  EXPECT_EQ(stop.Add(" E"), " ");
  EXPECT_EQ(stop.Flush(), "E");
}

TEST(StopStrings, NeverShowsTheStopOrWhatFollows) {
  StopStrings stop = Make({"END"});
  EXPECT_EQ(stop.Add("a E"), "a ");
  EXPECT_EQ(stop.Add("N"), "");
  EXPECT_EQ(stop.Add("D and more"), "");
  EXPECT_TRUE(stop.matched());
  EXPECT_EQ(stop.matched_index(), 0);
  EXPECT_EQ(stop.Add("still more"), "");
  EXPECT_EQ(stop.Flush(), "");
}

TEST(StopStrings, FindsStopsThatOverlapTheirOwnBeginning) {
  EXPECT_EQ(Shown({"aab"}, "aaaab!", 1), "aa");
  EXPECT_EQ(Shown({"abab"}, "abaabab", 2), "aba");
  EXPECT_EQ(Shown({"\n\n"}, "one\ntwo\n\nthree", 3), "one\ntwo");
}

TEST(StopStrings, ResultDoesNotDependOnThePieces) {
  const std::vector<std::string> stops = {"stop", "top!", "é\n", "xyzzy"};
  const std::vector<std::string> texts = {"please sto p the stopwatch",
                                          "on top! of it",
                                          "café\nbar",
                                          "xyzxyzz",
                                          "xyxyzzy",
                                          "nothing here",
                                          "stosto",
                                          "日本語 stop 日本語"};
  for (const std::string& text : texts) {
    const std::string whole = Shown(stops, text, text.size());
    for (size_t piece = 1; piece < text.size(); ++piece) {
      EXPECT_EQ(Shown(stops, text, piece), whole) << text << " by " << piece;
    }
  }
}

TEST(StopStrings, FirstCompleteStopWinsAndOfEqualsTheLongest) {
  EXPECT_EQ(Shown({"abc", "b"}, "xabc", 4), "xa");
  StopStrings stop = Make({"c", "abc"});
  EXPECT_EQ(stop.Add("xabc"), "x");
  EXPECT_EQ(stop.matched_index(), 1);
}

TEST(StopStrings, NeverCutsInsideACharacter) {
  StopStrings stop = Make({"zzz"});
  EXPECT_EQ(stop.Add("a\xE6\x97"), "a");
  EXPECT_EQ(stop.Add("\xA5\xF0\x9F"), "\xE6\x97\xA5");
  EXPECT_EQ(stop.Add("\x98\x80"), "\xF0\x9F\x98\x80");
  EXPECT_EQ(stop.Add("\xE6"), "");
  EXPECT_EQ(stop.Flush(), "\xEF\xBF\xBD");
}

TEST(StopStrings, StopThatSharesBytesWithAnotherCharacterDoesNotMatch) {
  // U+65E5 and U+65E6 share their first two bytes.
  EXPECT_EQ(Shown({"\xE6\x97\xA5"}, "\xE6\x97\xA6!", 1), "\xE6\x97\xA6!");
}

TEST(StopStrings, RefusesBadStops) {
  EXPECT_FALSE(StopStrings::Create({""}).ok());
  EXPECT_FALSE(StopStrings::Create({"\xE6\x97"}).ok());
  EXPECT_FALSE(StopStrings::Create({"\xC0\x80"}).ok());
  EXPECT_FALSE(StopStrings::Create({std::string(5000, 'x')}).ok());
  EXPECT_FALSE(StopStrings::Create(std::vector<std::string>(65, "x")).ok());
}

TEST(StopRules, CountsTokensUpToTheLimit) {
  auto rules = StopRules::Create({}, {1, 106}, 2);
  ASSERT_TRUE(rules.ok());
  EXPECT_EQ(rules->Add("a"), "a");
  EXPECT_EQ(rules->reason(), StopReason::kNone);
  EXPECT_EQ(rules->Add("b"), "b");
  EXPECT_EQ(rules->reason(), StopReason::kMaxTokens);
  EXPECT_EQ(rules->tokens(), 2);
  EXPECT_EQ(rules->Add("c"), "");
  EXPECT_EQ(rules->tokens(), 2);
}

TEST(StopRules, ZeroTokensMeansStoppedFromTheStart) {
  auto rules = StopRules::Create({}, {}, 0);
  ASSERT_TRUE(rules.ok());
  EXPECT_EQ(rules->reason(), StopReason::kMaxTokens);
}

TEST(StopRules, KnowsStopTokensAndShowsHeldTextBeforeThem) {
  auto rules = StopRules::Create({"END"}, {106, 1}, -1);
  ASSERT_TRUE(rules.ok());
  EXPECT_TRUE(rules->IsStopToken(1));
  EXPECT_TRUE(rules->IsStopToken(106));
  EXPECT_FALSE(rules->IsStopToken(2));
  EXPECT_EQ(rules->Add("the E"), "the ");
  EXPECT_EQ(rules->FinishOnToken(), "E");
  EXPECT_EQ(rules->reason(), StopReason::kStopToken);
}

TEST(StopRules, StopStringBeatsTheLimitOnTheSameToken) {
  auto rules = StopRules::Create({"END"}, {}, 1);
  ASSERT_TRUE(rules.ok());
  EXPECT_EQ(rules->Add("x END"), "x ");
  EXPECT_EQ(rules->reason(), StopReason::kStopString);
}

TEST(StopRules, FindsAStopInTheDetokenizersTail) {
  auto rules = StopRules::Create({"END"}, {}, 5);
  ASSERT_TRUE(rules.ok());
  EXPECT_EQ(rules->Add("EN"), "");
  EXPECT_EQ(rules->Finish("D!"), "");
  EXPECT_EQ(rules->reason(), StopReason::kStopString);
}

}  // namespace
}  // namespace carat
