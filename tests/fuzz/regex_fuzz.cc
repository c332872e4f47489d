// Any bytes as a regular expression, alone and as the pattern of a schema.
#include <cstdint>
#include <string>
#include <string_view>

#include "grammar_noise.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace carat;
  if (size > 512) return 0;
  const std::string pattern(reinterpret_cast<const char*>(data), size);
  const Result<GrammarPtr> grammar = CompileRegex(pattern, FuzzTokens());
  if (!grammar.ok()) return 0;
  FollowNoise(*grammar, size);
  Json schema = Json::MakeObject();
  schema.Set("type", "string");
  schema.Set("pattern", pattern);
  const Result<GrammarPtr> strings = CompileJsonSchema(schema, FuzzTokens());
  if (strings.ok()) FollowNoise(*strings, size);
  return 0;
}
