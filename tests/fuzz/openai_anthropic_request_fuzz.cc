// Any JSON through the readers of OpenAI's and Anthropic's requests. What is
// read keeps the promises that handlers rely on, and says why when it is not.
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "api/anthropic/read_request.h"
#include "api/openai/read_request.h"
#include "api/openai/read_responses.h"
#include "base/json.h"
#include "base/utf8.h"

namespace carat {
namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

// An error is a sentence that can be sent; a request has a prompt whose parts
// the renderers know.
template <typename T>
void Check(const Result<T>& read) {
  if (!read.ok()) {
    Require(!read.status().message().empty());
    Require(IsValidUtf8(read.status().message()));
    return;
  }
  const GenerateRequest& request = read->generate;
  Require(request.max_tokens >= -1 && request.max_thought_tokens >= -1);
  for (const ToolDeclaration& tool : request.tools) {
    Require(!tool.name.empty());
    Require(tool.parameters.empty() || Json::Parse(tool.parameters).ok());
  }
  for (const Message& message : request.messages) {
    for (const Part& part : message.parts) {
      Require(!std::holds_alternative<Media>(part));
      Require(std::holds_alternative<ToolResult>(part) ==
              (message.role == Role::kTool));
      const ToolCall* call = std::get_if<ToolCall>(&part);
      Require(call == nullptr || !call->name.empty());
    }
  }
  if (request.continue_last_message) {
    Require(request.messages.back().role == Role::kAssistant);
  }
}

void Run(std::string_view bytes) {
  const Result<Json> body = Json::Parse(bytes, 128);
  if (!body.ok()) return;
  const auto stored = [&](const std::string& id) -> std::optional<Json> {
    if (id.empty()) return std::nullopt;
    return Json(Json::Object{{"role", "assistant"}, {"content", id}});
  };
  Check(ReadChatRequest(*body, ThinkDefault::kOn));
  Check(ReadResponsesRequest(*body, ThinkDefault::kOff, stored));
  Check(ReadMessagesRequest(*body));
  const auto completion = ReadCompletionRequest(*body);
  Require(!completion.ok() || !completion->prompts.empty());
}

}  // namespace
}  // namespace carat

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 1 << 16) return 0;
  carat::Run(std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
