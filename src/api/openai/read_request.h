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

// One of the prompts of a completion: text or token ids.
struct CompletionPrompt {
  std::string text;
  std::vector<int32_t> tokens;
};

// POST /v1/completions.
struct CompletionRequest {
  std::string model;
  std::vector<CompletionPrompt> prompts;
  GenerateRequest generate;  // without prompt and sampling
  SamplingFields sampling;
  int answers_per_prompt = 1;
  bool echo = false;  // the prompt's text comes before the answer's
  bool stream = false;
  bool include_usage = false;
};

Result<CompletionRequest> ReadCompletionRequest(const Json& body);

}  // namespace carat

#endif  // CARAT_API_OPENAI_READ_REQUEST_H_
