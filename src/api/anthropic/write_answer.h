// Answers of /v1/messages, and Anthropic's errors.
#ifndef CARAT_API_ANTHROPIC_WRITE_ANSWER_H_
#define CARAT_API_ANTHROPIC_WRITE_ANSWER_H_

#include <memory>
#include <string>
#include <string_view>

#include "api/answer.h"
#include "base/json.h"

namespace carat {

struct MessageAnswer {
  std::string id;          // "msg_..."
  std::string request_id;  // "req_..."
  std::string model;
  enum class Thoughts : uint8_t { kShown, kOmitted, kDropped };
  // kOmitted: blocks with a signature and no text. kDropped: none was asked
  // for, so none is sent even if the model thinks.
  Thoughts thoughts = Thoughts::kShown;
};

std::unique_ptr<AnswerWriter> NewMessageWriter(MessageAnswer answer);
std::unique_ptr<AnswerWriter> NewMessageStreamWriter(MessageAnswer answer);

// {"type": "error", "error": {"type", "message"}, "request_id"}.
Json AnthropicError(const std::string& message, int http_status,
                    const std::string& request_id);

}  // namespace carat

#endif  // CARAT_API_ANTHROPIC_WRITE_ANSWER_H_
