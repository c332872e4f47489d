// Finds states from which whole sets of characters lead the same way, so that
// the mask walker can decide all tokens made of them at once.
#include <algorithm>
#include <vector>

#include "grammar/compiled_grammar.h"

namespace carat {
namespace {

// States with edges on fewer bytes are not worth looking for runs.
constexpr int kMinRunBytes = 8;

}  // namespace

class RunFinder {
 public:
  explicit RunFinder(CompiledGrammar* grammar) : grammar_(*grammar) {}
  void FindRuns();

 private:
  using State = CompiledGrammar::State;

  bool FindRun(uint32_t s, CompiledGrammar::Run* run) const;
  CharSet CharsTo(const State& state, uint32_t target, uint16_t guard) const;
  bool AnyEdge(const State& state, const CharSet& chars) const;
  bool AllContinue(uint8_t lead, const ByteEdge& first, uint32_t target) const;
  bool Covers(const State& state, int lo, int hi, uint32_t target) const;
  void MeasureRun(uint32_t s, const std::vector<CompiledGrammar::Run>& steps);

  CompiledGrammar& grammar_;
};

bool RunFinder::Covers(const State& state, int lo, int hi,
                       uint32_t target) const {
  for (int b = lo; b <= hi;) {
    const ByteEdge* edge = grammar_.Find(state, static_cast<uint8_t>(b));
    if (edge == nullptr || edge->target != target || edge->guard != 0) {
      return false;
    }
    b = edge->hi + 1;
  }
  return true;
}

// Every character that begins with the byte `lead` goes by `first` and then
// to `target`.
bool RunFinder::AllContinue(uint8_t lead, const ByteEdge& first,
                            uint32_t target) const {
  const CompiledGrammar& g = grammar_;
  int from = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  int to = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  uint32_t at = first.target;
  for (int more = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3; more > 0; --more) {
    uint32_t next = target;
    if (more > 1) {
      const ByteEdge* edge = g.Find(g.states_[at], static_cast<uint8_t>(from));
      if (edge == nullptr) return false;
      next = edge->target;
    }
    if (!Covers(g.states_[at], from, to, next)) return false;
    at = next;
    from = 0x80;
    to = 0xBF;
  }
  return true;
}

// The characters that lead from `state` to `target` under `guard`.
CharSet RunFinder::CharsTo(const State& state, uint32_t target,
                           uint16_t guard) const {
  const CompiledGrammar& g = grammar_;
  CharSet present, missing;
  const ByteEdge* last = nullptr;
  bool last_ok = false;
  for (int b = 0; b <= 0xF4; ++b) {
    const uint8_t byte = static_cast<uint8_t>(b);
    if (b >= 0x80 && b < 0xC2) continue;
    const ByteEdge* edge = g.Find(state, byte);
    bool ok = edge != nullptr && edge->guard == guard;
    if (ok && b < 0x80) ok = edge->target == target;
    if (ok && b >= 0x80) {
      // First bytes of one edge and one length differ only where some second
      // bytes are forbidden.
      const bool special = b == 0xE0 || b == 0xE1 || b == 0xED || b == 0xEE ||
                           b == 0xF0 || b == 0xF1 || b == 0xF4;
      if (edge != last || special) last_ok = AllContinue(byte, *edge, target);
      last = edge;
      ok = last_ok;
    }
    (ok ? present : missing).Add(CharSet::Of(byte));
  }
  present.Remove(missing);
  return present;
}

bool RunFinder::FindRun(uint32_t s, CompiledGrammar::Run* run) const {
  const CompiledGrammar& g = grammar_;
  const State& state = g.states_[s];
  const ByteEdge* best = nullptr;
  for (uint8_t probe : {'e', '0', 'A', 'g', ' ', 'G', ',', '\n'}) {
    const ByteEdge* edge = g.Find(state, probe);
    if (edge == nullptr) continue;
    if (best == nullptr || (edge->target == s && best->target != s)) {
      best = edge;
    }
  }
  if (best == nullptr) return false;
  const Guard& guard = g.GuardOf(g.rule_of_[s], best->guard);
  if (guard.kind != Guard::Kind::kNone && guard.kind != Guard::Kind::kCount) {
    return false;
  }
  run->chars = CharsTo(state, best->target, best->guard);
  run->next = best->target;
  run->counts = guard.kind == Guard::Kind::kCount;
  run->length = 1;
  run->height = g.states_[best->target].height;
  return !run->chars.empty();
}

// Follows the run from state to state. A set that gets a little smaller but
// holds for any number of characters is worth more than one that holds once.
void RunFinder::MeasureRun(uint32_t s,
                           const std::vector<CompiledGrammar::Run>& steps) {
  CompiledGrammar& g = grammar_;
  CompiledGrammar::Run& run = g.runs_[g.states_[s].run];
  uint32_t at = s;
  uint16_t length = 0;
  uint16_t height = 0;
  bool inside = true;  // no state on the way can leave the rule
  while (length < CompiledGrammar::kAnyLength) {
    const State& state = g.states_[at];
    if (state.run == CompiledGrammar::kNoRow) break;
    const CompiledGrammar::Run& step = steps[state.run];
    if (step.counts != run.counts) break;
    CharSet both = run.chars;
    both.Keep(step.chars);
    inside &= !state.accept && !state.has_calls;
    if (both.size() * 2 < run.chars.size()) break;
    run.chars = both;
    ++length;
    if (step.next == at) length = CompiledGrammar::kAnyLength;
    height = std::max(height, g.states_[step.next].height);
    at = step.next;
  }
  run.length = length;
  run.height = height;
  const State& last = g.states_[at];
  run.exact = inside && !last.accept && !last.has_calls &&
              (length == CompiledGrammar::kAnyLength
                   ? run.counts
                   : !run.counts && !AnyEdge(last, run.chars));
}

// Whether some character of the set can follow in `state`.
bool RunFinder::AnyEdge(const State& state, const CharSet& chars) const {
  for (uint32_t i = 0; i < state.bytes; ++i) {
    const ByteEdge& edge = grammar_.bytes_[state.first_byte + i];
    for (int b = edge.lo; b <= edge.hi; ++b) {
      if (b >= 0x80 && b < 0xC2) continue;
      CharSet common = CharSet::Of(static_cast<uint8_t>(b));
      common.Keep(chars);
      if (!common.empty()) return true;
    }
  }
  return false;
}

void RunFinder::FindRuns() {
  CompiledGrammar& g = grammar_;
  for (uint32_t s = 0; s < g.states_.size(); ++s) {
    const State& state = g.states_[s];
    int covered = 0;
    for (uint32_t i = 0; i < state.bytes; ++i) {
      const ByteEdge& edge = g.bytes_[state.first_byte + i];
      covered += edge.hi - edge.lo + 1;
    }
    if (covered < kMinRunBytes) continue;
    CompiledGrammar::Run run{};
    if (!FindRun(s, &run)) continue;
    g.states_[s].run = static_cast<uint32_t>(g.runs_.size());
    g.runs_.push_back(run);
  }
  const std::vector<CompiledGrammar::Run> steps = g.runs_;
  for (uint32_t s = 0; s < g.states_.size(); ++s) {
    if (g.states_[s].run != CompiledGrammar::kNoRow) MeasureRun(s, steps);
  }
}

void CompiledGrammar::FindRuns(CompiledGrammar* grammar) {
  RunFinder(grammar).FindRuns();
}

}  // namespace carat
