#include "grammar/mask_walker.h"

#include <algorithm>
#include <ctime>

namespace carat {
namespace {

constexpr size_t kMaxSparse = 2048;
// States with edges on so many bytes are slow to build masks for.
constexpr int kBroadBytes = 20;
// Token remainders listed per mask; more are walked in the whole trie.
constexpr size_t kMaxRemainders = 60000;

double ThreadMillis() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 +
         static_cast<double>(time.tv_nsec) * 1e-6;
}

}  // namespace

size_t MaskWalker::SpawnHash::operator()(const SpawnKey& key) const {
  uint64_t h = key.state * 0x9E3779B97F4A7C15u;
  h = (h ^ h >> 29 ^ key.frame) * 0xBF58476D1CE4E5B9u;
  h = (h ^ h >> 32 ^ key.node) * 0x94D049BB133111EBu;
  return (h ^ h >> 31 ^ key.reg) * 0x9E3779B97F4A7C15u >> 7;
}

MaskWalker::MaskWalker(const CompiledGrammar& grammar,
                       const TokenTrie::Nodes& nodes,
                       std::span<const GrammarFrame> frames)
    : grammar_(grammar), nodes_(nodes), frames_(frames) {}

const GrammarFrame& MaskWalker::FrameOf(uint32_t frame) const {
  return frame < frames_.size() ? frames_[frame]
                                : pushed_[frame - frames_.size()];
}

uint32_t MaskWalker::DepthOf(uint32_t frame) const {
  return frame >= CompiledGrammar::kBottom ? 0 : FrameOf(frame).depth;
}

uint32_t MaskWalker::Push(uint32_t ret, uint64_t reg, uint32_t parent) {
  const uint32_t next = static_cast<uint32_t>(frames_.size() + pushed_.size());
  const auto [it, inserted] =
      interned_.emplace(SpawnKey{ret, parent, 0, reg}, next);
  if (inserted) pushed_.push_back({ret, parent, DepthOf(parent) + 1, reg});
  return it->second;
}

void MaskWalker::Return(uint32_t frame, uint32_t node) {
  if (frame == CompiledGrammar::kRoot) return;
  if (frame == CompiledGrammar::kBottom) {
    if (exits_.empty() || exits_.back() != node) exits_.push_back(node);
    return;
  }
  const GrammarFrame caller = FrameOf(frame);
  Spawn(caller.ret, caller.reg, caller.parent, node);
}

void MaskWalker::Spawn(uint32_t state, uint64_t reg, uint32_t frame,
                       uint32_t node) {
  if (++spawns_ > kFreeSpawns &&
      !spawned_.insert(SpawnKey{state, frame, node, reg}).second) {
    return;
  }
  Branch(state, reg, frame, node);
  if (grammar_.state(state).bytes > 0) Scan(state, reg, frame, node);
}

// Leaves the rule at `state` where that is possible, into callees or callers.
void MaskWalker::Branch(uint32_t state, uint64_t reg, uint32_t frame,
                        uint32_t node) {
  const CompiledGrammar::State& s = grammar_.state(state);
  if (s.accept) Return(frame, node);
  if (!s.has_calls) return;
  const uint32_t rule = grammar_.RuleOf(state);
  const uint32_t depth = DepthOf(frame);
  for (uint32_t i = 0; i < s.symbols; ++i) {
    const SymbolEdge& edge = grammar_.symbol(s.first_symbol + i);
    if (edge.kind != SymbolKind::kCall) continue;
    uint64_t next = reg;
    if (!grammar_.Pass(rule, edge.guard, depth, &next)) continue;
    const CompiledGrammar::Rule& callee = grammar_.rule(edge.argument);
    const CompiledGrammar::State& ret = grammar_.state(edge.target);
    const bool tail = ret.only_accepts;
    if (edge.guard != 0) {
      reach_ = std::max(reach_, depth + grammar_.rule(rule).max_key_height);
    }
    const uint32_t need = std::max<uint32_t>(
        grammar_.state(callee.start).height + (tail ? 0 : 1), ret.height);
    if (depth + need > CompiledGrammar::kMaxDepth) continue;
    const uint32_t inner = tail ? frame : Push(edge.target, next, frame);
    Spawn(callee.start, 0, inner, node);
  }
}

// Decides all tokens below `node` at once, if they are nothing but characters
// that may always follow, or those of the state's run.
bool MaskWalker::AcceptRun(const At& at, uint32_t rule, uint32_t node) {
  const CompiledGrammar::State& state = grammar_.state(at.state);
  if (nodes_[node].max_chars <= state.free &&
      nodes_[node].chars.Within(grammar_.rule(rule).free_chars)) {
    Accept(nodes_[node].first_token, nodes_[nodes_[node].end].first_token);
    return true;
  }
  const uint32_t index = state.run;
  if (index == CompiledGrammar::kNoRow) return false;
  const CompiledGrammar::Run& run = grammar_.run(index);
  if (!nodes_[node].chars.Within(run.chars)) return false;
  uint64_t room = run.length;
  if (run.counts) {
    const uint64_t max = grammar_.rule(rule).counter_max;
    if (max != Guard::kNoLimit) room = max > at.reg ? max - at.reg : 0;
    room = std::min<uint64_t>(room, run.length);
  }
  const uint32_t first = nodes_[node].first_token;
  const uint32_t last = nodes_[nodes_[node].end].first_token;
  if (nodes_[node].max_chars <= room) {
    Accept(first, last);
    return true;
  }
  if (!run.exact) return false;
  const uint64_t most = nodes_[node].char_depth + room;
  Accept(first, last, static_cast<uint32_t>(std::min<uint64_t>(most, 255)));
  return true;
}

void MaskWalker::Accept(uint32_t first, uint32_t last, uint32_t max_chars) {
  if (first == last) return;
  if (!accepted_.empty() && accepted_.back().last == first &&
      accepted_.back().max_chars == max_chars) {
    accepted_.back().last = last;
  } else {
    accepted_.push_back({first, last, max_chars});
  }
}

void MaskWalker::Scan(uint32_t state, uint64_t reg, uint32_t frame,
                      uint32_t node) {
  const uint32_t rule = grammar_.RuleOf(state);
  const uint32_t depth = DepthOf(frame);
  if (scans_ == stacks_.size()) {
    stacks_.push_back(std::make_unique<PathStack>());
  }
  At* const path = stacks_[scans_++]->data();
  const uint32_t top = nodes_[node].depth;
  const uint32_t end = nodes_[node].end;
  path[0] = {state, reg};
  for (uint32_t i = node + 1; i < end;) {
    if (++steps_ > kMaxSteps) break;
    const uint32_t level = nodes_[i].depth - top;
    At at = path[level - 1];
    const ByteEdge* edge =
        grammar_.Find(grammar_.state(at.state), nodes_[i].byte);
    if (edge == nullptr || !grammar_.Pass(rule, edge->guard, depth, &at.reg)) {
      i = nodes_[i].end;
      continue;
    }
    if (edge->guard != 0) {
      reach_ = std::max(reach_, depth + grammar_.rule(rule).max_key_height);
    }
    at.state = edge->target;
    const CompiledGrammar::State& s = grammar_.state(at.state);
    if (depth + s.height > CompiledGrammar::kMaxDepth) {
      i = nodes_[i].end;
      continue;
    }
    reach_ = std::max(reach_, depth + s.height);
    if (nodes_[i].end == i + 1) {
      Accept(nodes_[i].first_token, nodes_[i + 1].first_token);
      ++i;
      continue;
    }
    if (AcceptRun(at, rule, i)) {
      if (s.run != CompiledGrammar::kNoRow) {
        reach_ = std::max(reach_, depth + grammar_.run(s.run).height);
      }
      i = nodes_[i].end;
      continue;
    }
    Accept(nodes_[i].first_token, nodes_[i + 1].first_token);
    if (s.accept || s.has_calls) Branch(at.state, at.reg, frame, i);
    if (s.bytes == 0) {
      i = nodes_[i].end;
      continue;
    }
    path[level] = at;
    ++i;
  }
  --scans_;
}

void MaskWalker::AddAcceptedTo(std::span<uint64_t> mask) const {
  ForEachAccepted(
      [mask](TokenId id) { mask[id / 64] |= uint64_t{1} << (id % 64); });
}

size_t MaskWalker::accepted_limit() const {
  size_t count = 0;
  for (const Range& range : accepted_) count += range.last - range.first;
  return count;
}

namespace {

// What of the register can matter within one token.
uint64_t RegisterKey(const CompiledGrammar& grammar,
                     const CompiledGrammar::Rule& rule, uint64_t reg) {
  if (rule.key_set) return reg;
  if (!rule.counter) return 0;
  const uint64_t far = grammar.tokens().max_token_bytes();
  const uint64_t room = rule.counter_max == Guard::kNoLimit
                            ? far
                            : std::min(far, rule.counter_max - reg);
  const uint64_t missing =
      std::min(far, rule.counter_min > reg ? rule.counter_min - reg : 0);
  return room << 32 | missing;
}

// What the tokens that `accepted` leaves open have left where the rule ends.
void ListExits(const TokenTrie& tokens, const std::vector<uint32_t>& exits,
               const std::vector<uint64_t>& accepted, LocalMask* mask) {
  const TokenTrie::Nodes& nodes = tokens.nodes();
  std::vector<TokenTrie::Entry> entries;
  for (uint32_t node : exits) {
    const uint32_t first = nodes[node + 1].first_token;
    const uint32_t last = nodes[nodes[node].end].first_token;
    for (uint32_t t = first; t < last; ++t) {
      const TokenId id = nodes.tokens[t];
      if ((accepted[id / 64] >> (id % 64) & 1) != 0) continue;
      entries.push_back({tokens.Text(id).substr(nodes[node].depth), id});
    }
    if (entries.size() > kMaxRemainders) {
      mask->exit_nodes = exits;
      return;
    }
  }
  if (!entries.empty()) mask->exits = TokenTrie::BuildNodes(std::move(entries));
}

}  // namespace

LocalMaskPtr LocalMaskOf(const CompiledGrammar& grammar, uint32_t state,
                         uint64_t reg) {
  const CompiledGrammar::Rule& rule = grammar.rule(grammar.RuleOf(state));
  const MaskCache::Key key{state - rule.start, RegisterKey(grammar, rule, reg)};
  if (LocalMaskPtr found = rule.masks->Find(key)) return found;
  const TokenTrie& tokens = grammar.tokens();
  MaskWalker walker(grammar, tokens.nodes(), {});
  const uint32_t frame =
      rule.only_root ? CompiledGrammar::kRoot : CompiledGrammar::kBottom;
  walker.Scan(state, reg, frame, 0);
  auto mask = std::make_shared<LocalMask>();
  mask->reach = walker.reach();
  std::vector<uint64_t> accepted(tokens.mask_words(), 0);
  walker.AddAcceptedTo(accepted);
  ListExits(tokens, walker.exits(), accepted, mask.get());
  if (walker.accepted_limit() <= kMaxSparse) {
    walker.ForEachAccepted([&](TokenId id) { mask->sparse.push_back(id); });
  } else {
    mask->dense = std::move(accepted);
  }
  rule.masks->Insert(key, mask);
  return mask;
}

void PrepareMasks(const CompiledGrammar& grammar, double budget_ms) {
  const double end = ThreadMillis() + budget_ms;
  for (uint32_t s = 0; s < grammar.states(); ++s) {
    const CompiledGrammar::State& state = grammar.state(s);
    const CompiledGrammar::Rule& rule = grammar.rule(grammar.RuleOf(s));
    if (state.run == CompiledGrammar::kNoRow || rule.key_set) continue;
    int bytes = 0;
    for (uint32_t i = 0; i < state.bytes; ++i) {
      const ByteEdge& edge = grammar.byte_edge(state.first_byte + i);
      bytes += edge.hi - edge.lo + 1;
    }
    if (bytes < kBroadBytes) continue;
    if (ThreadMillis() > end) return;
    LocalMaskOf(grammar, s, 0);
  }
}

}  // namespace carat
