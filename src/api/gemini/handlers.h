// The parts that routes.cc dispatches to.
#ifndef CARAT_API_GEMINI_HANDLERS_H_
#define CARAT_API_GEMINI_HANDLERS_H_

#include "api/gemini/context.h"
#include "api/gemini/path.h"
#include "api/http.h"

namespace carat {

// One request on its way through a handler.
struct GeminiCall {
  GeminiContext* context;
  const HttpRequest& request;
  GeminiPath path;
  HttpReply* reply;
};

// GET of the list or of one model.
void HandleGeminiModels(const GeminiCall& call);
// generateContent and streamGenerateContent.
void HandleGeminiGenerate(const GeminiCall& call);
void HandleGeminiCountTokens(const GeminiCall& call);

}  // namespace carat

#endif  // CARAT_API_GEMINI_HANDLERS_H_
