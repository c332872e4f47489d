// Finds which text tokens fit a grammar position by walking the token trie and
// the automata together. Rules run one at a time: where a rule may call
// another or end, the walk branches into the callee or the caller below the
// current trie node, and the token sets of all branches are joined.
#ifndef CARAT_GRAMMAR_MASK_WALKER_H_
#define CARAT_GRAMMAR_MASK_WALKER_H_

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "grammar/compiled_grammar.h"
#include "grammar/parse_stack.h"

namespace carat {

class MaskWalker {
 public:
  // `frames` are the sequence's own; those the walk pushes are numbered on.
  MaskWalker(const CompiledGrammar& grammar, const TokenTrie::Nodes& nodes,
             std::span<const GrammarFrame> frames);

  // Goes on from `state`, which was reached at trie node `node`, along byte
  // edges only: its calls and its end are the caller's business.
  void Scan(uint32_t state, uint64_t reg, uint32_t frame, uint32_t node);
  // The rule of `frame`'s callee ended at `node`.
  void Return(uint32_t frame, uint32_t node);

  // Calls `use` with every accepted token.
  template <typename Use>
  void ForEachAccepted(Use use) const {
    for (const Range& range : accepted_) {
      for (uint32_t t = range.first; t < range.last; ++t) {
        if (nodes_.token_chars[t] <= range.max_chars) use(nodes_.tokens[t]);
      }
    }
  }
  void AddAcceptedTo(std::span<uint64_t> mask) const;
  // At most so many tokens are accepted.
  size_t accepted_limit() const;
  // Nodes with children where the rule above kBottom ended.
  const std::vector<uint32_t>& exits() const { return exits_; }
  // Largest depth plus height on any accepted path.
  uint32_t reach() const { return reach_; }

 private:
  struct At {
    uint32_t state;
    uint64_t reg;
  };
  // Of nodes_.tokens, without those of more characters.
  struct Range {
    uint32_t first, last;
    uint32_t max_chars;
  };
  struct SpawnKey {
    uint32_t state, frame, node;
    uint64_t reg;
    bool operator==(const SpawnKey&) const = default;
  };
  struct SpawnHash {
    size_t operator()(const SpawnKey& key) const;
  };
  // Stops grammars whose ambiguity explodes; what was found so far stands.
  static constexpr size_t kMaxSteps = 30000000;
  // Few spawns need no book-keeping against doing them twice.
  static constexpr size_t kFreeSpawns = 64;

  void Spawn(uint32_t state, uint64_t reg, uint32_t frame, uint32_t node);
  void Branch(uint32_t state, uint64_t reg, uint32_t frame, uint32_t node);
  uint32_t Push(uint32_t ret, uint64_t reg, uint32_t parent);
  const GrammarFrame& FrameOf(uint32_t frame) const;
  uint32_t DepthOf(uint32_t frame) const;
  void Accept(uint32_t first, uint32_t last, uint32_t max_chars = 255);
  bool AcceptRun(const At& at, uint32_t rule, uint32_t node);

  const CompiledGrammar& grammar_;
  const TokenTrie::Nodes& nodes_;
  std::span<const GrammarFrame> frames_;
  std::vector<GrammarFrame> pushed_;
  std::unordered_map<SpawnKey, uint32_t, SpawnHash> interned_;
  std::unordered_set<SpawnKey, SpawnHash> spawned_;
  size_t spawns_ = 0;
  size_t steps_ = 0;
  // One stack of states along the trie path for each Scan inside a Scan.
  using PathStack = std::array<At, TokenTrie::kMaxTokenBytes + 2>;
  std::vector<std::unique_ptr<PathStack>> stacks_;
  size_t scans_ = 0;
  std::vector<Range> accepted_;
  std::vector<uint32_t> exits_;
  uint32_t reach_ = 0;
};

// The mask of `state` in its rule, from the rule's cache or built now.
LocalMaskPtr LocalMaskOf(const CompiledGrammar& grammar, uint32_t state,
                         uint64_t reg);

// Builds the masks that take long ahead of their use, for at most so many
// milliseconds of processor time.
void PrepareMasks(const CompiledGrammar& grammar, double budget_ms);

}  // namespace carat

#endif  // CARAT_GRAMMAR_MASK_WALKER_H_
