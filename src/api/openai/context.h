// What OpenAI's handlers work with, and their entry point.
#ifndef CARAT_API_OPENAI_CONTEXT_H_
#define CARAT_API_OPENAI_CONTEXT_H_

#include <memory>

#include "api/http.h"
#include "api/model_host.h"
#include "api/openai/response_store.h"
#include "api/options.h"

namespace carat {

struct OpenAiContext {
  ModelHost* host = nullptr;
  ApiOptions options;
  std::shared_ptr<ResponseStore> responses = std::make_shared<ResponseStore>();
};

// Answers requests for OpenAI's paths; false for any other path, with nothing
// written. Thread-safe.
bool HandleOpenAi(OpenAiContext* context, const HttpRequest& request,
                  HttpReply* reply);

}  // namespace carat

#endif  // CARAT_API_OPENAI_CONTEXT_H_
