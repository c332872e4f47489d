#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "api/gemini/error.h"
#include "api/gemini/handlers.h"
#include "api/openapi.h"
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

void RefuseEmbedding(const GeminiCall& call) {
  SendGeminiError(call.reply, Unsupported(fmt::format(
                                  "The model {} makes no embeddings: it is a "
                                  "generative model.",
                                  QuoteForMessage(call.path.id))));
}

// Paths as the OpenAPI document writes them; other versions and Vertex's
// spellings are the same.
struct Route {
  std::string_view method, path;
  void (*handle)(const GeminiCall&);
};

constexpr Route kRoutes[] = {
    {"GET", "/v1beta/models", HandleGeminiModels},
    {"GET", "/v1beta/models/{id}", HandleGeminiModels},
    {"POST", "/v1beta/models/{id}:generateContent", HandleGeminiGenerate},
    {"POST", "/v1beta/models/{id}:streamGenerateContent", HandleGeminiGenerate},
    {"POST", "/v1beta/models/{id}:countTokens", HandleGeminiCountTokens},
    {"POST", "/v1beta/models/{id}:embedContent", RefuseEmbedding},
    {"POST", "/v1beta/models/{id}:batchEmbedContents", RefuseEmbedding},
    {"POST", "/v1beta/models/{id}:predict", RefuseEmbedding},
    {"GET", "/v1beta/cachedContents", HandleGeminiCaches},
    {"POST", "/v1beta/cachedContents", HandleGeminiCaches},
    {"GET", "/v1beta/cachedContents/{id}", HandleGeminiCaches},
    {"PATCH", "/v1beta/cachedContents/{id}", HandleGeminiCaches},
    {"DELETE", "/v1beta/cachedContents/{id}", HandleGeminiCaches},
    {"POST", "/upload/v1beta/files", HandleGeminiFiles},
    {"PUT", "/upload/v1beta/files", HandleGeminiFiles},
    {"GET", "/v1beta/files", HandleGeminiFiles},
    {"GET", "/v1beta/files/{id}", HandleGeminiFiles},
    {"DELETE", "/v1beta/files/{id}", HandleGeminiFiles},
    {"GET", "/v1beta/files/{id}:download", HandleGeminiFiles},
    {"POST", "/v1beta/interactions", HandleGeminiInteractions},
    {"GET", "/v1beta/interactions/{id}", HandleGeminiInteractions},
    {"DELETE", "/v1beta/interactions/{id}", HandleGeminiInteractions},
    {"POST", "/v1beta/interactions/{id}/cancel", HandleGeminiInteractions},
};

// A path without its variable parts, as it stands in the table.
std::string TemplateOf(const GeminiPath& path) {
  std::string out = path.upload ? "/upload/v1beta/" : "/v1beta/";
  out += path.resource;
  if (!path.id.empty()) out += "/{id}";
  if (!path.method.empty()) out += ":" + path.method;
  if (path.resource == "interactions" && path.id.ends_with("/cancel")) {
    out += "/cancel";
  }
  return out;
}

}  // namespace

std::vector<RouteName> GeminiRoutes() {
  std::vector<RouteName> out;
  for (const Route& route : kRoutes) out.push_back({route.method, route.path});
  return out;
}

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
  const std::string name = TemplateOf(call.path);
  for (const Route& route : kRoutes) {
    if (request.method != route.method || name != route.path) continue;
    route.handle(call);
    return true;
  }
  NoSuchMethod(call);
  return true;
}

}  // namespace carat
