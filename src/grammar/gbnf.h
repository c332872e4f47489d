// GBNF, llama.cpp's notation for grammars, to grammar expressions.
#ifndef CARAT_GRAMMAR_GBNF_H_
#define CARAT_GRAMMAR_GBNF_H_

#include <string_view>

#include "base/status.h"
#include "grammar/expr.h"
#include "grammar/token_trie.h"

namespace carat {

// The texts of the rule `root`. Control tokens are looked up in `tokens`.
// Errors name the line.
Result<Expr> ParseGbnf(std::string_view text, const TokenTrie& tokens,
                       ExprBuilder* builder);

}  // namespace carat

#endif  // CARAT_GRAMMAR_GBNF_H_
