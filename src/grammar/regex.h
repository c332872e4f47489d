// Regular expressions as JSON schema's `pattern` uses them: ECMA-262 syntax
// over code points (its `u` mode), without look-around, back-references, word
// boundaries and Unicode properties.
#ifndef CARAT_GRAMMAR_REGEX_H_
#define CARAT_GRAMMAR_REGEX_H_

#include <memory>
#include <string_view>

#include "base/status.h"
#include "grammar/automaton.h"
#include "grammar/expr.h"

namespace carat {

enum class RegexMatch {
  kWhole,   // the whole text matches
  kSearch,  // some part of it does, as JSON schema wants
};

// Strings that match, as bytes of UTF-8. Control characters are possible only
// where the pattern names them or says `.`-like things that include them.
Result<Expr> ParseRegex(std::string_view pattern, RegexMatch match,
                        ExprBuilder* builder);
Result<std::shared_ptr<const Dfa>> RegexDfa(std::string_view pattern,
                                            RegexMatch match);

}  // namespace carat

#endif  // CARAT_GRAMMAR_REGEX_H_
