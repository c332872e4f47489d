#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "grammar/automaton.h"

namespace carat {
namespace {

Status TooLarge() {
  return ResourceExhausted(
      "A string constraint needs too many automaton states; loosen its length "
      "bounds or simplify its pattern.");
}

bool StartsCharacter(uint8_t byte) { return (byte & 0xC0) != 0x80; }

// Grows a DFA whose states are pairs, start pair first.
class PairBuilder {
 public:
  using Pair = std::pair<uint32_t, uint64_t>;

  explicit PairBuilder(Pair start) { Add(start); }

  uint32_t Id(Pair pair) {
    const auto it = ids_.find(pair);
    return it != ids_.end() ? it->second : Add(pair);
  }
  const Pair& At(size_t i) const { return pairs_[i]; }
  size_t size() const { return pairs_.size(); }

  // States must be opened in order of their ids.
  void Open(bool accept) {
    DfaState state;
    state.first_byte = static_cast<uint32_t>(dfa.bytes.size());
    state.accept = accept;
    dfa.states.push_back(state);
  }
  void Edge(uint8_t lo, uint8_t hi, Pair target) {
    dfa.bytes.push_back({lo, hi, 0, Id(target)});
    ++dfa.states.back().bytes;
  }

  Dfa dfa;

 private:
  uint32_t Add(Pair pair) {
    const uint32_t id = static_cast<uint32_t>(pairs_.size());
    ids_.emplace(pair, id);
    pairs_.push_back(pair);
    return id;
  }

  std::map<Pair, uint32_t> ids_;
  std::vector<Pair> pairs_;
};

}  // namespace

Result<Dfa> Intersect(const Dfa& a, const Dfa& b, size_t max_states) {
  PairBuilder builder({0, 0});
  for (size_t i = 0; i < builder.size(); ++i) {
    if (i >= max_states) return TooLarge();
    const auto [p, q] = builder.At(i);
    const uint32_t q32 = static_cast<uint32_t>(q);
    builder.Open(i != 0 && a.Accepts(p) && b.Accepts(q32));
    const DfaState& sa = a.states[p];
    const DfaState& sb = b.states[q32];
    for (uint32_t x = sa.first_byte; x < sa.first_byte + sa.bytes; ++x) {
      for (uint32_t y = sb.first_byte; y < sb.first_byte + sb.bytes; ++y) {
        const uint8_t lo = std::max(a.bytes[x].lo, b.bytes[y].lo);
        const uint8_t hi = std::min(a.bytes[x].hi, b.bytes[y].hi);
        if (lo <= hi) {
          builder.Edge(lo, hi, {a.bytes[x].target, b.bytes[y].target});
        }
      }
    }
  }
  builder.dfa.nullable = a.nullable && b.nullable;
  RemoveDeadEdges(&builder.dfa);
  return std::move(builder.dfa);
}

Result<Dfa> WithLength(const Dfa& dfa, uint64_t min, uint64_t max,
                       size_t max_states) {
  const bool limited = max != Guard::kNoLimit;
  PairBuilder builder({0, 0});
  for (size_t i = 0; i < builder.size(); ++i) {
    if (i >= max_states) return TooLarge();
    const auto [q, length] = builder.At(i);
    builder.Open(i != 0 && dfa.Accepts(q) && length >= min);
    const DfaState& state = dfa.states[q];
    for (uint32_t e = state.first_byte; e < state.first_byte + state.bytes;
         ++e) {
      const ByteEdge& edge = dfa.bytes[e];
      // Continuation bytes and first bytes count differently.
      for (const auto& [lo, hi] :
           {std::pair<int, int>{0, 0x7F}, {0x80, 0xBF}, {0xC0, 0xFF}}) {
        const int from = std::max<int>(lo, edge.lo);
        const int to = std::min<int>(hi, edge.hi);
        if (from > to) continue;
        uint64_t next = length;
        if (StartsCharacter(static_cast<uint8_t>(from))) {
          if (limited && length >= max) continue;
          next = limited ? length + 1 : std::min(length + 1, min);
        }
        builder.Edge(static_cast<uint8_t>(from), static_cast<uint8_t>(to),
                     {edge.target, next});
      }
    }
  }
  builder.dfa.nullable = dfa.nullable && min == 0;
  RemoveDeadEdges(&builder.dfa);
  return std::move(builder.dfa);
}

void RemoveDeadEdges(Dfa* dfa) {
  const size_t count = dfa->states.size();
  std::vector<std::vector<uint32_t>> sources(count);
  for (uint32_t i = 0; i < count; ++i) {
    const DfaState& state = dfa->states[i];
    for (uint32_t e = 0; e < state.bytes; ++e) {
      sources[dfa->bytes[state.first_byte + e].target].push_back(i);
    }
  }
  std::vector<bool> live(count, false);
  std::vector<uint32_t> todo;
  for (uint32_t i = 0; i < count; ++i) {
    if (!dfa->states[i].accept) continue;
    live[i] = true;
    todo.push_back(i);
  }
  while (!todo.empty()) {
    const uint32_t at = todo.back();
    todo.pop_back();
    for (uint32_t source : sources[at]) {
      if (live[source]) continue;
      live[source] = true;
      todo.push_back(source);
    }
  }
  std::vector<ByteEdge> kept;
  for (DfaState& state : dfa->states) {
    const uint32_t first = static_cast<uint32_t>(kept.size());
    for (uint32_t e = 0; e < state.bytes; ++e) {
      const ByteEdge& edge = dfa->bytes[state.first_byte + e];
      if (live[edge.target]) kept.push_back(edge);
    }
    state.first_byte = first;
    state.bytes = static_cast<uint32_t>(kept.size()) - first;
  }
  dfa->bytes = std::move(kept);
}

LengthRange CharacterLengths(const Dfa& input) {
  Dfa dfa = input;
  RemoveDeadEdges(&dfa);
  const size_t count = dfa.states.size();
  constexpr uint64_t kFar = Guard::kNoLimit;
  std::vector<uint64_t> shortest(count, kFar);
  shortest[0] = 0;
  // Longest words by rounds of relaxation; a change after `count` rounds means
  // a cycle with characters in it.
  std::vector<int64_t> longest(count, -1);
  longest[0] = 0;
  bool changed = true;
  bool unbounded = false;
  for (size_t round = 0; changed; ++round) {
    changed = false;
    for (uint32_t i = 0; i < count; ++i) {
      if (longest[i] < 0) continue;
      const DfaState& state = dfa.states[i];
      for (uint32_t e = state.first_byte; e < state.first_byte + state.bytes;
           ++e) {
        const ByteEdge& edge = dfa.bytes[e];
        const int step = StartsCharacter(edge.lo) ? 1 : 0;
        if (shortest[i] + step < shortest[edge.target]) {
          shortest[edge.target] = shortest[i] + step;
          changed = true;
        }
        if (!unbounded && longest[i] + step > longest[edge.target]) {
          longest[edge.target] = longest[i] + step;
          changed = true;
        }
      }
    }
    if (round > count || longest[0] > 0) unbounded = true;
  }
  LengthRange range{dfa.nullable ? 0 : kFar, 0};
  for (uint32_t i = 1; i < count; ++i) {
    if (!dfa.states[i].accept || shortest[i] == kFar) continue;
    range.shortest = std::min(range.shortest, shortest[i]);
    range.longest = std::max(range.longest, static_cast<uint64_t>(longest[i]));
  }
  if (unbounded) range.longest = kFar;
  return range;
}

}  // namespace carat
