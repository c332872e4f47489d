// What Gemini's handlers work with, and their entry point.
#ifndef CARAT_API_GEMINI_CONTEXT_H_
#define CARAT_API_GEMINI_CONTEXT_H_

#include "api/http.h"
#include "api/model_host.h"
#include "api/options.h"

namespace carat {

struct GeminiContext {
  ModelHost* host = nullptr;
  ApiOptions options;
};

// Answers requests for Gemini's paths; false for any other path, with nothing
// written. Thread-safe.
bool HandleGemini(GeminiContext* context, const HttpRequest& request,
                  HttpReply* reply);

}  // namespace carat

#endif  // CARAT_API_GEMINI_CONTEXT_H_
