// Grammars as expressions: what the front ends (JSON schema, regular
// expression, GBNF, tool calls) build and what Link turns into automata.
// Expressions are immutable nodes of one builder, named by index; using one
// twice copies its automaton.
#ifndef CARAT_GRAMMAR_EXPR_H_
#define CARAT_GRAMMAR_EXPR_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/automaton.h"
#include "grammar/char_class.h"
#include "tokenizer/tokenizer.h"

namespace carat {

using Expr = uint32_t;
using RuleId = uint32_t;

// How the bytes of an embedded automaton are written.
enum class Spelling : uint8_t {
  kRaw,
  kJson,  // inside a JSON string: quotes, backslashes and controls escaped
};

class ExprBuilder {
 public:
  static constexpr int kNoMax = -1;

  Expr Empty();
  Expr Never();
  Expr Bytes(std::string_view bytes);
  Expr Chars(CharClass chars);
  Expr Seq(std::vector<Expr> parts);
  Expr Alt(std::vector<Expr> choices);
  Expr Repeat(Expr body, int min, int max = kNoMax);
  Expr Star(Expr body) { return Repeat(body, 0); }
  Expr Optional(Expr body) { return Repeat(body, 0, 1); }
  // item (separator item)*, with one copy of each.
  Expr List(Expr item, Expr separator);
  Expr Token(TokenId token);
  // Any single token but the listed ones.
  Expr FreeToken(std::vector<TokenId> except);
  Expr Call(RuleId rule);
  // `body` after passing the guard.
  Expr Guarded(Guard guard, Expr body);
  Expr Automaton(std::shared_ptr<const Dfa> dfa, Spelling spelling);
  Expr Begin();
  Expr End();

  // Members in this order, separated; optional ones may be left out and any
  // number of `extra` may follow. For the inside of JSON objects.
  struct Member {
    Expr expr;
    bool optional;
  };
  Expr Members(std::vector<Member> members, Expr extra, Expr separator);

  RuleId AddRule();
  void SetBody(RuleId rule, Expr body) { rules_[rule] = body; }
  size_t rules() const { return rules_.size(); }
  Expr body(RuleId rule) const { return rules_[rule]; }
  const std::vector<std::vector<TokenId>>& free_lists() const {
    return free_lists_;
  }
  bool IsNever(Expr expr) const { return nodes_[expr].kind == Kind::kNever; }

  // Whether the empty word matches, for every rule.
  std::vector<bool> NullableRules() const;

  // The automaton of a rule's body.
  Result<Dfa> Compile(Expr body, const std::vector<bool>& nullable,
                      const Nfa::Limits& limits) const;

 private:
  friend class NfaWriter;
  enum class Kind : uint8_t {
    kEmpty,
    kNever,
    kBytes,
    kChars,
    kSeq,
    kAlt,
    kRepeat,
    kList,
    kToken,
    kFree,
    kCall,
    kGuarded,
    kAutomaton,
    kBegin,
    kEnd,
    kMembers,
  };
  struct Node {
    Kind kind;
    Spelling spelling = Spelling::kRaw;
    int min = 0, max = 0;
    uint32_t argument = 0;
    std::vector<Expr> parts = {};
    std::string bytes = {};
    CharClass chars = {};
    Guard guard = {};
    std::shared_ptr<const Dfa> dfa = nullptr;
    std::vector<Member> members = {};
  };

  Expr Add(Node node);
  bool Nullable(Expr expr, const std::vector<bool>& rules) const;

  std::vector<Node> nodes_;
  std::vector<Expr> rules_;
  std::vector<std::vector<TokenId>> free_lists_;
};

}  // namespace carat

#endif  // CARAT_GRAMMAR_EXPR_H_
