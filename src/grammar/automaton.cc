#include "grammar/automaton.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>

namespace carat {

int64_t Dfa::Next(uint32_t state, uint8_t byte) const {
  const DfaState& s = states[state];
  for (uint32_t i = s.first_byte; i < s.first_byte + s.bytes; ++i) {
    if (byte >= bytes[i].lo && byte <= bytes[i].hi) return bytes[i].target;
  }
  return -1;
}

uint32_t Nfa::AddNode() {
  heads_.push_back(kNone);
  return static_cast<uint32_t>(heads_.size() - 1);
}

void Nfa::Add(uint32_t from, Edge edge) {
  edge.next = heads_[from];
  heads_[from] = static_cast<uint32_t>(edges_.size());
  edges_.push_back(edge);
}

void Nfa::AddEmpty(uint32_t from, uint32_t to, uint16_t guard) {
  Add(from, {Kind::kEmpty, SymbolKind::kToken, 0, 0, guard, 0, to, kNone});
}
void Nfa::AddBytes(uint32_t from, uint32_t to, uint8_t lo, uint8_t hi) {
  Add(from, {Kind::kBytes, SymbolKind::kToken, lo, hi, 0, 0, to, kNone});
}
void Nfa::AddSymbol(uint32_t from, uint32_t to, SymbolKind kind,
                    uint32_t argument) {
  Add(from, {Kind::kSymbol, kind, 0, 0, 0, argument, to, kNone});
}
void Nfa::AddBegin(uint32_t from, uint32_t to) {
  Add(from, {Kind::kBegin, SymbolKind::kToken, 0, 0, 0, 0, to, kNone});
}
void Nfa::AddEnd(uint32_t from, uint32_t to) {
  Add(from, {Kind::kEnd, SymbolKind::kToken, 0, 0, 0, 0, to, kNone});
}

uint16_t Nfa::AddGuard(const Guard& guard) {
  for (size_t i = 0; i < guards_.size(); ++i) {
    if (guards_[i] == guard) return static_cast<uint16_t>(i);
  }
  guards_.push_back(guard);
  return static_cast<uint16_t>(guards_.size() - 1);
}

// Subset construction. An item is an NFA node with outgoing symbols and the
// guard that was passed on the empty edges before it.
class Determinizer {
 public:
  Determinizer(const Nfa& nfa, uint32_t accept, const Nfa::Limits& limits)
      : nfa_(nfa),
        accept_(accept),
        limits_(limits),
        stamp_(nfa.size(), 0),
        end_stamp_(nfa.size(), 0),
        single_(nfa.size(), kUnknown) {}

  Result<Dfa> Run(uint32_t start);

 private:
  struct Item {
    uint32_t node;
    uint16_t guard;
    auto operator<=>(const Item&) const = default;
  };
  struct Set {
    std::vector<Item> items;
    bool accept = false;
    bool operator==(const Set&) const = default;
  };
  struct SetHash {
    size_t operator()(const Set& set) const {
      uint64_t h = set.accept ? 7 : 3;
      for (const Item& item : set.items) {
        h = (h ^ item.node ^ uint64_t{item.guard} << 32) * 0x9E3779B97F4A7C15u;
        h ^= h >> 31;
      }
      return h;
    }
  };
  struct Cut {
    uint8_t lo, hi;
    uint16_t guard;
    uint32_t target;
  };
  static constexpr uint32_t kUnknown = ~uint32_t{0};

  void Push(uint32_t node, uint16_t guard);
  void PushEnd(uint32_t node, uint16_t guard, Set* set);
  Set Closure(const std::vector<uint32_t>& nodes, bool at_begin);
  uint32_t StateOf(const std::vector<uint32_t>& nodes);
  uint32_t Intern(Set set);
  void ExpandBytes(const Set& set, DfaState* state);
  void ExpandSymbols(const Set& set, DfaState* state);

  const Nfa& nfa_;
  const uint32_t accept_;
  const Nfa::Limits limits_;
  Dfa dfa_;
  std::vector<const Set*> sets_;
  std::unordered_map<Set, uint32_t, SetHash> ids_;
  std::vector<uint32_t> stamp_, end_stamp_, single_;
  uint32_t round_ = 0;
  std::vector<Item> stack_;
  std::vector<Item> guarded_;
  size_t items_ = 0;
  bool conflict_ = false;
};

void Determinizer::Push(uint32_t node, uint16_t guard) {
  if (guard == 0) {
    if (stamp_[node] == round_) return;
    stamp_[node] = round_;
  } else {
    const Item item{node, guard};
    if (std::find(guarded_.begin(), guarded_.end(), item) != guarded_.end()) {
      return;
    }
    guarded_.push_back(item);
  }
  stack_.push_back({node, guard});
}

// Follows what may still be passed at the end of the word, for acceptance.
void Determinizer::PushEnd(uint32_t node, uint16_t guard, Set* set) {
  std::vector<uint32_t> todo = {node};
  while (!todo.empty()) {
    const uint32_t at = todo.back();
    todo.pop_back();
    if (end_stamp_[at] == round_) continue;
    end_stamp_[at] = round_;
    if (at == accept_) {
      set->accept = true;
      if (guard != 0) conflict_ = true;
    }
    for (uint32_t e = nfa_.heads_[at]; e != Nfa::kNone;
         e = nfa_.edges_[e].next) {
      const Nfa::Kind kind = nfa_.edges_[e].kind;
      if (kind == Nfa::Kind::kEmpty || kind == Nfa::Kind::kEnd) {
        todo.push_back(nfa_.edges_[e].target);
      }
    }
  }
}

Determinizer::Set Determinizer::Closure(const std::vector<uint32_t>& nodes,
                                        bool at_begin) {
  ++round_;
  guarded_.clear();
  Set set;
  for (uint32_t node : nodes) Push(node, 0);
  while (!stack_.empty()) {
    const Item at = stack_.back();
    stack_.pop_back();
    bool has_symbols = false;
    if (at.node == accept_) {
      set.accept = true;
      if (at.guard != 0) conflict_ = true;
    }
    for (uint32_t e = nfa_.heads_[at.node]; e != Nfa::kNone;
         e = nfa_.edges_[e].next) {
      const Nfa::Edge& edge = nfa_.edges_[e];
      switch (edge.kind) {
        case Nfa::Kind::kEmpty:
          if (edge.guard != 0 && at.guard != 0 && edge.guard != at.guard) {
            conflict_ = true;
          }
          Push(edge.target, edge.guard != 0 ? edge.guard : at.guard);
          break;
        case Nfa::Kind::kBegin:
          if (at_begin) Push(edge.target, at.guard);
          break;
        case Nfa::Kind::kEnd:
          PushEnd(edge.target, at.guard, &set);
          break;
        default:
          has_symbols = true;
      }
    }
    if (has_symbols) set.items.push_back(at);
  }
  std::sort(set.items.begin(), set.items.end());
  items_ += set.items.size();
  return set;
}

uint32_t Determinizer::Intern(Set set) {
  const auto [it, inserted] =
      ids_.emplace(std::move(set), static_cast<uint32_t>(dfa_.states.size()));
  if (inserted) {
    dfa_.states.emplace_back();
    dfa_.states.back().accept = it->first.accept;
    sets_.push_back(&it->first);
  }
  return it->second;
}

uint32_t Determinizer::StateOf(const std::vector<uint32_t>& nodes) {
  if (nodes.size() != 1) return Intern(Closure(nodes, false));
  uint32_t& known = single_[nodes[0]];
  if (known == kUnknown) {
    const uint32_t id = Intern(Closure(nodes, false));
    known = id;
  }
  return known;
}

void Determinizer::ExpandBytes(const Set& set, DfaState* state) {
  std::vector<Cut> cuts;
  std::vector<int> bounds;
  for (const Item& item : set.items) {
    for (uint32_t e = nfa_.heads_[item.node]; e != Nfa::kNone;
         e = nfa_.edges_[e].next) {
      const Nfa::Edge& edge = nfa_.edges_[e];
      if (edge.kind != Nfa::Kind::kBytes) continue;
      cuts.push_back({edge.lo, edge.hi, item.guard, edge.target});
      bounds.push_back(edge.lo);
      bounds.push_back(edge.hi + 1);
    }
  }
  std::sort(bounds.begin(), bounds.end());
  bounds.erase(std::unique(bounds.begin(), bounds.end()), bounds.end());
  std::sort(cuts.begin(), cuts.end(),
            [](const Cut& a, const Cut& b) { return a.lo < b.lo; });
  state->first_byte = static_cast<uint32_t>(dfa_.bytes.size());
  std::vector<Cut> active;
  std::vector<uint32_t> targets;
  size_t next_cut = 0;
  for (size_t i = 0; i + 1 < bounds.size(); ++i) {
    const int lo = bounds[i], hi = bounds[i + 1] - 1;
    std::erase_if(active, [&](const Cut& cut) { return cut.hi < lo; });
    while (next_cut < cuts.size() && cuts[next_cut].lo == lo) {
      active.push_back(cuts[next_cut++]);
    }
    if (active.empty()) continue;
    targets.clear();
    for (const Cut& cut : active) {
      if (cut.guard != active[0].guard) conflict_ = true;
      targets.push_back(cut.target);
    }
    std::sort(targets.begin(), targets.end());
    targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
    const ByteEdge edge{static_cast<uint8_t>(lo), static_cast<uint8_t>(hi),
                        active[0].guard, StateOf(targets)};
    if (state->bytes > 0) {
      ByteEdge& last = dfa_.bytes.back();
      if (last.hi + 1 == lo && last.target == edge.target &&
          last.guard == edge.guard) {
        last.hi = edge.hi;
        continue;
      }
    }
    dfa_.bytes.push_back(edge);
    ++state->bytes;
  }
}

void Determinizer::ExpandSymbols(const Set& set, DfaState* state) {
  struct Group {
    SymbolKind kind;
    uint16_t guard;
    uint32_t argument;
    std::vector<uint32_t> targets;
  };
  std::vector<Group> groups;
  for (const Item& item : set.items) {
    for (uint32_t e = nfa_.heads_[item.node]; e != Nfa::kNone;
         e = nfa_.edges_[e].next) {
      const Nfa::Edge& edge = nfa_.edges_[e];
      if (edge.kind != Nfa::Kind::kSymbol) continue;
      auto same = [&](const Group& g) {
        return g.kind == edge.symbol && g.argument == edge.argument &&
               g.guard == item.guard;
      };
      auto it = std::find_if(groups.begin(), groups.end(), same);
      if (it == groups.end()) {
        groups.push_back({edge.symbol, item.guard, edge.argument, {}});
        it = groups.end() - 1;
      }
      it->targets.push_back(edge.target);
    }
  }
  state->first_symbol = static_cast<uint32_t>(dfa_.symbols.size());
  state->symbols = static_cast<uint32_t>(groups.size());
  for (Group& group : groups) {
    std::sort(group.targets.begin(), group.targets.end());
    group.targets.erase(std::unique(group.targets.begin(), group.targets.end()),
                        group.targets.end());
    const uint32_t target = StateOf(group.targets);
    dfa_.symbols.push_back({group.kind, group.guard, group.argument, target});
  }
}

Result<Dfa> Determinizer::Run(uint32_t start) {
  dfa_.guards = nfa_.guards_;
  const Set first = Closure({start}, true);
  dfa_.nullable = first.accept;
  dfa_.states.emplace_back();
  sets_.push_back(&first);
  for (size_t i = 0; i < sets_.size(); ++i) {
    DfaState state = dfa_.states[i];
    const Set& set = *sets_[i];
    ExpandBytes(set, &state);
    ExpandSymbols(set, &state);
    dfa_.states[i] = state;
    if (dfa_.states.size() > limits_.states || items_ > limits_.items) {
      return ResourceExhausted(
          "The grammar needs too many automaton states; use smaller repeat "
          "counts or simpler patterns.");
    }
  }
  if (conflict_) {
    return Internal("Two guards meet on one edge of the grammar automaton.");
  }
  return std::move(dfa_);
}

Result<Dfa> Nfa::Determinize(uint32_t start, uint32_t accept,
                             const Limits& limits) const {
  return Determinizer(*this, accept, limits).Run(start);
}

}  // namespace carat
