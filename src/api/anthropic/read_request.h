// Bodies of Anthropic requests to what they ask for. Pure functions of foreign
// JSON: errors begin with the quoted path of the field at fault. Unknown
// fields are ignored.
#ifndef CARAT_API_ANTHROPIC_READ_REQUEST_H_
#define CARAT_API_ANTHROPIC_READ_REQUEST_H_

#include <string>
#include <vector>

#include "api/fields.h"
#include "api/sampling_fields.h"
#include "base/json.h"
#include "base/status.h"
#include "carat/request.h"

namespace carat {

// POST /v1/messages, and what count_tokens counts.
struct MessagesRequest {
  std::string model;
  GenerateRequest generate;  // without its sampling
  SamplingFields sampling;
  bool stream = false;
  // thinking.display "omitted": thinking blocks come without their text.
  bool omit_thoughts = false;
};

Result<MessagesRequest> ReadMessagesRequest(const Json& body);

// "system" and "messages". Tool results inside user messages become tool
// messages ahead of that user's text. The changing first system block of
// Claude Code ("x-anthropic-billing-header: ...") is dropped: it would defeat
// the prompt cache.
Status ReadAnthropicMessages(Fields* fields, std::vector<Message>* messages);

}  // namespace carat

#endif  // CARAT_API_ANTHROPIC_READ_REQUEST_H_
