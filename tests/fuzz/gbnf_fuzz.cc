// Any bytes as a GBNF grammar.
#include <cstdint>
#include <string_view>

#include "grammar_noise.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace carat;
  if (size > 2048) return 0;
  const Result<GrammarPtr> grammar =
      CompileGbnf({reinterpret_cast<const char*>(data), size}, FuzzTokens());
  if (grammar.ok()) FollowNoise(*grammar, size);
  return 0;
}
