// The forgiving second reading of a tool call; see call_parser.h.
#ifndef CARAT_CHAT_CALL_REPAIR_H_
#define CARAT_CHAT_CALL_REPAIR_H_

#include <string_view>

#include "chat/call_parser.h"

namespace carat {

// Errors when no declared tool's name opens the call or when its arguments
// make no sense even so.
Result<ParsedCall> RepairCall(std::string_view text, const DeclaredTools& tools,
                              const CallMarks& marks);

// A word without delimiters: true, false, null (and None, nil), a number, else
// a string.
ExactJson BareValue(std::string_view word);

}  // namespace carat

#endif  // CARAT_CHAT_CALL_REPAIR_H_
