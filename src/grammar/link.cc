#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/hash.h"
#include "grammar/compiled_grammar.h"
#include "grammar/mask_walker.h"

namespace carat {
namespace {

constexpr uint32_t kDead = 0xFFFF;
constexpr size_t kMaxRules = 4096;
constexpr size_t kMaxStates = 150000;
// Rules larger than this keep their masks to themselves.
constexpr size_t kMaxSharedStates = 4096;
// Processor time a compile spends on masks it will likely need.
constexpr double kPrepareMs = 20;

void Append(std::string* out, uint64_t value) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

// Everything the masks of a rule without calls depend on.
std::string ContentOf(const Dfa& dfa) {
  std::string out;
  for (const DfaState& state : dfa.states) {
    Append(&out, state.accept);
    Append(&out, state.bytes);
    for (uint32_t e = 0; e < state.bytes; ++e) {
      const ByteEdge& edge = dfa.bytes[state.first_byte + e];
      Append(&out, uint64_t{edge.lo} << 56 | uint64_t{edge.hi} << 48 |
                       uint64_t{edge.guard} << 32 | edge.target);
    }
  }
  for (const Guard& guard : dfa.guards) {
    Append(&out, static_cast<uint64_t>(guard.kind));
    Append(&out, guard.a);
    Append(&out, guard.b);
  }
  const Sha256Digest digest = Sha256Of(out);
  return std::string(digest.begin(), digest.end());
}

}  // namespace

class Linker {
 public:
  Linker(const ExprBuilder& builder, TokenTriePtr tokens)
      : builder_(builder), grammar_(new CompiledGrammar) {
    grammar_->tokens_ = std::move(tokens);
  }

  Result<GrammarPtr> Run(RuleId start, std::vector<std::string> notes);

 private:
  using State = CompiledGrammar::State;
  using Rule = CompiledGrammar::Rule;

  Status CompileRules(RuleId start);
  void DropMissingBytes(Dfa* dfa) const;
  void ComputeHeights();
  uint32_t HeightOf(size_t rule, const DfaState& state) const;
  uint32_t KeysHeight(size_t rule) const;
  uint32_t KeyHeight(size_t rule, uint64_t bit) const;
  void ForgetDeadKeys();
  void DropDead(size_t rule);
  Status CheckLeftRecursion() const;
  void Join();
  void JoinRule(size_t rule);
  void AddRow(State* state);
  const ExprBuilder& builder_;
  std::shared_ptr<CompiledGrammar> grammar_;
  std::vector<Dfa> dfas_;
  std::vector<std::vector<uint32_t>> heights_;
  std::vector<uint32_t> index_;  // RuleId -> position in dfas_
  std::vector<uint32_t> keys_;   // what required keys add to each rule
  // Byte edges that take a key, for rules with key sets.
  std::vector<std::vector<ByteEdge>> takes_;
};

Status Linker::CompileRules(RuleId start) {
  if (builder_.rules() > kMaxRules) {
    return ResourceExhausted(
        fmt::format("The grammar has {} rules; at most {} are allowed.",
                    builder_.rules(), kMaxRules));
  }
  const std::vector<bool> nullable = builder_.NullableRules();
  grammar_->nullable_ = nullable[start];
  constexpr uint32_t kUnseen = ~uint32_t{0};
  index_.assign(builder_.rules(), kUnseen);
  std::vector<RuleId> order = {start};
  index_[start] = 0;
  size_t states = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    Nfa::Limits limits;
    limits.states = kMaxStates - states;
    limits.items = 4000000;
    CARAT_ASSIGN_OR_RETURN(
        Dfa dfa, builder_.Compile(builder_.body(order[i]), nullable, limits));
    states += dfa.states.size();
    DropMissingBytes(&dfa);
    for (SymbolEdge& edge : dfa.symbols) {
      if (edge.kind != SymbolKind::kCall) continue;
      if (index_[edge.argument] == kUnseen) {
        index_[edge.argument] = static_cast<uint32_t>(order.size());
        order.push_back(edge.argument);
      }
      edge.argument = index_[edge.argument];
    }
    dfas_.push_back(std::move(dfa));
  }
  return OkStatus();
}

// A byte without a token of its own could leave a text that no token
// completes.
void Linker::DropMissingBytes(Dfa* dfa) const {
  const TokenTrie& tokens = *grammar_->tokens_;
  bool all = true;
  for (int b = 0; b < 256; ++b) all &= tokens.HasByte(static_cast<uint8_t>(b));
  if (all) return;
  std::vector<ByteEdge> kept;
  for (DfaState& state : dfa->states) {
    const uint32_t first = static_cast<uint32_t>(kept.size());
    for (uint32_t e = 0; e < state.bytes; ++e) {
      const ByteEdge edge = dfa->bytes[state.first_byte + e];
      bool open = false;
      for (int b = edge.lo; b <= edge.hi; ++b) {
        const uint8_t byte = static_cast<uint8_t>(b);
        const bool has = tokens.HasByte(byte);
        if (has && open) kept.back().hi = byte;
        if (has && !open) kept.push_back({byte, byte, edge.guard, edge.target});
        open = has;
      }
    }
    state.first_byte = first;
    state.bytes = static_cast<uint32_t>(kept.size()) - first;
  }
  dfa->bytes = std::move(kept);
}

// Nested calls needed from `state` on, required keys aside.
uint32_t Linker::HeightOf(size_t rule, const DfaState& state) const {
  if (state.accept) return 0;
  const Dfa& dfa = dfas_[rule];
  uint32_t best = kDead;
  for (uint32_t e = 0; e < state.bytes; ++e) {
    best =
        std::min(best, heights_[rule][dfa.bytes[state.first_byte + e].target]);
  }
  for (uint32_t e = 0; e < state.symbols; ++e) {
    const SymbolEdge& edge = dfa.symbols[state.first_symbol + e];
    uint32_t height = heights_[rule][edge.target];
    if (edge.kind == SymbolKind::kCall) {
      const uint32_t callee =
          std::max(heights_[edge.argument][0], keys_[edge.argument]);
      height = callee == kDead ? kDead : std::max(height, callee + 1);
    }
    best = std::min(best, height);
  }
  return best;
}

// What every place in an object must leave room for: its required keys. Dead
// when one of them has no value.
uint32_t Linker::KeysHeight(size_t rule) const {
  const Dfa& dfa = dfas_[rule];
  uint64_t required = 0;
  for (const Guard& guard : dfa.guards) {
    if (guard.kind == Guard::Kind::kHave) required |= guard.a;
  }
  uint32_t highest = 0;
  for (size_t bit = 0; required >> bit != 0 && bit < 64; ++bit) {
    if ((required >> bit & 1) == 0) continue;
    highest = std::max(highest, KeyHeight(rule, uint64_t{1} << bit));
  }
  return highest;
}

uint32_t Linker::KeyHeight(size_t rule, uint64_t bit) const {
  uint32_t height = kDead;
  for (const ByteEdge& edge : takes_[rule]) {
    if (dfas_[rule].guards[edge.guard].a == bit) {
      height = std::min(height, heights_[rule][edge.target]);
    }
  }
  return height;
}

void Linker::ComputeHeights() {
  heights_.clear();
  takes_.assign(dfas_.size(), {});
  for (size_t i = 0; i < dfas_.size(); ++i) {
    heights_.emplace_back(dfas_[i].states.size(), kDead);
    for (const ByteEdge& edge : dfas_[i].bytes) {
      if (dfas_[i].guards[edge.guard].kind == Guard::Kind::kTake) {
        takes_[i].push_back(edge);
      }
    }
  }
  keys_.resize(dfas_.size());
  for (size_t i = 0; i < dfas_.size(); ++i) keys_[i] = KeysHeight(i);
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t rule = dfas_.size(); rule-- > 0;) {
      for (size_t s = dfas_[rule].states.size(); s-- > 0;) {
        const uint32_t height = HeightOf(rule, dfas_[rule].states[s]);
        if (height < heights_[rule][s]) {
          heights_[rule][s] = height;
          changed = true;
        }
      }
      keys_[rule] = KeysHeight(rule);
    }
  }
  for (size_t rule = 0; rule < dfas_.size(); ++rule) {
    for (size_t s = 0; s < heights_[rule].size(); ++s) {
      if (dfas_[rule].states[s].accept) continue;
      heights_[rule][s] = std::max(heights_[rule][s], keys_[rule]);
    }
  }
  ForgetDeadKeys();
}

// Keys without a possible value must not count as still to come.
void Linker::ForgetDeadKeys() {
  for (size_t rule = 0; rule < dfas_.size(); ++rule) {
    if (takes_[rule].empty()) continue;
    uint64_t live = 0;
    for (const ByteEdge& edge : takes_[rule]) {
      if (heights_[rule][edge.target] != kDead) {
        live |= dfas_[rule].guards[edge.guard].a;
      }
    }
    for (Guard& guard : dfas_[rule].guards) {
      if (guard.kind == Guard::Kind::kUnseen) guard.a &= live;
    }
  }
}

void Linker::DropDead(size_t rule) {
  Dfa& dfa = dfas_[rule];
  std::vector<ByteEdge> bytes;
  std::vector<SymbolEdge> symbols;
  for (DfaState& state : dfa.states) {
    const uint32_t first_byte = static_cast<uint32_t>(bytes.size());
    const uint32_t first_symbol = static_cast<uint32_t>(symbols.size());
    for (uint32_t e = 0; e < state.bytes; ++e) {
      const ByteEdge& edge = dfa.bytes[state.first_byte + e];
      if (heights_[rule][edge.target] < kDead) bytes.push_back(edge);
    }
    for (uint32_t e = 0; e < state.symbols; ++e) {
      const SymbolEdge& edge = dfa.symbols[state.first_symbol + e];
      if (heights_[rule][edge.target] == kDead) continue;
      if (edge.kind == SymbolKind::kCall &&
          heights_[edge.argument][0] == kDead) {
        continue;
      }
      symbols.push_back(edge);
    }
    state.first_byte = first_byte;
    state.bytes = static_cast<uint32_t>(bytes.size()) - first_byte;
    state.first_symbol = first_symbol;
    state.symbols = static_cast<uint32_t>(symbols.size()) - first_symbol;
  }
  dfa.bytes = std::move(bytes);
  dfa.symbols = std::move(symbols);
}

// A rule that can call itself before any symbol would never end.
Status Linker::CheckLeftRecursion() const {
  enum : uint8_t { kNew, kOpen, kDone };
  std::vector<uint8_t> mark(dfas_.size(), kNew);
  std::vector<std::pair<uint32_t, uint32_t>> stack;
  for (uint32_t root = 0; root < dfas_.size(); ++root) {
    if (mark[root] != kNew) continue;
    stack.push_back({root, 0});
    mark[root] = kOpen;
    while (!stack.empty()) {
      auto& [rule, next] = stack.back();
      const DfaState& start = dfas_[rule].states[0];
      if (next == start.symbols) {
        mark[rule] = kDone;
        stack.pop_back();
        continue;
      }
      const SymbolEdge& edge = dfas_[rule].symbols[start.first_symbol + next++];
      if (edge.kind != SymbolKind::kCall) continue;
      if (mark[edge.argument] == kOpen) {
        return Unsupported(
            "The grammar is left-recursive: a rule can begin with itself. "
            "Write repetitions with * or with recursion on the right.");
      }
      if (mark[edge.argument] == kDone) continue;
      mark[edge.argument] = kOpen;
      stack.push_back({edge.argument, 0});
    }
  }
  return OkStatus();
}

void Linker::JoinRule(size_t index) {
  CompiledGrammar& g = *grammar_;
  const Dfa& dfa = dfas_[index];
  const uint32_t base = static_cast<uint32_t>(g.states_.size());
  const uint32_t byte_base = static_cast<uint32_t>(g.bytes_.size());
  const uint32_t symbol_base = static_cast<uint32_t>(g.symbols_.size());
  Rule& rule = g.rules_[index];
  rule.start = base;
  rule.states = static_cast<uint32_t>(dfa.states.size());
  rule.leaf = true;
  bool has_free = false;
  for (size_t i = 0; i < dfa.states.size(); ++i) {
    const DfaState& from = dfa.states[i];
    State state{};
    state.first_byte = byte_base + from.first_byte;
    state.first_symbol = symbol_base + from.first_symbol;
    state.bytes = static_cast<uint16_t>(from.bytes);
    state.symbols = static_cast<uint16_t>(from.symbols);
    state.row = state.run = CompiledGrammar::kNoRow;
    state.height = static_cast<uint16_t>(heights_[index][i]);
    state.accept = from.accept;
    for (uint32_t e = 0; e < from.symbols; ++e) {
      const SymbolKind kind = dfa.symbols[from.first_symbol + e].kind;
      state.has_calls |= kind == SymbolKind::kCall;
      has_free |= kind == SymbolKind::kFree;
    }
    rule.leaf &= !state.has_calls;
    state.only_accepts = state.accept && from.bytes == 0 && from.symbols == 0;
    g.states_.push_back(state);
    g.rule_of_.push_back(static_cast<uint32_t>(index));
  }
  for (ByteEdge edge : dfa.bytes) {
    edge.target += base;
    g.bytes_.push_back(edge);
  }
  for (SymbolEdge edge : dfa.symbols) {
    edge.target += base;
    g.symbols_.push_back(edge);
  }
  g.rule_guards_.push_back(static_cast<uint32_t>(g.guards_.size()));
  for (const Guard& guard : dfa.guards) {
    g.guards_.push_back(guard);
    using Kind = Guard::Kind;
    if (guard.kind == Kind::kCount) {
      rule.counter = true;
      rule.counter_max = guard.a;
      rule.counter_min = std::max(rule.counter_min, guard.b);
    } else if (guard.kind == Kind::kAtLeast) {
      rule.counter = true;
      rule.counter_min = std::max(rule.counter_min, guard.a);
    } else if (guard.kind != Kind::kNone) {
      rule.key_set = true;
    }
  }
  if (rule.key_set) {
    for (size_t bit = 0; bit < 64; ++bit) {
      const uint32_t height = KeyHeight(index, uint64_t{1} << bit);
      rule.key_heights.push_back(static_cast<uint16_t>(height));
      if (height != kDead) {
        rule.max_key_height = std::max<uint32_t>(rule.max_key_height, height);
      }
    }
  }
  if (rule.leaf && !has_free && dfa.states.size() <= kMaxSharedStates) {
    // Behind a rule that nobody calls no token goes on.
    const std::string caller = rule.only_root ? "none" : "some";
    rule.masks = g.tokens_->leaf_cache().Get(ContentOf(dfa) + caller);
  } else {
    rule.masks = std::make_shared<MaskCache>();
  }
}

void Linker::AddRow(State* state) {
  CompiledGrammar& g = *grammar_;
  if (state->bytes < 4 || state->bytes >= CompiledGrammar::kNoEdge) return;
  state->row = static_cast<uint32_t>(g.rows_.size() / 256);
  g.rows_.resize(g.rows_.size() + 256, CompiledGrammar::kNoEdge);
  uint8_t* row = &g.rows_[size_t{state->row} * 256];
  for (uint32_t e = 0; e < state->bytes; ++e) {
    const ByteEdge& edge = g.bytes_[state->first_byte + e];
    for (int b = edge.lo; b <= edge.hi; ++b) row[b] = static_cast<uint8_t>(e);
  }
}

void Linker::Join() {
  CompiledGrammar& g = *grammar_;
  g.free_lists_ = builder_.free_lists();
  g.rules_.resize(dfas_.size());
  g.rules_[0].only_root = true;
  for (const Dfa& dfa : dfas_) {
    for (const SymbolEdge& edge : dfa.symbols) {
      if (edge.kind == SymbolKind::kCall && edge.argument == 0) {
        g.rules_[0].only_root = false;
      }
    }
  }
  for (size_t i = 0; i < dfas_.size(); ++i) JoinRule(i);
  for (State& state : g.states_) AddRow(&state);
  CompiledGrammar::FindRuns(&g);
  g.FindFreeLengths();
  g.FindDistances();
}

Result<GrammarPtr> Linker::Run(RuleId start, std::vector<std::string> notes) {
  CARAT_RETURN_IF_ERROR(CompileRules(start));
  ComputeHeights();
  const uint32_t height = heights_[0][0];
  if (height == kDead && !grammar_->nullable_) {
    return InvalidArgument(
        "Nothing can satisfy this declaration: its constraints contradict "
        "each other.");
  }
  if (height != kDead && height >= CompiledGrammar::kMaxDepth) {
    return ResourceExhausted("The declaration nests too deeply.");
  }
  for (size_t i = 0; i < dfas_.size(); ++i) DropDead(i);
  CARAT_RETURN_IF_ERROR(CheckLeftRecursion());
  Join();
  grammar_->start_rule_ = 0;
  grammar_->notes_ = std::move(notes);
  PrepareMasks(*grammar_, kPrepareMs);
  return GrammarPtr(std::move(grammar_));
}

Result<GrammarPtr> CompiledGrammar::Link(const ExprBuilder& builder,
                                         RuleId start, TokenTriePtr tokens,
                                         std::vector<std::string> notes) {
  return Linker(builder, std::move(tokens)).Run(start, std::move(notes));
}

const TokenTrie& TokenTrieOf(const CompiledGrammar& grammar) {
  return grammar.tokens();
}

const std::vector<std::string>& NotesOf(const CompiledGrammar& grammar) {
  return grammar.notes();
}

}  // namespace carat
