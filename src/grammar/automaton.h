// The finite automata under a grammar: NFAs as they are built, and the DFAs
// they become. Symbols are bytes, control tokens, and calls of other rules; a
// rule has one 64-bit register that guards on its edges test and change.
#ifndef CARAT_GRAMMAR_AUTOMATON_H_
#define CARAT_GRAMMAR_AUTOMATON_H_

#include <cstdint>
#include <vector>

#include "base/status.h"

namespace carat {

// A condition on the register and what it does to it. Counters hold the number
// of elements so far, key sets one bit per key seen.
struct Guard {
  enum class Kind : uint8_t {
    kNone,
    kCount,    // fewer than `a` so far; adds one (not past `b` without limit)
    kAtLeast,  // at least `a` so far
    kUnseen,   // some key of the set `a` is missing
    kTake,     // the key `a` is missing; adds it
    kHave,     // all keys of the set `a` are there
  };
  static constexpr uint64_t kNoLimit = ~uint64_t{0};

  Kind kind = Kind::kNone;
  uint64_t a = 0;
  uint64_t b = 0;
  bool operator==(const Guard&) const = default;

  // Whether the edge may be taken; updates the register if so.
  bool Pass(uint64_t* reg) const {
    switch (kind) {
      case Kind::kNone:
        return true;
      case Kind::kCount:
        if (*reg >= a) return false;
        if (a != kNoLimit || *reg < b) ++*reg;
        return true;
      case Kind::kAtLeast:
        return *reg >= a;
      case Kind::kUnseen:
        return (a & ~*reg) != 0;
      case Kind::kTake:
        if ((*reg & a) != 0) return false;
        *reg |= a;
        return true;
      case Kind::kHave:
        return (*reg & a) == a;
    }
    return false;
  }
};

enum class SymbolKind : uint8_t {
  kToken,  // argument: token id
  kCall,   // argument: rule
  kFree,   // any token but those of an exclusion list; argument: the list
};

struct ByteEdge {
  uint8_t lo = 0;
  uint8_t hi = 0;
  uint16_t guard = 0;  // index into guards; 0 is none
  uint32_t target = 0;
};

struct SymbolEdge {
  SymbolKind kind = SymbolKind::kToken;
  uint16_t guard = 0;
  uint32_t argument = 0;
  uint32_t target = 0;
};

struct DfaState {
  uint32_t first_byte = 0;  // edges sorted by byte, disjoint
  uint32_t bytes = 0;
  uint32_t first_symbol = 0;
  uint32_t symbols = 0;
  bool accept = false;
};

// State 0 is the start; no edge leads back to it and it does not accept:
// `nullable` says whether the empty word belongs to the language.
struct Dfa {
  std::vector<DfaState> states;
  std::vector<ByteEdge> bytes;
  std::vector<SymbolEdge> symbols;
  std::vector<Guard> guards = {Guard()};
  bool nullable = false;

  bool Accepts(uint32_t state) const {
    return state == 0 ? nullable : states[state].accept;
  }
  // The target on `byte`, or -1. For automata without guards.
  int64_t Next(uint32_t state, uint8_t byte) const;
};

class Nfa {
 public:
  uint32_t AddNode();
  void AddEmpty(uint32_t from, uint32_t to, uint16_t guard = 0);
  void AddBytes(uint32_t from, uint32_t to, uint8_t lo, uint8_t hi);
  void AddSymbol(uint32_t from, uint32_t to, SymbolKind kind,
                 uint32_t argument);
  // Passable only before the first, or after the last symbol.
  void AddBegin(uint32_t from, uint32_t to);
  void AddEnd(uint32_t from, uint32_t to);
  uint16_t AddGuard(const Guard& guard);
  size_t size() const { return heads_.size(); }

  // How much determinization may build before it gives up.
  struct Limits {
    size_t states = 200000;
    size_t items = 8000000;
  };
  Result<Dfa> Determinize(uint32_t start, uint32_t accept,
                          const Limits& limits) const;

 private:
  friend class Determinizer;
  enum class Kind : uint8_t { kEmpty, kBytes, kSymbol, kBegin, kEnd };
  struct Edge {
    Kind kind;
    SymbolKind symbol;
    uint8_t lo, hi;
    uint16_t guard;
    uint32_t argument;
    uint32_t target;
    uint32_t next;  // in the node's list, kNone at its end
  };
  static constexpr uint32_t kNone = ~uint32_t{0};

  void Add(uint32_t from, Edge edge);

  std::vector<uint32_t> heads_;
  std::vector<Edge> edges_;
  std::vector<Guard> guards_ = {Guard()};
};

// The words both accept. Neither may have guards or symbols.
Result<Dfa> Intersect(const Dfa& a, const Dfa& b, size_t max_states);
// The words of `dfa`, read as UTF-8, with `min` to `max` characters.
Result<Dfa> WithLength(const Dfa& dfa, uint64_t min, uint64_t max,
                       size_t max_states);
// Shortest and longest word in characters; the longest is Guard::kNoLimit when
// there is no bound. Empty languages give {kNoLimit, 0}.
struct LengthRange {
  uint64_t shortest;
  uint64_t longest;
};
LengthRange CharacterLengths(const Dfa& dfa);
// Drops the edges into states from which no accepting state can be reached.
void RemoveDeadEdges(Dfa* dfa);

}  // namespace carat

#endif  // CARAT_GRAMMAR_AUTOMATON_H_
