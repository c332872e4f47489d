// Any bytes as a JSON schema, for answers and for tool calls. What compiles
// must lead noise nowhere but to its end.
#include <cstdint>
#include <string_view>
#include <vector>

#include "grammar_noise.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace carat;
  if (size < 2 || size > 4096) return 0;
  const uint8_t flags = data[0];
  const std::string_view text(reinterpret_cast<const char*>(data) + 1,
                              size - 1);
  const Result<Json> schema = Json::Parse(text);
  if (!schema.ok()) return 0;
  if ((flags & 1) != 0) {
    const std::vector<ToolSchema> tools = {{"f", *schema}};
    const Result<GrammarPtr> calls = CompileToolCalls(
        tools, FuzzTokens(), {.spec_defaults = (flags & 2) != 0});
    if (calls.ok()) FollowNoise(*calls, size);
    return 0;
  }
  const Result<GrammarPtr> grammar = CompileJsonSchema(
      *schema, FuzzTokens(),
      {.any_whitespace = (flags & 4) != 0, .spec_defaults = (flags & 2) != 0});
  if (grammar.ok()) FollowNoise(*grammar, size);
  return 0;
}
