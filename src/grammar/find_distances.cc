#include <algorithm>
#include <cstdint>

#include "grammar/compiled_grammar.h"

namespace carat {

void CompiledGrammar::FindDistances() {
  // An estimate needs no more rounds than this.
  constexpr int kMaxRounds = 32;
  for (State& state : states_) state.distance = state.accept ? 0 : kFar;
  bool changed = true;
  for (int round = 0; changed && round < kMaxRounds; ++round) {
    changed = false;
    for (size_t s = states_.size(); s-- > 0;) {
      State& state = states_[s];
      uint32_t best = state.distance;
      for (uint32_t i = 0; i < state.bytes; ++i) {
        const uint32_t target = bytes_[state.first_byte + i].target;
        best = std::min(best, 1 + states_[target].distance);
      }
      for (uint32_t i = 0; i < state.symbols; ++i) {
        const SymbolEdge& edge = symbols_[state.first_symbol + i];
        const bool call = edge.kind == SymbolKind::kCall;
        const uint32_t inside =
            call ? states_[rules_[edge.argument].start].distance : 1;
        best = std::min(best, inside + states_[edge.target].distance);
      }
      if (best < state.distance) {
        state.distance = best;
        changed = true;
      }
    }
  }
}

}  // namespace carat
