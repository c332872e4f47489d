// Shared by the grammar fuzz targets: follows a compiled grammar with noise
// and aborts when it breaks a promise.
#ifndef CARAT_TESTS_FUZZ_GRAMMAR_NOISE_H_
#define CARAT_TESTS_FUZZ_GRAMMAR_NOISE_H_

#include <cstdint>
#include <cstdlib>
#include <vector>

#include "grammar/grammar.h"
#include "grammar/test_tokenizer.h"

namespace carat {

inline const TokenTriePtr& FuzzTokens() {
  static const GrammarTestTokenizer tokenizer;
  static const TokenTriePtr tokens = TokenTrie::Build(tokenizer);
  return tokens;
}

inline void Require(bool condition) {
  if (!condition) std::abort();
}

// No mask is empty, and masks agree with Accept on sampled tokens.
inline void FollowNoise(const GrammarPtr& grammar, uint64_t seed) {
  const TokenTrie& tokens = *FuzzTokens();
  const size_t size = static_cast<size_t>(tokens.size());
  GrammarState state(grammar);
  std::vector<uint64_t> mask(static_cast<size_t>(tokens.mask_words()));
  for (int step = 0; step < 24 && !state.IsFinished(); ++step) {
    state.Mask(mask);
    std::vector<TokenId> allowed;
    for (size_t id = 0; id < size; ++id) {
      if (mask[id / 64] >> (id % 64) & 1) {
        allowed.push_back(static_cast<TokenId>(id));
      }
    }
    Require(!allowed.empty());
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    const size_t probe = (seed >> 20) % size;
    Require((mask[probe / 64] >> (probe % 64) & 1) ==
            (state.CanAccept(static_cast<TokenId>(probe)) ? 1u : 0u));
    GrammarState ahead = state;
    for (TokenId id : ahead.ForcedTokens()) Require(ahead.Accept(id));
    Require(state.Accept(allowed[(seed >> 33) % allowed.size()]));
  }
  Require(state.Rollback(1));
}

}  // namespace carat

#endif  // CARAT_TESTS_FUZZ_GRAMMAR_NOISE_H_
