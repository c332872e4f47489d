// Any bytes as a regular expression, alone and as the pattern of a schema.
#include <cstdint>
#include <string>
#include <string_view>

#include "grammar_noise.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace carat;
  // Long patterns add repeats, which cost a lot, and hardly new code.
  if (size > 128) return 0;
  const std::string pattern(reinterpret_cast<const char*>(data), size);
  // One of the two a time: in a schema the same automaton is built again, and
  // its spelling as a JSON string is most of the work.
  if (size % 2 == 0) {
    const Result<GrammarPtr> grammar = CompileRegex(pattern, FuzzTokens());
    if (grammar.ok()) FollowNoise(*grammar, size);
    return 0;
  }
  Json schema = Json::MakeObject();
  schema.Set("type", "string");
  schema.Set("pattern", pattern);
  const Result<GrammarPtr> strings = CompileJsonSchema(schema, FuzzTokens());
  if (strings.ok()) FollowNoise(*strings, size);
  return 0;
}
