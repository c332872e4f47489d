#include <fmt/format.h>

#include <utility>

#include "api/gemini/error.h"
#include "api/gemini/handlers.h"
#include "base/utf8.h"

namespace carat {
namespace {

// "/v1/models" and "/v1/files" are OpenAI's and Anthropic's too: only requests
// that show a Google client are Gemini's.
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
  const bool shared = path->version == "v1" && !path->upload &&
                      (path->resource == "models" || path->resource == "files");
  if (shared && path->method.empty() && !FromGoogleClient(request)) {
    return false;
  }
  const GeminiCall call{.context = context,
                        .request = request,
                        .path = std::move(*path),
                        .reply = reply};
  const std::string& resource = call.path.resource;
  if (resource == "files") {
    HandleGeminiFiles(call);
  } else if (call.path.upload) {
    NoSuchMethod(call);
  } else if (resource == "models") {
    HandleModels(call);
  } else if (resource == "cachedContents") {
    HandleGeminiCaches(call);
  } else if (resource == "interactions") {
    HandleGeminiInteractions(call);
  } else {
    NoSuchMethod(call);
  }
  return true;
}

}  // namespace carat
