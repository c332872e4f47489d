// Helpers of the grammar tests: membership, and walks that check on every step
// that the mask says exactly what Accept does.
#ifndef CARAT_GRAMMAR_WALK_TEST_UTIL_H_
#define CARAT_GRAMMAR_WALK_TEST_UTIL_H_

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/grammar.h"
#include "grammar/test_tokenizer.h"

namespace carat {

inline const TokenTriePtr& TestTokens() {
  static const GrammarTestTokenizer tokenizer;
  static const TokenTriePtr tokens = TokenTrie::Build(tokenizer);
  return tokens;
}

inline Json J(std::string_view text) {
  Result<Json> json = Json::Parse(text);
  EXPECT_TRUE(json.ok()) << json.status().message();
  return json.ok() ? *json : Json();
}

inline GrammarPtr Must(Result<GrammarPtr> grammar) {
  EXPECT_TRUE(grammar.ok()) << grammar.status().message();
  return grammar.ok() ? *grammar : nullptr;
}

inline GrammarPtr SchemaGrammar(std::string_view schema,
                                const JsonGrammarOptions& options = {}) {
  return Must(CompileJsonSchema(J(schema), TestTokens(), options));
}

inline bool Fits(const GrammarPtr& grammar, std::string_view text) {
  GrammarState state(grammar);
  return state.AcceptText(text) && state.IsComplete();
}

// Feeds text, byte by byte; control tokens are written between \x01 and \x02.
inline bool Feed(GrammarState* state, std::string_view text) {
  while (!text.empty()) {
    if (text[0] != '\x01') {
      if (!state->AcceptText(text.substr(0, 1))) return false;
      text.remove_prefix(1);
      continue;
    }
    const size_t end = text.find('\x02');
    const auto id = TestTokens()->Terminal(text.substr(1, end - 1));
    if (!id || !state->Accept(*id)) return false;
    text.remove_prefix(end + 1);
  }
  return true;
}

inline bool FitsTokens(const GrammarPtr& grammar, std::string_view text) {
  GrammarState state(grammar);
  return Feed(&state, text) && state.IsComplete();
}

inline std::vector<TokenId> Allowed(const GrammarState& state,
                                    const TokenTrie& tokens) {
  std::vector<uint64_t> mask(tokens.mask_words());
  state.Mask(mask);
  std::vector<TokenId> allowed;
  for (TokenId id = 0; id < tokens.size(); ++id) {
    if (mask[id / 64] >> (id % 64) & 1) allowed.push_back(id);
  }
  return allowed;
}

// A random text of the grammar; control tokens as Feed takes them. Checks
// every mask against Accept for the whole vocabulary.
inline std::string NoisyText(const GrammarPtr& grammar, uint64_t seed) {
  const TokenTrie& tokens = TokenTrieOf(*grammar);
  std::mt19937_64 random(seed);
  GrammarState state(grammar);
  std::string text;
  for (int step = 0; step < 1500 && !state.IsFinished(); ++step) {
    const std::vector<TokenId> allowed = Allowed(state, tokens);
    EXPECT_FALSE(allowed.empty()) << "dead end after " << text;
    if (allowed.empty()) return text;
    size_t next_allowed = 0;
    for (TokenId id = 0; id < tokens.size() && step < 60; ++id) {
      const bool in_mask =
          next_allowed < allowed.size() && allowed[next_allowed] == id;
      next_allowed += in_mask ? 1 : 0;
      EXPECT_EQ(in_mask, state.CanAccept(id))
          << "token " << tokens.tokenizer().Piece(id) << " after " << text;
    }
    TokenId next = allowed[random() % allowed.size()];
    if (step > 30 && random() % 4 != 0) {
      for (TokenId id : allowed) {
        const std::string_view piece = tokens.tokenizer().Piece(id);
        if (!tokens.IsText(id) || piece == "\"" || piece == "}" ||
            piece == "]") {
          next = id;
        }
      }
    }
    EXPECT_TRUE(state.Accept(next));
    if (state.IsFinished()) break;
    text += tokens.IsText(next)
                ? std::string(tokens.Text(next))
                : "\x01" + std::string(tokens.tokenizer().Piece(next)) + "\x02";
  }
  EXPECT_TRUE(state.IsFinished()) << "no end after " << text;
  return text;
}

}  // namespace carat

#endif  // CARAT_GRAMMAR_WALK_TEST_UTIL_H_
