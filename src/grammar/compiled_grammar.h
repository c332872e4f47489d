// A grammar ready to run: the automata of all its rules in shared arrays, with
// what the mask walker needs to know about each state. Immutable but for its
// mask caches, which lock for themselves.
#ifndef CARAT_GRAMMAR_COMPILED_GRAMMAR_H_
#define CARAT_GRAMMAR_COMPILED_GRAMMAR_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "grammar/automaton.h"
#include "grammar/expr.h"
#include "grammar/grammar.h"
#include "grammar/leaf_cache.h"

namespace carat {

class CompiledGrammar {
 public:
  // Frame numbers that stand for no frame: the end of the whole text, and the
  // unknown caller of a rule whose LocalMask is being built.
  static constexpr uint32_t kRoot = ~uint32_t{0};
  static constexpr uint32_t kBottom = ~uint32_t{0} - 1;
  // Calls inside calls; keeps outputs within what parsers accept.
  static constexpr uint32_t kMaxDepth = 192;
  static constexpr uint32_t kNoRow = ~uint32_t{0};
  static constexpr uint8_t kNoEdge = 255;
  static constexpr uint32_t kFar = 1u << 30;

  struct State {
    uint32_t first_byte;
    uint32_t first_symbol;
    uint16_t bytes;
    uint16_t symbols;
    uint32_t row;       // of `rows`, for states with many edges
    uint32_t run;       // of `runs`, for states with runs
    uint16_t height;    // nested calls needed to finish the rule from here
    uint32_t distance;  // bytes and tokens the shortest way out takes, about
    uint16_t free;      // that many of the rule's free_chars may always follow
    bool accept;
    bool has_calls;
    // Only returns: a call that ends here need not come back.
    bool only_accepts;
  };
  // From this state all characters of `chars` lead to one state, from which
  // they lead to one state again, and so on.
  struct Run {
    CharSet chars;
    uint32_t next;
    uint16_t length;  // so many characters in a row can follow, or more
    uint16_t height;  // the largest height on the way
    bool counts;      // each character adds one to the counter
    // No more of these characters can follow once `length`, or what the
    // counter allows, is used up, and the rule cannot be left on the way.
    bool exact;
  };
  // No token has more characters.
  static constexpr uint16_t kAnyLength = 255;

  struct Rule {
    uint32_t start;
    uint32_t states;
    bool leaf;       // calls no other rule
    bool only_root;  // the start rule, when nobody calls it
    bool counter = false;
    bool key_set = false;
    uint64_t counter_min = 0;
    uint64_t counter_max = Guard::kNoLimit;
    // Nested calls each key's value needs, by its bit in the register.
    std::vector<uint16_t> key_heights;
    uint32_t max_key_height = 0;
    // For State::free: whatever order they come in, none of them leads into
    // nothing. Only for leaves without guards.
    CharSet free_chars = {};
    std::shared_ptr<MaskCache> masks;
  };

  // Determinizes all rules, drops what cannot be completed and joins them.
  static Result<GrammarPtr> Link(const ExprBuilder& builder, RuleId start,
                                 TokenTriePtr tokens,
                                 std::vector<std::string> notes);

  const TokenTrie& tokens() const { return *tokens_; }
  const std::vector<std::string>& notes() const { return notes_; }
  const State& state(uint32_t s) const { return states_[s]; }
  const Rule& rule(uint32_t r) const { return rules_[r]; }
  size_t rules() const { return rules_.size(); }
  size_t states() const { return states_.size(); }
  uint32_t RuleOf(uint32_t s) const { return rule_of_[s]; }
  uint32_t start_state() const { return rules_[start_rule_].start; }
  bool nullable() const { return nullable_; }
  const Run& run(uint32_t r) const { return runs_[r]; }
  const SymbolEdge& symbol(uint32_t i) const { return symbols_[i]; }
  // Whether an edge's guard can be passed `depth` calls deep; updates the
  // register if so. Keys whose values nest too deeply there count as seen.
  bool Pass(uint32_t rule, uint16_t guard, uint32_t depth,
            uint64_t* reg) const {
    if (guard == 0) return true;
    const Guard& g = GuardOf(rule, guard);
    const Rule& r = rules_[rule];
    if (g.kind != Guard::Kind::kUnseen ||
        depth + r.max_key_height <= kMaxDepth) {
      return g.Pass(reg);
    }
    for (size_t bit = 0; bit < r.key_heights.size(); ++bit) {
      const bool unseen = ((g.a & ~*reg) >> bit & 1) != 0;
      if (unseen && depth + r.key_heights[bit] <= kMaxDepth) return true;
    }
    return false;
  }
  // Guard numbers on edges are relative to the rule.
  const Guard& GuardOf(uint32_t rule, uint16_t guard) const {
    return guards_[rule_guards_[rule] + guard];
  }
  const ByteEdge& byte_edge(uint32_t i) const { return bytes_[i]; }
  // The edge of state `s` on `byte`, or null.
  const ByteEdge* Find(const State& s, uint8_t byte) const {
    if (s.row != kNoRow) {
      const uint8_t edge = rows_[size_t{s.row} * 256 + byte];
      return edge == kNoEdge ? nullptr : &bytes_[s.first_byte + edge];
    }
    for (uint32_t i = 0; i < s.bytes; ++i) {
      const ByteEdge& edge = bytes_[s.first_byte + i];
      if (byte < edge.lo) return nullptr;
      if (byte <= edge.hi) return &edge;
    }
    return nullptr;
  }
  const std::vector<TokenId>& free_list(uint32_t i) const {
    return free_lists_[i];
  }

 private:
  friend class Linker;
  friend class RunFinder;
  friend class FreeFinder;
  static void FindRuns(CompiledGrammar* grammar);
  void FindFreeLengths();
  void FindDistances();
  CompiledGrammar() = default;

  TokenTriePtr tokens_;
  std::vector<std::string> notes_;
  std::vector<Rule> rules_;
  std::vector<State> states_;
  std::vector<uint32_t> rule_of_;
  std::vector<ByteEdge> bytes_;
  std::vector<SymbolEdge> symbols_;
  std::vector<Guard> guards_;
  std::vector<uint32_t> rule_guards_;
  std::vector<uint8_t> rows_;
  std::vector<Run> runs_;
  std::vector<std::vector<TokenId>> free_lists_;
  uint32_t start_rule_ = 0;
  bool nullable_ = false;
};

}  // namespace carat

#endif  // CARAT_GRAMMAR_COMPILED_GRAMMAR_H_
