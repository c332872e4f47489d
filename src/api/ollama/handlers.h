// The parts that routes.cc dispatches to, and what they share.
#ifndef CARAT_API_OLLAMA_HANDLERS_H_
#define CARAT_API_OLLAMA_HANDLERS_H_

#include <string>
#include <string_view>

#include "api/http.h"
#include "api/ollama/context.h"
#include "base/json.h"
#include "base/status.h"

namespace carat {

struct OllamaCall {
  OllamaContext* context;
  const HttpRequest& request;
  HttpReply* reply;
};

// {"error": "..."}.
Json OllamaErrorBody(const Status& status);
void SendOllamaError(HttpReply* reply, const Status& status);
void SendOllamaJson(HttpReply* reply, const Json& body);
// An unknown model is told in the words that clients look for.
Status OllamaModelError(std::string_view name, const Status& status);

void HandleOllamaChat(const OllamaCall& call);
void HandleOllamaGenerate(const OllamaCall& call);
void HandleOllamaTags(const OllamaCall& call);
void HandleOllamaPs(const OllamaCall& call);
void HandleOllamaShow(const OllamaCall& call);
void HandleOllamaPull(const OllamaCall& call);
void HandleOllamaCreate(const OllamaCall& call);
void HandleOllamaCopy(const OllamaCall& call);
void HandleOllamaDelete(const OllamaCall& call);
// `digest`: what stands behind "/api/blobs/".
void HandleOllamaBlob(const OllamaCall& call, std::string_view digest);

}  // namespace carat

#endif  // CARAT_API_OLLAMA_HANDLERS_H_
