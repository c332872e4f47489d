// The notation Gemma 4 and FunctionGemma share for tools: values in calls and
// results, and declarations. Strings stand between two quote tokens and are
// never escaped; keys are sorted as the templates sort them.
#ifndef CARAT_CHAT_TOOL_SYNTAX_H_
#define CARAT_CHAT_TOOL_SYNTAX_H_

#include <string_view>

#include "base/status.h"
#include "carat/message.h"
#include "chat/exact_json.h"
#include "chat/segments.h"

namespace carat {

struct ToolSpelling {
  std::string_view quote;  // <|"|> or <escape>
  std::string_view null_word = "null";
  // Declarations, by template revision:
  bool nullable_early = false;       // before enum and properties
  bool comma_before_nested = false;  // a comma even when nothing precedes it
  bool drop_keyword_properties = false;  // properties named like keywords
  bool always_describe = false;          // an empty description is written too
};

enum class KeyStyle { kBare, kQuoted };

// One value.
void WriteValue(const ExactJson& value, KeyStyle keys,
                const ToolSpelling& spelling, SegmentBuilder* out);
// The members of an object without its braces, keys bare.
void WriteMembers(const ExactJson& object, const ToolSpelling& spelling,
                  SegmentBuilder* out);

// declaration:NAME{description:..,parameters:{..},response:{..}}. Errors when
// a schema is no JSON object. `normalize`: first bring the schemas into the
// shape the notation can express (NormalizeToolSchema).
enum class SchemaShape { kAsGiven, kNormalize };
Status WriteDeclaration(const ToolDeclaration& tool,
                        const ToolSpelling& spelling, SchemaShape shape,
                        SegmentBuilder* out);

// The arguments of a call as an object. Empty text and null are {}; anything
// but an object is an error.
Result<ExactJson> ParseArguments(const ToolCall& call);

}  // namespace carat

#endif  // CARAT_CHAT_TOOL_SYNTAX_H_
