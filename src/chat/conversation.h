// A conversation sorted for rendering: each turn with its thought, content,
// calls, and the results that directly follow them.
#ifndef CARAT_CHAT_CONVERSATION_H_
#define CARAT_CHAT_CONVERSATION_H_

#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "carat/message.h"
#include "chat/chat_format.h"
#include "chat/exact_json.h"

namespace carat {

struct AnsweredCall {
  std::string name;  // of the function that answers
  const ToolResult* result = nullptr;
};

struct Turn {
  Role role = Role::kUser;
  std::string thought;
  std::vector<const Part*> content;  // Text and Media, in order
  std::vector<const ToolCall*> calls;
  std::vector<ExactJson> arguments;  // one object a call
  std::vector<AnsweredCall> results;

  // The text parts, joined as they are.
  std::string text() const;
};

// Turns of `messages`; tool messages end up as results of the turn whose
// calls they follow. The turns point into `messages`. Errors: a call outside
// an assistant message, arguments that are no object, a result outside a tool
// message, and (unless faults are kept) a result that answers no call.
Result<std::vector<Turn>> SortIntoTurns(std::span<const Message> messages,
                                        TemplateFaults faults);

// The value a result shows: its JSON, or its text as a string. With
// `parse_json`, text that is a JSON object counts as one.
Result<ExactJson> ResultValue(const ToolResult& result, bool parse_json);

}  // namespace carat

#endif  // CARAT_CHAT_CONVERSATION_H_
