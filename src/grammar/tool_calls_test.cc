#include <random>
#include <string>
#include <vector>

#include "grammar/walk_test_util.h"

namespace carat {
namespace {

const char* const kWeather =
    R"({"type":"object","properties":{"city":{"type":"string"},
        "unit":{"enum":["c","f"]},"days":{"type":"integer","minimum":1},
        "at":{"type":"object","properties":{"lat":{"type":"number"},
        "tags":{"type":"array","items":{"type":"string"},"maxItems":2}}},
        "citizen":{"type":["boolean","null"]}},"required":["city"]})";

// `Q` stands for the quote token, `O` and `C` for the call's borders.
std::string Expand(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == 'Q') {
      out += "\x01<|\"|>\x02";
    } else if (c == 'O') {
      out += "\x01<|tool_call>\x02";
    } else if (c == 'C') {
      out += "\x01<tool_call|>\x02";
    } else {
      out.push_back(c);
    }
  }
  return out;
}

GrammarPtr Calls(const ToolCallOptions& options = {}) {
  const std::vector<ToolSchema> tools = {{"weather", J(kWeather)},
                                         {"weather.now", Json()},
                                         {"f", J(R"({"type":"object"})")}};
  return Must(CompileToolCalls(tools, TestTokens(), options));
}

TEST(ToolCallsTest, KeysComeInAnyOrderButOnce) {
  const GrammarPtr grammar = Calls();
  for (const char* text :
       {"Ocall:weather{city:QosloQ}C", "Ocall:weather{unit:QcQ,city:QxQ}C",
        "Ocall:weather{days:3,city:QaQ,unit:QfQ,citizen:null}C",
        "Ocall:weather{at:{tags:[QaQ,QbQ],lat:1.5},city:QQ}C",
        "Ocall:weather{at:{},city:Q{\"a\": [1]}, \n éQ}C",
        "Ocall:weather.now{}C", "Ocall:f{}C",
        "Ocall:f{}COcall:weather{city:QaQ}C"}) {
    EXPECT_TRUE(FitsTokens(grammar, Expand(text))) << text;
  }
  for (const char* text :
       {"Ocall:weather{}C", "Ocall:weather{unit:QcQ}C",
        "Ocall:weather{city:QaQ,city:QbQ}C", "Ocall:weather{city:\"a\"}C",
        "Ocall:weather{city:QaQ,}C", "Ocall:weather{city:QaQ,unit:QkQ}C",
        "Ocall:weather{city:QaQ,days:0}C", "Ocall:weather{city:QaQ,x:1}C",
        "Ocall:weather{city:QaQ,at:{tags:[QaQ,QaQ,QaQ]}}C", "Ocall:nope{}C",
        "Ocall:weather.now{a:1}C", "call:f{}", "",
        "Ocall:weather{city:Qa<|\"|>bQ}C"}) {
    EXPECT_FALSE(FitsTokens(grammar, Expand(text))) << text;
  }
}

TEST(ToolCallsTest, SeenKeysAreNotBegunAgain) {
  GrammarState state(Calls());
  ASSERT_TRUE(Feed(&state, Expand("Ocall:weather{city:QaQ,c")));
  // Only "citizen" is left of the two.
  EXPECT_EQ(state.ForcedText(), "itizen:");
}

TEST(ToolCallsTest, OneCallOnlyWhenNotParallel) {
  const GrammarPtr grammar = Calls({.parallel = false});
  EXPECT_TRUE(FitsTokens(grammar, Expand("Ocall:f{}C")));
  EXPECT_FALSE(FitsTokens(grammar, Expand("Ocall:f{}COcall:f{}C")));
}

TEST(ToolCallsTest, LazyModeLeavesTextAlone) {
  const GrammarPtr grammar = Calls({.mode = ToolCallMode::kLazy});
  GrammarState state(grammar);
  EXPECT_TRUE(state.IsUnconstrained());
  EXPECT_EQ(Allowed(state, *TestTokens()).size(),
            static_cast<size_t>(TestTokens()->size()));
  ASSERT_TRUE(Feed(&state, Expand("call:f{ } \x01<|channel>\x02 hm")));
  EXPECT_TRUE(state.IsUnconstrained());
  ASSERT_TRUE(Feed(&state, Expand("O")));
  EXPECT_FALSE(state.IsUnconstrained());
  EXPECT_EQ(state.ForcedText(), "call:");
  ASSERT_TRUE(Feed(&state, Expand("call:f{}C")));
  EXPECT_TRUE(state.IsComplete());
  EXPECT_FALSE(state.AcceptText("x"));
  EXPECT_TRUE(state.Accept(*TestTokens()->tokenizer().Find("<eos>")));
}

TEST(ToolCallsTest, OddKeysAreQuoted) {
  const std::vector<ToolSchema> tools = {
      {"f", J(R"({"type":"object","properties":{"a:b":{"type":"integer"},
                  "two words":{"type":"integer"},"":{"type":"integer"},
                  "k-b":{"type":"integer"}}})")}};
  const GrammarPtr grammar = Must(CompileToolCalls(tools, TestTokens()));
  for (const char* text : {"Ocall:f{Qa:bQ:1}C", "Ocall:f{two words:1,k-b:2}C",
                           "Ocall:f{QQ:1,Qa:bQ:2}C"}) {
    EXPECT_TRUE(FitsTokens(grammar, Expand(text))) << text;
  }
  EXPECT_FALSE(FitsTokens(grammar, Expand("Ocall:f{QQ:1,QQ:2}C")));
}

TEST(ToolCallsTest, FunctionGemmaHasItsOwnMarkers) {
  const GrammarPtr grammar =
      Calls({.syntax = ToolSyntax::kFunctionGemma, .parallel = false});
  const std::string quote = "\x01<escape>\x02";
  EXPECT_TRUE(FitsTokens(grammar,
                         "\x01<start_function_call>\x02"
                         "call:weather{city:" +
                             quote + "a" + quote +
                             "}\x01<end_function_call>\x02"));
}

TEST(CallsOrAnswerTest, TheOutputIsOneOrTheOther) {
  const std::vector<ToolSchema> tools = {{"f", Json()}};
  AnswerText answer;
  answer.schema = J(R"({"type":"object","properties":{"ok":{"type":"boolean"}},
                        "required":["ok"]})");
  const GrammarPtr grammar =
      Must(CompileCallsOrAnswer(tools, answer, TestTokens()));
  for (const char* text :
       {"Ocall:f{}C", "Ocall:f{}COcall:f{}C", R"({"ok":true})"}) {
    EXPECT_TRUE(FitsTokens(grammar, Expand(text))) << text;
  }
  for (const char* text :
       {R"({"ok":true}Ocall:f{}C)", R"(Ocall:f{}C{"ok":true})", "Ocall:g{}C",
        "hm Ocall:f{}C", R"({"ok":1})", ""}) {
    EXPECT_FALSE(FitsTokens(grammar, Expand(text))) << text;
  }
  for (uint64_t seed = 0; seed < 6; ++seed) NoisyText(grammar, seed);
}

TEST(CallsOrAnswerTest, PatternsAndGrammarsMayBeTheAnswerToo) {
  const std::vector<ToolSchema> tools = {{"f", Json()}};
  const ToolCallOptions options = {.thought = ThoughtPrefix::kOptional};
  AnswerText answer;
  answer.kind = AnswerText::Kind::kRegex;
  answer.text = "[ab]{2}";
  const GrammarPtr regex =
      Must(CompileCallsOrAnswer(tools, answer, TestTokens(), options));
  answer.kind = AnswerText::Kind::kGbnf;
  answer.text = "root ::= \"(\" root? \")\"";
  const GrammarPtr gbnf =
      Must(CompileCallsOrAnswer(tools, answer, TestTokens(), options));
  const std::string thought =
      "\x01<|channel>\x02thought\nhm {\x01<channel|>\x02";
  EXPECT_TRUE(FitsTokens(regex, thought + "ab"));
  EXPECT_TRUE(FitsTokens(regex, thought + Expand("Ocall:f{}C")));
  EXPECT_FALSE(FitsTokens(regex, thought + "(())"));
  EXPECT_TRUE(FitsTokens(gbnf, thought + "(())"));
  EXPECT_TRUE(FitsTokens(gbnf, Expand("Ocall:f{}C")));
  EXPECT_FALSE(FitsTokens(gbnf, "(()"));
}

TEST(ToolCallsTest, NoiseAtTheNestingLimitFindsItsWayOut) {
  // Every node must hold "leaf", whose value is deeper than the node's own
  // brackets: a sampler that always opens another node must be stopped while
  // there is still room for all the leaves on the way out.
  const char* const kTree = R"({"$defs":{
      "deep":{"type":"object","required":["x"],"properties":{"x":{
        "type":"object","required":["y"],"properties":{"y":{
          "type":"array","minItems":1,"items":{"type":"array","minItems":1,
            "items":{"type":"boolean"}}}}}}},
      "node":{"type":"object","required":["leaf"],"properties":{
        "next":{"$ref":"#/$defs/node"},"leaf":{"$ref":"#/$defs/deep"}}}},
      "$ref":"#/$defs/node"})";
  const std::vector<ToolSchema> tools = {{"f", J(kTree)}};
  const GrammarPtr calls = Must(CompileToolCalls(tools, TestTokens()));
  const GrammarPtr json = SchemaGrammar(kTree);
  for (const GrammarPtr& grammar : {calls, json}) {
    GrammarState state(grammar);
    ASSERT_TRUE(Feed(&state, grammar == calls ? Expand("Ocall:f{") : "{"));
    const std::string open = grammar == calls ? "next:{" : R"("next":{)";
    int depth = 0;
    while (depth < 1000 && state.AcceptText(open)) ++depth;
    EXPECT_GT(depth, 20);
    EXPECT_LT(depth, 200);
    // Noise from here on: no mask may be empty, and the end is reached.
    std::vector<uint64_t> mask(TestTokens()->mask_words());
    std::mt19937_64 random(7);
    int steps = 0;
    for (; steps < 60000 && !state.IsFinished(); ++steps) {
      const std::vector<TokenId> allowed = Allowed(state, *TestTokens());
      ASSERT_FALSE(allowed.empty()) << "dead end after " << steps;
      // Of a few, the one that brings the end nearest: noise alone would
      // write lists for ever.
      TokenId best = -1;
      size_t least = ~size_t{0};
      for (int i = 0; i < 12; ++i) {
        const TokenId id = allowed[random() % allowed.size()];
        GrammarState next = state;
        ASSERT_TRUE(next.Accept(id));
        if (next.IsFinished() || next.BytesToEnd() < least) {
          best = id;
          least = next.BytesToEnd();
        }
      }
      ASSERT_TRUE(state.Accept(best));
    }
    EXPECT_TRUE(state.IsFinished()) << steps;
  }
}

TEST(ToolCallsTest, NoiseIsBalanced) {
  for (const ToolSyntax syntax :
       {ToolSyntax::kGemma4, ToolSyntax::kFunctionGemma}) {
    const GrammarPtr grammar = Calls({.syntax = syntax});
    for (uint64_t seed = 0; seed < 6; ++seed) {
      const std::string text = NoisyText(grammar, seed);
      EXPECT_TRUE(FitsTokens(grammar, text)) << text;
    }
  }
}

TEST(ToolCallsTest, BadDeclarationsAreNamed) {
  const auto compile = [](std::string name, std::string_view schema) {
    const std::vector<ToolSchema> tools = {{std::move(name), J(schema)}};
    return CompileToolCalls(tools, TestTokens()).status();
  };
  EXPECT_EQ(compile("a b", "{}").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(compile("f", R"({"type":"string"})").code(),
            StatusCode::kInvalidArgument);
  const Status status = compile("f", R"({"properties":{"x":{"type":"array",
                      "uniqueItems":true}}})");
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_NE(status.message().find("Tool f"), std::string::npos);
  EXPECT_FALSE(CompileToolCalls({}, TestTokens()).ok());
}

}  // namespace
}  // namespace carat
