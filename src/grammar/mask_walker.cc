#include "grammar/mask_walker.h"

#include <algorithm>
#include <bit>
#include <ctime>

namespace carat {
namespace {

constexpr size_t kMaxSparse = 2048;
// States with edges on so many bytes are slow to build masks for.
constexpr int kBroadBytes = 20;
// So many steps ahead, their trie nodes are fetched.
constexpr size_t kPrefetch = 12;
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
                       std::span<const GrammarFrame> frames,
                       std::span<uint64_t> mask)
    : grammar_(grammar), nodes_(nodes), frames_(frames), mask_(mask) {}

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

inline void MaskWalker::Accept(uint32_t first, uint32_t last) {
  const TokenId* const tokens = nodes_.tokens.data();
  uint64_t* const mask = mask_.data();
  for (uint32_t t = first; t < last; ++t) {
    const uint32_t id = static_cast<uint32_t>(tokens[t]);
    mask[id / 64] |= uint64_t{1} << (id % 64);
  }
}

void MaskWalker::AcceptShort(uint32_t first, uint32_t last,
                             uint64_t max_chars) {
  const TokenId* const tokens = nodes_.tokens.data();
  const uint8_t* const chars = nodes_.token_chars.data();
  uint64_t* const mask = mask_.data();
  for (uint32_t t = first; t < last; ++t) {
    const uint32_t id = static_cast<uint32_t>(tokens[t]);
    mask[id / 64] |= uint64_t{chars[t] <= max_chars} << (id % 64);
  }
}

// Decides all tokens from `node` on at once, if they go on with nothing but
// characters that may always follow, or those of the state's run.
inline bool MaskWalker::AcceptRun(const At& at, uint32_t rule, uint32_t index) {
  const TokenTrie::Node& node = nodes_[index];
  const CompiledGrammar::State& state = grammar_.state(at.state);
  if (node.max_chars <= state.free &&
      node.chars.Within(grammar_.rule(rule).free_chars)) {
    Accept(node.first_token, node.last_token);
    return true;
  }
  if (state.run == CompiledGrammar::kNoRow) return false;
  const CompiledGrammar::Run& run = grammar_.run(state.run);
  if (!node.chars.Within(run.chars)) return false;
  uint64_t room = run.length;
  if (run.counts) {
    const uint64_t max = grammar_.rule(rule).counter_max;
    if (max != Guard::kNoLimit) room = max > at.reg ? max - at.reg : 0;
    room = std::min<uint64_t>(room, run.length);
  }
  if (node.max_chars <= room) {
    Accept(node.first_token, node.last_token);
    return true;
  }
  if (!run.exact) return false;
  const uint64_t max_chars = node.char_depth + room;
  const bool done = nodes_.plain_chars[index] != TokenTrie::kNotPlain &&
                    max_chars <= static_cast<uint64_t>(plain_done_);
  if (!done) AcceptShort(node.first_token, node.last_token, max_chars);
  return true;
}

void MaskWalker::ScanAll(uint32_t state, uint64_t reg, uint32_t frame,
                         const TokenTrie& tokens) {
  const CompiledGrammar::Rule& rule = grammar_.rule(grammar_.RuleOf(state));
  const int free = grammar_.state(state).free;
  if (free > 0 && CharSet::Plain().Within(rule.free_chars)) {
    plain_done_ = std::min(free, TokenTrie::kMaxPlainChars);
    const std::span<const uint64_t> plain = tokens.plain_mask(plain_done_);
    for (size_t i = 0; i < plain.size(); ++i) mask_[i] |= plain[i];
  }
  Scan(state, reg, frame, 0);
  plain_done_ = 0;
}

void MaskWalker::Scan(uint32_t state, uint64_t reg, uint32_t frame,
                      uint32_t node) {
  if (scans_ == queues_.size()) {
    queues_.push_back(std::make_unique<std::vector<Step>>());
  }
  std::vector<Step>* const queue = queues_[scans_++].get();
  const TokenTrie::Node* const nodes = nodes_.nodes.data();
  queue->assign(
      1, {{state, reg}, nodes[node].first_child, nodes[node + 1].first_child});
  for (size_t i = 0; i < queue->size() && steps_ < kMaxSteps; ++i) {
    // Level after level, the tries of large vocabularies outgrow the caches.
    if (i + kPrefetch < queue->size()) {
      const uint32_t first = (*queue)[i + kPrefetch].first;
      __builtin_prefetch(nodes + first);
      __builtin_prefetch(nodes + first + 2);
      __builtin_prefetch(nodes_.bytes.data() + first);
      __builtin_prefetch(nodes_.plain_chars.data() + first);
    }
    ScanChildren(Step((*queue)[i]), frame, queue);
  }
  --scans_;
}

void MaskWalker::ScanChildren(const Step& step, uint32_t frame,
                              std::vector<Step>* queue) {
  // Copies in registers: what Accept writes might be anything to a compiler.
  const TokenTrie::Node* const nodes = nodes_.nodes.data();
  const uint8_t* const bytes = nodes_.bytes.data();
  const uint8_t* const plain = nodes_.plain_chars.data();
  const CompiledGrammar::State from = grammar_.state(step.at.state);
  const uint32_t rule = grammar_.RuleOf(step.at.state);
  const uint32_t depth = DepthOf(frame);
  uint32_t height = 0;  // the largest of what was accepted
  for (uint32_t i = step.first; i < step.end; ++i) {
    if (plain[i] <= plain_done_) break;  // and so are its siblings after it
    ++steps_;
    const ByteEdge* edge = grammar_.Find(from, bytes[i]);
    if (edge == nullptr) continue;
    At at = {edge->target, step.at.reg};
    if (edge->guard != 0) {
      if (!grammar_.Pass(rule, edge->guard, depth, &at.reg)) continue;
      height = std::max(height, grammar_.rule(rule).max_key_height);
    }
    const CompiledGrammar::State& s = grammar_.state(at.state);
    if (depth + s.height > CompiledGrammar::kMaxDepth) continue;
    height = std::max<uint32_t>(height, s.height);
    const TokenTrie::Node& node = nodes[i];
    const uint32_t end = nodes[i + 1].first_child;
    if (node.first_child == end) {
      Accept(node.first_token, node.last_token);
      continue;
    }
    if (AcceptRun(at, rule, i)) {
      if (s.run != CompiledGrammar::kNoRow) {
        height = std::max<uint32_t>(height, grammar_.run(s.run).height);
      }
      continue;
    }
    const bool done =
        plain[i] != TokenTrie::kNotPlain && node.char_depth <= plain_done_;
    if (!done) Accept(node.first_token, node.first_token + node.own);
    if (s.accept || s.has_calls) Branch(at.state, at.reg, frame, i);
    if (s.bytes == 0) continue;
    queue->push_back({at, node.first_child, end});
  }
  reach_ = std::max(reach_, depth + height);
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
    const uint32_t last = nodes[node].last_token;
    const uint32_t first = nodes[node].first_token + nodes[node].own;
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

// The tokens of `mask`; false when they are more than kMaxSparse.
bool ListTokens(const std::vector<uint64_t>& mask, std::vector<TokenId>* out) {
  for (size_t i = 0; i < mask.size(); ++i) {
    for (uint64_t word = mask[i]; word != 0; word &= word - 1) {
      if (out->size() == kMaxSparse) return false;
      out->push_back(static_cast<TokenId>(i * 64) + std::countr_zero(word));
    }
  }
  return true;
}

}  // namespace

LocalMaskPtr LocalMaskOf(const CompiledGrammar& grammar, uint32_t state,
                         uint64_t reg) {
  const CompiledGrammar::Rule& rule = grammar.rule(grammar.RuleOf(state));
  const MaskCache::Key key{state - rule.start, RegisterKey(grammar, rule, reg)};
  if (LocalMaskPtr found = rule.masks->Find(key)) return found;
  const TokenTrie& tokens = grammar.tokens();
  std::vector<uint64_t> accepted(tokens.mask_words(), 0);
  MaskWalker walker(grammar, tokens.nodes(), {}, accepted);
  const uint32_t frame =
      rule.only_root ? CompiledGrammar::kRoot : CompiledGrammar::kBottom;
  walker.ScanAll(state, reg, frame, tokens);
  auto mask = std::make_shared<LocalMask>();
  mask->reach = walker.reach();
  ListExits(tokens, walker.exits(), accepted, mask.get());
  if (!ListTokens(accepted, &mask->sparse)) {
    mask->sparse.clear();
    mask->dense = std::move(accepted);
  }
  rule.masks->Insert(key, mask);
  return mask;
}

void PrepareMasks(const CompiledGrammar& grammar, double budget_ms) {
  const double end = ThreadMillis() + budget_ms;
  std::vector<uint32_t> slow;
  for (uint32_t s = 0; s < grammar.states(); ++s) {
    const CompiledGrammar::State& state = grammar.state(s);
    const CompiledGrammar::Rule& rule = grammar.rule(grammar.RuleOf(s));
    if (state.run == CompiledGrammar::kNoRow || rule.key_set) continue;
    int bytes = 0;
    for (uint32_t i = 0; i < state.bytes; ++i) {
      const ByteEdge& edge = grammar.byte_edge(state.first_byte + i);
      bytes += edge.hi - edge.lo + 1;
    }
    if (bytes >= kBroadBytes) slow.push_back(s);
  }
  // The slowest first: what there is no time for is done when it is needed.
  const TokenTrie& tokens = grammar.tokens();
  const auto nodes = [&](uint32_t s) {
    return tokens.nodes_behind(grammar.state(s).free);
  };
  std::stable_sort(slow.begin(), slow.end(),
                   [&](uint32_t a, uint32_t b) { return nodes(a) > nodes(b); });
  for (const uint32_t s : slow) {
    if (ThreadMillis() > end) return;
    LocalMaskOf(grammar, s, 0);
  }
}

}  // namespace carat
