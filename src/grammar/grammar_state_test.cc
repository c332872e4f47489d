#include <string>
#include <thread>
#include <vector>

#include "grammar/schema_validator.h"
#include "grammar/walk_test_util.h"

namespace carat {
namespace {

const char* const kPerson =
    R"({"type":"object","properties":{"name":{"type":"string"},
        "age":{"type":"integer"}},"required":["name","age"]})";

TEST(GrammarStateTest, EndTokensAreAllowedExactlyWhenComplete) {
  const GrammarPtr grammar = SchemaGrammar(R"({"enum":[1,12]})");
  const TokenId eos = TestTokens()->tokenizer().eos();
  GrammarState state(grammar);
  EXPECT_FALSE(state.CanAccept(eos));
  ASSERT_TRUE(state.AcceptText("1"));
  EXPECT_TRUE(state.IsComplete());
  EXPECT_TRUE(state.CanAccept(eos));
  EXPECT_TRUE(state.CanAccept('2'));
  ASSERT_TRUE(state.Accept(eos));
  EXPECT_TRUE(state.IsFinished());
  EXPECT_TRUE(Allowed(state, *TestTokens()).empty());
  EXPECT_FALSE(state.AcceptText("2"));
}

TEST(GrammarStateTest, RollbackRestoresEveryStep) {
  const GrammarPtr grammar = SchemaGrammar(kPerson);
  GrammarState state(grammar);
  const std::string text = R"({"name":"ab","age":12})";
  std::vector<std::vector<TokenId>> masks;
  for (char c : text) {
    masks.push_back(Allowed(state, *TestTokens()));
    ASSERT_TRUE(state.Accept(static_cast<uint8_t>(c)));
  }
  GrammarState fork = state;
  for (size_t i = masks.size(); i-- > 0;) {
    ASSERT_TRUE(state.Rollback(1));
    EXPECT_EQ(Allowed(state, *TestTokens()), masks[i]);
  }
  EXPECT_FALSE(state.Rollback(1));
  EXPECT_TRUE(fork.IsComplete());
  ASSERT_TRUE(fork.Rollback(masks.size()));
  EXPECT_EQ(Allowed(fork, *TestTokens()), masks[0]);
}

TEST(GrammarStateTest, LongTextsForgetOldHistoryButKeepTheirPlace) {
  const GrammarPtr grammar =
      SchemaGrammar(R"({"type":"array","items":{"$ref":"#"}})");
  GrammarState state(grammar);
  ASSERT_TRUE(state.AcceptText("[["));
  for (int i = 0; i < 2000; ++i) {
    ASSERT_TRUE(state.AcceptText(i == 0 ? "[" : ",["));
    ASSERT_TRUE(state.AcceptText("]"));
  }
  ASSERT_TRUE(state.Rollback(GrammarState::kHistory));
  ASSERT_TRUE(state.AcceptText("]]"));
  EXPECT_TRUE(state.IsComplete());
}

TEST(GrammarStateTest, RefusedTokensChangeNothing) {
  GrammarState state(SchemaGrammar(kPerson));
  const std::vector<TokenId> before = Allowed(state, *TestTokens());
  EXPECT_FALSE(state.Accept('x'));
  EXPECT_FALSE(state.Accept(-1));
  EXPECT_FALSE(state.Accept(1 << 28));
  EXPECT_EQ(Allowed(state, *TestTokens()), before);
}

TEST(GrammarStateTest, ForcedTextRunsToTheNextChoice) {
  GrammarState state(SchemaGrammar(kPerson));
  EXPECT_EQ(state.ForcedText(), R"({"name":")");
  std::string forced;
  for (TokenId id : state.ForcedTokens()) {
    ASSERT_TRUE(state.Accept(id));
    forced += TestTokens()->Text(id);
  }
  EXPECT_TRUE(std::string(R"({"name":")").starts_with(forced));
  EXPECT_FALSE(forced.empty());
  ASSERT_TRUE(
      state.AcceptText(std::string(R"({"name":"ab")").substr(forced.size())));
  EXPECT_EQ(state.ForcedText(), R"(,"age":)");
}

TEST(GrammarStateTest, ThoughtsAreFreeAndTheAnswerIsNot) {
  const GrammarPtr grammar =
      SchemaGrammar(R"({"enum":[1]})", {.thought = ThoughtPrefix::kOptional});
  EXPECT_TRUE(FitsTokens(grammar, "1"));
  EXPECT_TRUE(FitsTokens(grammar,
                         "\x01<|channel>\x02thought\n{any \"\x01<channel|>\x02"
                         "1"));
  EXPECT_FALSE(FitsTokens(grammar, "\x01<|channel>\x02thought 1"));
  // A channel of another name would be read as text of the answer.
  EXPECT_FALSE(FitsTokens(grammar,
                          "\x01<|channel>\x02hm\x01<channel|>\x02"
                          "1"));
  const GrammarPtr open =
      SchemaGrammar(R"({"enum":[1]})", {.thought = ThoughtPrefix::kOpen});
  EXPECT_TRUE(FitsTokens(open,
                         "hm\x01<channel|>\x02"
                         "1"));
  EXPECT_FALSE(FitsTokens(open, "1"));
}

TEST(GrammarStateTest, StatesOfOneGrammarWorkInParallel) {
  const GrammarPtr grammar = SchemaGrammar(kPerson);
  std::vector<std::thread> threads;
  std::vector<std::string> texts(4);
  for (size_t i = 0; i < texts.size(); ++i) {
    threads.emplace_back([&, i] { texts[i] = NoisyText(grammar, 7); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& text : texts) EXPECT_EQ(text, texts[0]);
}

TEST(GrammarCacheTest, SameContentIsCompiledOnce) {
  GrammarCache cache(2);
  const auto get = [&](std::string_view schema) {
    return Must(cache.JsonSchema(J(schema), TestTokens()));
  };
  const GrammarPtr first = get(R"({"type":"string"})");
  EXPECT_EQ(get(R"({"type":"string"})"), first);
  get(R"({"type":"integer"})");
  get(R"({"type":"null"})");
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_NE(get(R"({"type":"string"})"), first);
  EXPECT_FALSE(cache.Regex("(", TestTokens()).ok());
}

}  // namespace
}  // namespace carat
