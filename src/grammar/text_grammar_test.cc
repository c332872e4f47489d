// Regular expressions and GBNF.
#include <string>
#include <vector>

#include "grammar/walk_test_util.h"

namespace carat {
namespace {

GrammarPtr Regex(std::string_view pattern) {
  return Must(CompileRegex(pattern, TestTokens()));
}
GrammarPtr Gbnf(std::string_view text) {
  return Must(CompileGbnf(text, TestTokens()));
}

TEST(RegexGrammarTest, MatchesTheWholeText) {
  struct {
    const char* pattern;
    std::vector<std::string> fits, misses;
  } const cases[] = {
      {"a|bc*", {"a", "b", "bcc"}, {"", "c", "ab"}},
      {"^a$", {"a"}, {"aa"}},
      {"(?:ab){2,3}", {"abab", "ababab"}, {"ab", "abababab"}},
      {"[^a-c]+", {"xyz", "日本"}, {"", "xa"}},
      {"\\d{3}-\\w", {"123-a", "000-_"}, {"12-a", "123--"}},
      {".", {"x", "é", "😀"}, {"", "\n", "xy"}},
      {"\\u00e9|\\u{1F600}|\\uD83D\\uDE01", {"é", "😀", "😁"}, {"e"}},
      {"a?", {"", "a"}, {"b"}},
      {"(a|b)*abb", {"abb", "aabb", "babb"}, {"ab", "abba"}},
      {"[\\w.-]+", {"a.b-c"}, {"a b"}},
      {"x{0}", {""}, {"x"}},
      // Whitespace to some validators and not to others is neither.
      {"\\s", {" ", "\n", "\u00a0"}, {"\x1d", "\u0085", "\ufeff"}},
      {"\\S|[^\\s]", {"a", "é"}, {" ", "\x1d", "\u0085", "\ufeff"}},
      {"[^\\S]", {" "}, {"\x1d", "\ufeff", "a"}},
  };
  for (const auto& c : cases) {
    const GrammarPtr grammar = Regex(c.pattern);
    ASSERT_NE(grammar, nullptr) << c.pattern;
    for (const std::string& text : c.fits) {
      EXPECT_TRUE(Fits(grammar, text)) << c.pattern << " " << text;
    }
    for (const std::string& text : c.misses) {
      EXPECT_FALSE(Fits(grammar, text)) << c.pattern << " " << text;
    }
  }
}

TEST(RegexGrammarTest, RefusesWhatItCannotDo) {
  for (const char* pattern : {"(a)\\1", "(?=a)b", "\\bx", "\\p{L}", "(?<!a)"}) {
    EXPECT_EQ(CompileRegex(pattern, TestTokens()).status().code(),
              StatusCode::kUnsupported)
        << pattern;
  }
  for (const char* pattern :
       {"(", ")", "a**", "[a", "a{2,1}", "\\", "[b-a]", "*a", "a{", "\\xZZ"}) {
    EXPECT_EQ(CompileRegex(pattern, TestTokens()).status().code(),
              StatusCode::kMalformed)
        << pattern;
  }
  for (const char* pattern :
       {"((a{1000}){1000}){1000}", "(){10000}", "(a|b)*a(a|b){19}"}) {
    EXPECT_EQ(
        CompileRegex(pattern, TestTokens()).status().code(),
        pattern[1] == ')' ? StatusCode::kOk : StatusCode::kResourceExhausted)
        << pattern;
  }
}

TEST(RegexGrammarTest, NoiseMatches) {
  for (const char* pattern :
       {"[a-z]+@[a-z]+\\.com", "(\\{\"a\":[0-9]+\\})+", ".*x", "é{2,4}"}) {
    const GrammarPtr grammar = Regex(pattern);
    for (uint64_t seed = 0; seed < 2; ++seed) {
      GrammarState state(grammar);
      // Long free parts may not finish; what they write has to fit anyway.
      for (int i = 0; i < 40; ++i) {
        const std::vector<TokenId> allowed = Allowed(state, *TestTokens());
        ASSERT_FALSE(allowed.empty());
        const TokenId next =
            allowed[(seed * 7919 + static_cast<uint64_t>(i) * 104729) %
                    allowed.size()];
        ASSERT_TRUE(state.Accept(next));
        if (state.IsFinished()) break;
      }
    }
  }
}

TEST(GbnfTest, ReadsRulesClassesAndRepeats) {
  const GrammarPtr grammar = Gbnf(
      "# a comment\n"
      "root ::= item (\",\" ws item){0,2} | \"none\"\n"
      "item ::= [a-c]+ | \"\\\"\" [^\"\\n]* \"\\\"\"\n"
      "  | number\n"
      "number ::= \"-\"? [0-9]{1,3}\n"
      "ws ::= \" \"*\n");
  for (const char* text : {"none", "abc", "a, b,c", "\"x y\"", "-12", "1,2"}) {
    EXPECT_TRUE(Fits(grammar, text)) << text;
  }
  for (const char* text : {"", "d", "a,", "a,b,c,a", "1234", "\"x"}) {
    EXPECT_FALSE(Fits(grammar, text)) << text;
  }
}

TEST(GbnfTest, RecursesWithoutLimitInTheGrammar) {
  const GrammarPtr grammar = Gbnf(
      "root ::= expr\n"
      "expr ::= term (\"+\" term)*\n"
      "term ::= [0-9] | \"(\" expr \")\"\n");
  EXPECT_TRUE(Fits(grammar, "1+(2+(3+4))+5"));
  EXPECT_FALSE(Fits(grammar, "1+(2+(3+4)+5"));
  for (uint64_t seed = 0; seed < 3; ++seed) {
    GrammarState state(grammar);
    for (int i = 0; i < 30; ++i) {
      const std::vector<TokenId> allowed = Allowed(state, *TestTokens());
      ASSERT_FALSE(allowed.empty());
      for (TokenId id = 0; id < TestTokens()->size(); ++id) {
        EXPECT_EQ(std::count(allowed.begin(), allowed.end(), id) > 0,
                  state.CanAccept(id));
      }
      ASSERT_TRUE(state.Accept(allowed[(seed + 1) * 31 % allowed.size()]));
      if (state.IsFinished()) break;
    }
  }
}

TEST(GbnfTest, AmbiguityAndNullableRulesAreFine) {
  const GrammarPtr grammar = Gbnf(
      "root ::= a a b\n"
      "a ::= \"x\" a | \"\"\n"
      "b ::= a \"y\" | a\n");
  for (const char* text : {"", "x", "xxx", "y", "xxxy"}) {
    EXPECT_TRUE(Fits(grammar, text)) << text;
  }
  EXPECT_FALSE(Fits(grammar, "yx"));
}

TEST(GbnfTest, ControlTokensAreTerminals) {
  const GrammarPtr grammar =
      Gbnf("root ::= <|tool_call> \"x\" <tool_call|> | <[10]>\n");
  EXPECT_TRUE(FitsTokens(grammar, "\x01<|tool_call>\x02x\x01<tool_call|>\x02"));
  EXPECT_FALSE(FitsTokens(grammar, "<|tool_call>x"));
  GrammarState state(grammar);
  EXPECT_TRUE(state.Accept(10));
}

TEST(GbnfTest, AnEscapeCutOffAtTheEndIsAnError) {
  // Without a terminator behind it, as text from a request stands in memory.
  for (const std::string_view text : {"root ::= [a\\", "root ::= \"\\"}) {
    const std::vector<char> exact(text.begin(), text.end());
    const auto grammar =
        CompileGbnf({exact.data(), exact.size()}, TestTokens());
    ASSERT_FALSE(grammar.ok());
    EXPECT_NE(grammar.status().message().find("line 1"), std::string::npos);
  }
}

TEST(GbnfTest, ErrorsNameLineOrRule) {
  struct {
    const char* text;
    StatusCode code;
    const char* hint;
  } const cases[] = {
      {"root ::= \"a\n", StatusCode::kMalformed, "line 1"},
      {"root ::= b\n", StatusCode::kMalformed, "rule b"},
      {"a ::= \"a\"\n", StatusCode::kMalformed, "root"},
      {"root ::= root \"a\" | \"b\"\n", StatusCode::kUnsupported,
       "left-recursive"},
      {"root ::= x\nx ::= \"\" x \"a\" | \"b\"\n", StatusCode::kUnsupported,
       "left-recursive"},
      {"root ::= \"a\" root\n", StatusCode::kInvalidArgument, "satisfy"},
      {"root ::= \"a\"\nroot ::= \"b\"\n", StatusCode::kMalformed, "twice"},
      {"root ::= <|nope|>\n", StatusCode::kMalformed, "control token"},
  };
  for (const auto& c : cases) {
    const Result<GrammarPtr> grammar = CompileGbnf(c.text, TestTokens());
    ASSERT_FALSE(grammar.ok()) << c.text;
    EXPECT_EQ(grammar.status().code(), c.code) << grammar.status().message();
    EXPECT_NE(grammar.status().message().find(c.hint), std::string::npos)
        << grammar.status().message();
  }
}

}  // namespace
}  // namespace carat
