// One tool call as the model wrote it, turned into JSON. The input is the text
// between the call tokens, in which two bytes that never occur in UTF-8 stand
// for tokens: kQuoteMark for the string delimiter, kCloseMark for the token
// that closes a call when it stood inside a string.
//
// A call is first read strictly. Only a call of a declared tool that fails is
// read again with the repairs seen in the field: missing closers and
// delimiters, ordinary quotes, "=" for ":", parentheses for braces, a missing
// "call:", delimiters spelled out as text. An undeclared name is never
// repaired into a call.
#ifndef CARAT_CHAT_CALL_PARSER_H_
#define CARAT_CHAT_CALL_PARSER_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "carat/message.h"
#include "chat/exact_json.h"

namespace carat {

inline constexpr char kQuoteMark = '\xFF';
inline constexpr char kCloseMark = '\xFE';

// The tools a request declared, their schemas read once. Immutable. A schema
// that is no JSON counts as one that allows anything.
class DeclaredTools {
 public:
  explicit DeclaredTools(const std::vector<ToolDeclaration>& tools);
  // The parameter schema of `name`, or null when it was not declared.
  const ExactJson* Find(std::string_view name) const;
  bool empty() const { return tools_.empty(); }
  std::vector<std::string_view> names() const;

 private:
  struct Tool {
    std::string name;
    ExactJson schema;
  };
  std::vector<Tool> tools_;
};

// The pieces behind the two marks, for values that hold them as text.
struct CallMarks {
  std::string_view quote;  // "<|\"|>"
  std::string_view close;  // "<tool_call|>"
};

struct ParsedCall {
  std::string name;
  ExactJson arguments;  // an object
  bool repaired = false;
};

// `text`: "call:NAME{...}". Values are adjusted to the declared types where
// that loses nothing: "5" for an integer is 5, True for a boolean is true.
Result<ParsedCall> ParseCall(std::string_view text, const DeclaredTools& tools,
                             const CallMarks& marks);

// The name of a call whose text so far is `text`, once its opening brace has
// come, and where its arguments start; an empty name until then or when the
// header is not the ordinary one.
struct CallHeader {
  std::string name;
  size_t arguments_at = 0;
};
CallHeader ReadCallHeader(std::string_view text, const DeclaredTools& tools);

// A value as it stands alone, strictly.
Result<ExactJson> ParseCallValue(std::string_view text, const CallMarks& marks);

// The schema of property `key` of an object schema, references followed; null
// when it says nothing.
const ExactJson* PropertySchema(const ExactJson& root, const ExactJson* schema,
                                std::string_view key);
// Whether `schema` names the type `type`, alone or among others.
bool HasType(const ExactJson* schema, std::string_view type);
// The value in its declared type where that loses nothing.
ExactJson FitToSchema(ExactJson value, const ExactJson& root,
                      const ExactJson* schema);

// `text` with the marks spelled out.
std::string SpellMarks(std::string_view text, const CallMarks& marks);

}  // namespace carat

#endif  // CARAT_CHAT_CALL_PARSER_H_
