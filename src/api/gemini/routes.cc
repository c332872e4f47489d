#include <fmt/format.h>

#include <utility>

#include "api/gemini/error.h"
#include "api/gemini/handlers.h"
#include "base/utf8.h"

namespace carat {
namespace {

// "/v1/models" is OpenAI's and Anthropic's too: only requests that show a
// Google client are Gemini's.
bool FromGoogleClient(const HttpRequest& request) {
  return request.Header("x-goog-api-key") != nullptr ||
         request.Header("x-goog-api-client") != nullptr ||
         request.Query("key").has_value();
}

void NoSuchMethod(const GeminiCall& call) {
  SendGeminiError(
      call.reply,
      NotFound(fmt::format("There is nothing at {} {}.", call.request.method,
                           QuoteForMessage(call.request.path))));
}

void HandleModels(const GeminiCall& call) {
  const std::string& method = call.path.method;
  if (call.request.method == "GET" && method.empty()) {
    return HandleGeminiModels(call);
  }
  if (call.request.method != "POST") return NoSuchMethod(call);
  if (method == "generateContent" || method == "streamGenerateContent") {
    return HandleGeminiGenerate(call);
  }
  if (method == "countTokens") return HandleGeminiCountTokens(call);
  if (method == "embedContent" || method == "batchEmbedContents" ||
      method == "predict") {
    return SendGeminiError(
        call.reply,
        Unsupported(fmt::format("The model {} makes no embeddings: it is a "
                                "generative model.",
                                QuoteForMessage(call.path.id))));
  }
  NoSuchMethod(call);
}

}  // namespace

bool HandleGemini(GeminiContext* context, const HttpRequest& request,
                  HttpReply* reply) {
  auto path = ParseGeminiPath(request.path);
  if (!path) return false;
  if (path->version == "v1" && path->resource == "models" &&
      path->method.empty() && !FromGoogleClient(request)) {
    return false;
  }
  const GeminiCall call{.context = context,
                        .request = request,
                        .path = std::move(*path),
                        .reply = reply};
  if (call.path.resource == "models" && !call.path.upload) {
    HandleModels(call);
    return true;
  }
  NoSuchMethod(call);
  return true;
}

}  // namespace carat
