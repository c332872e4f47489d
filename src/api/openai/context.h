// What OpenAI's handlers work with, and their entry point.
#ifndef CARAT_API_OPENAI_CONTEXT_H_
#define CARAT_API_OPENAI_CONTEXT_H_

#include "api/http.h"
#include "api/model_host.h"
#include "api/options.h"

namespace carat {

struct OpenAiContext {
  ModelHost* host = nullptr;
  ApiOptions options;
};

// Answers requests for OpenAI's paths; false for any other path, with nothing
// written. Thread-safe.
bool HandleOpenAi(OpenAiContext* context, const HttpRequest& request,
                  HttpReply* reply);

}  // namespace carat

#endif  // CARAT_API_OPENAI_CONTEXT_H_
