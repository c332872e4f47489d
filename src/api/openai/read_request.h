// Bodies of OpenAI requests to what they ask for. Pure functions of foreign
// JSON: errors (kInvalidArgument, kUnsupported) begin with the quoted path of
// the field at fault. Unknown fields are ignored.
#ifndef CARAT_API_OPENAI_READ_REQUEST_H_
#define CARAT_API_OPENAI_READ_REQUEST_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/sampling_fields.h"
#include "base/json.h"
#include "base/status.h"
#include "carat/request.h"

namespace carat {

// Whether the model thinks when a request does not say.
enum class ThinkDefault : uint8_t { kOff, kOn };

// POST /v1/chat/completions.
struct ChatRequest {
  std::string model;
  GenerateRequest generate;  // without its sampling
  SamplingFields sampling;
  int choices = 1;
  bool stream = false;
  bool include_usage = false;  // a last chunk with the usage
};

Result<ChatRequest> ReadChatRequest(const Json& body, ThinkDefault think);

}  // namespace carat

#endif  // CARAT_API_OPENAI_READ_REQUEST_H_
