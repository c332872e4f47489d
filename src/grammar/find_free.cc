// Finds how many characters may follow a state whatever they are, as long as
// they belong to a set: in "ab+c, at most 30 characters" nearly any text of
// nearly 27. The mask walker then need not know where they lead.
#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "grammar/compiled_grammar.h"

namespace carat {
namespace {

// Sets smaller than this decide too few tokens at once.
constexpr int kMinChars = 32;

}  // namespace

class FreeFinder {
 public:
  FreeFinder(CompiledGrammar* grammar, CompiledGrammar::Rule* rule)
      : g_(*grammar), rule_(*rule) {}
  void Find();

 private:
  using State = CompiledGrammar::State;

  // The characters that can follow `s`, by their sets.
  CharSet CharsOf(uint32_t s);
  // Appends where the character that `lead` begins can lead; false when some
  // such character leads nowhere.
  bool Follow(uint32_t s, uint8_t lead, std::vector<uint32_t>* targets);
  bool Continue(const ByteEdge& edge, uint8_t lead);
  bool Collect(uint32_t s, int lo, int hi,
               std::vector<uint32_t>* targets) const;
  std::vector<uint32_t> TargetsOf(uint32_t s);
  // Drops what ends or escapes the text instead of going on with it: the
  // characters that mostly lead out of `states`.
  void DropLeaving(const std::vector<uint32_t>& states);

  CompiledGrammar& g_;
  CompiledGrammar::Rule& rule_;
  // Where the first bytes of one edge lead: the same for most of them.
  const ByteEdge* last_ = nullptr;
  bool last_ok_ = false;
  std::vector<uint32_t> last_targets_;
};

// The states behind all bytes from `lo` to `hi`.
bool FreeFinder::Collect(uint32_t s, int lo, int hi,
                         std::vector<uint32_t>* targets) const {
  for (int b = lo; b <= hi;) {
    const ByteEdge* edge = g_.Find(g_.states_[s], static_cast<uint8_t>(b));
    if (edge == nullptr) return false;
    if (targets->empty() || targets->back() != edge->target) {
      targets->push_back(edge->target);
    }
    b = edge->hi + 1;
  }
  return true;
}

// The rest of the characters that begin with `lead` and `edge`.
bool FreeFinder::Continue(const ByteEdge& edge, uint8_t lead) {
  last_targets_ = {edge.target};
  int lo = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  int hi = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  const int more = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
  for (int i = 0; i < more; ++i) {
    std::vector<uint32_t> next;
    for (const uint32_t state : last_targets_) {
      if (!Collect(state, lo, hi, &next)) return false;
    }
    std::sort(next.begin(), next.end());
    next.erase(std::unique(next.begin(), next.end()), next.end());
    last_targets_ = std::move(next);
    lo = 0x80;
    hi = 0xBF;
  }
  return true;
}

bool FreeFinder::Follow(uint32_t s, uint8_t lead,
                        std::vector<uint32_t>* targets) {
  const ByteEdge* edge = g_.Find(g_.states_[s], lead);
  if (edge == nullptr) return false;
  if (lead < 0x80) {
    targets->push_back(edge->target);
    return true;
  }
  // Of one length and edge, only these differ in their second bytes.
  const bool special = lead == 0xC2 || lead == 0xE0 || lead == 0xE1 ||
                       lead == 0xED || lead == 0xEE || lead == 0xF0 ||
                       lead == 0xF1 || lead == 0xF4;
  if (special || edge != last_) last_ok_ = Continue(*edge, lead);
  last_ = edge;
  if (last_ok_) {
    targets->insert(targets->end(), last_targets_.begin(), last_targets_.end());
  }
  return last_ok_;
}

CharSet FreeFinder::CharsOf(uint32_t s) {
  CharSet present, missing;
  std::vector<uint32_t> ignored;
  for (int b = 0; b <= 0xF4; ++b) {
    if (b >= 0x80 && b < 0xC2) continue;
    const uint8_t byte = static_cast<uint8_t>(b);
    ignored.clear();
    (Follow(s, byte, &ignored) ? present : missing).Add(CharSet::Of(byte));
  }
  present.Remove(missing);
  return present;
}

std::vector<uint32_t> FreeFinder::TargetsOf(uint32_t s) {
  std::vector<uint32_t> targets;
  for (int b = 0; b <= 0xF4; ++b) {
    if (b >= 0x80 && b < 0xC2) continue;
    const uint8_t byte = static_cast<uint8_t>(b);
    if (CharSet::Of(byte).Within(rule_.free_chars)) Follow(s, byte, &targets);
  }
  std::sort(targets.begin(), targets.end());
  targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
  return targets;
}

void FreeFinder::DropLeaving(const std::vector<uint32_t>& states) {
  for (int b = 0; b <= 0xF4; ++b) {
    const uint8_t byte = static_cast<uint8_t>(b);
    if (b >= 0x80 && b < 0xC2) continue;
    if (!CharSet::Of(byte).Within(rule_.free_chars)) continue;
    size_t leaving = 0;
    std::vector<uint32_t> targets;
    for (const uint32_t s : states) {
      targets.clear();
      Follow(s, byte, &targets);
      leaving += std::any_of(targets.begin(), targets.end(), [&](uint32_t t) {
        return !std::binary_search(states.begin(), states.end(), t);
      });
    }
    if (leaving * 2 > states.size()) {
      rule_.free_chars.Remove(CharSet::Of(byte));
    }
  }
}

void FreeFinder::Find() {
  std::vector<std::pair<uint32_t, CharSet>> sets;
  std::map<std::pair<uint64_t, uint64_t>, uint64_t> weights;
  for (uint32_t s = rule_.start; s < rule_.start + rule_.states; ++s) {
    const uint32_t run = g_.states_[s].run;
    if (run == CompiledGrammar::kNoRow ||
        g_.runs_[run].chars.size() < kMinChars) {
      continue;
    }
    // Others end or escape the text somewhere, and few tokens have them.
    CharSet chars = CharsOf(s);
    chars.Keep(CharSet::Plain());
    if (chars.empty()) continue;
    sets.emplace_back(s, chars);
    // A large set is worth more than many small ones, such as the digits of
    // escapes.
    const uint64_t size = static_cast<uint64_t>(chars.size());
    weights[{chars.low, chars.high}] += size * size;
  }
  const auto best = std::max_element(
      weights.begin(), weights.end(),
      [](const auto& a, const auto& b) { return a.second < b.second; });
  if (best == weights.end()) return;
  rule_.free_chars.low = best->first.first;
  rule_.free_chars.high = best->first.second;
  std::vector<uint32_t> states;
  for (const auto& [s, chars] : sets) {
    if (rule_.free_chars.Within(chars)) states.push_back(s);
  }
  DropLeaving(states);
  if (rule_.free_chars.empty()) return;
  states.clear();
  std::vector<std::vector<uint32_t>> targets;
  for (const auto& [s, chars] : sets) {
    if (!rule_.free_chars.Within(chars)) continue;
    states.push_back(s);
    targets.push_back(TargetsOf(s));
    g_.states_[s].free = CompiledGrammar::kAnyLength;
  }
  // The largest lengths that fit together, from above.
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = states.size(); i-- > 0;) {
      State& state = g_.states_[states[i]];
      uint16_t free = CompiledGrammar::kAnyLength;
      for (const uint32_t t : targets[i]) {
        free = std::min<uint16_t>(
            free, static_cast<uint16_t>(g_.states_[t].free + 1));
      }
      if (free >= state.free) continue;
      state.free = free;
      changed = true;
    }
  }
}

void CompiledGrammar::FindFreeLengths() {
  for (Rule& rule : rules_) {
    if (rule.leaf && !rule.counter && !rule.key_set) {
      FreeFinder(this, &rule).Find();
    }
  }
}

}  // namespace carat
