#include "api/router.h"

#include <fmt/format.h>

#include "api/anthropic/context.h"
#include "api/gemini/context.h"
#include "api/ollama/context.h"
#include "api/openai/context.h"
#include "base/json.h"
#include "base/log.h"
#include "base/utf8.h"

namespace carat {

struct Api::Protocols {
  GeminiContext gemini;
  OllamaContext ollama;
  OpenAiContext openai;
  AnthropicContext anthropic;
};

Api::Api(ModelHost* host, ApiOptions options)
    : protocols_(std::make_unique<Protocols>()) {
  protocols_->gemini = {.host = host, .options = options};
  if (const Status opened = OpenGeminiFiles(&protocols_->gemini);
      !opened.ok()) {
    Log(LogLevel::kError, "uploaded files are refused: {}", opened.message());
  }
  protocols_->ollama = {.host = host, .options = options};
  protocols_->openai = {.host = host, .options = options};
  protocols_->anthropic = {.host = host, .options = options};
}

Api::~Api() = default;

void Api::Handle(const HttpRequest& request, HttpReply* reply) {
  if (HandleGemini(&protocols_->gemini, request, reply)) return;
  if (HandleOllama(&protocols_->ollama, request, reply)) return;
  if (HandleOpenAi(&protocols_->openai, request, reply)) return;
  if (HandleAnthropic(&protocols_->anthropic, request, reply)) return;
  // A body that clients of every protocol can read.
  const std::string message =
      fmt::format("There is nothing at {} {}.", request.method,
                  QuoteForMessage(request.path));
  const Json body =
      Json::Object{{"type", "error"},
                   {"error", Json::Object{{"message", message},
                                          {"type", "not_found_error"},
                                          {"param", nullptr},
                                          {"code", 404},
                                          {"status", "NOT_FOUND"}}}};
  SendBody(reply, 404, "application/json", body.Dump());
}

}  // namespace carat
