// What Ollama's handlers work with, and their entry point.
#ifndef CARAT_API_OLLAMA_CONTEXT_H_
#define CARAT_API_OLLAMA_CONTEXT_H_

#include "api/http.h"
#include "api/model_host.h"
#include "api/options.h"

namespace carat {

struct OllamaContext {
  ModelHost* host = nullptr;
  ApiOptions options;
};

// Answers requests for Ollama's paths ("/" and "/api/..."); false for any
// other path, with nothing written. Thread-safe.
bool HandleOllama(OllamaContext* context, const HttpRequest& request,
                  HttpReply* reply);

}  // namespace carat

#endif  // CARAT_API_OLLAMA_CONTEXT_H_
