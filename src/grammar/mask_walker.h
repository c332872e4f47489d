// Finds which text tokens fit a grammar position by walking the token trie and
// the automata together, level by level. Rules run one at a time: where a rule
// may call another or end, the walk branches into the callee or the caller
// below the current trie node, and the token sets of all branches are joined.
#ifndef CARAT_GRAMMAR_MASK_WALKER_H_
#define CARAT_GRAMMAR_MASK_WALKER_H_

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
  // Every accepted token gets its bit in `mask`, [mask_words].
  MaskWalker(const CompiledGrammar& grammar, const TokenTrie::Nodes& nodes,
             std::span<const GrammarFrame> frames, std::span<uint64_t> mask);

  // As Scan from the root of the vocabulary's own trie `tokens`: plain tokens
  // that may follow whatever they are need no walk.
  void ScanAll(uint32_t state, uint64_t reg, uint32_t frame,
               const TokenTrie& tokens);
  // Goes on from `state`, which was reached at trie node `node`, along byte
  // edges only: its calls and its end are the caller's business.
  void Scan(uint32_t state, uint64_t reg, uint32_t frame, uint32_t node);
  // The rule of `frame`'s callee ended at `node`.
  void Return(uint32_t frame, uint32_t node);

  // Nodes with children where the rule above kBottom ended.
  const std::vector<uint32_t>& exits() const { return exits_; }
  // Largest depth plus height on any accepted path.
  uint32_t reach() const { return reach_; }

 private:
  struct At {
    uint32_t state;
    uint64_t reg;
  };
  // The walk stands at a trie node with the children `first` .. `end`.
  struct Step {
    At at;
    uint32_t first, end;
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
  // Of nodes_.tokens; the second without those of more characters.
  void Accept(uint32_t first, uint32_t last);
  void AcceptShort(uint32_t first, uint32_t last, uint64_t max_chars);
  void ScanChildren(const Step& step, uint32_t frame, std::vector<Step>* queue);
  // `node` is a number of nodes_.
  bool AcceptRun(const At& at, uint32_t rule, uint32_t node);

  const CompiledGrammar& grammar_;
  const TokenTrie::Nodes& nodes_;
  std::span<const GrammarFrame> frames_;
  std::span<uint64_t> mask_;
  std::vector<GrammarFrame> pushed_;
  std::unordered_map<SpawnKey, uint32_t, SpawnHash> interned_;
  std::unordered_set<SpawnKey, SpawnHash> spawned_;
  size_t spawns_ = 0;
  size_t steps_ = 0;
  // Plain tokens of up to so many characters are accepted already.
  int plain_done_ = 0;
  // The steps of each Scan inside a Scan.
  std::vector<std::unique_ptr<std::vector<Step>>> queues_;
  size_t scans_ = 0;
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
