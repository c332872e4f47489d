// What Anthropic's handlers work with, and their entry point.
#ifndef CARAT_API_ANTHROPIC_CONTEXT_H_
#define CARAT_API_ANTHROPIC_CONTEXT_H_

#include "api/http.h"
#include "api/model_host.h"
#include "api/options.h"

namespace carat {

struct AnthropicContext {
  ModelHost* host = nullptr;
  ApiOptions options;
};

// Answers /v1/messages and /v1/messages/count_tokens; false for any other
// path, with nothing written. Thread-safe.
bool HandleAnthropic(AnthropicContext* context, const HttpRequest& request,
                     HttpReply* reply);

}  // namespace carat

#endif  // CARAT_API_ANTHROPIC_CONTEXT_H_
