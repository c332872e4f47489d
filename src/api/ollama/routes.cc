#include <fmt/format.h>

#include <utility>

#include "api/answer.h"
#include "api/ollama/handlers.h"
#include "base/utf8.h"

namespace carat {
namespace {

// Clients refuse servers that are too old for them: the version of Ollama
// whose protocol this is.
constexpr const char* kProtocolVersion = "0.33.0";

void SendVersion(const OllamaCall& call) {
  Json body = Json::MakeObject();
  body.Set("version", kProtocolVersion);
  SendOllamaJson(call.reply, body);
}

void SendStatus(const OllamaCall& call) {
  Json cloud = Json::MakeObject();
  cloud.Set("disabled", true);
  cloud.Set("source", "none");
  Json body = Json::MakeObject();
  body.Set("cloud", std::move(cloud));
  SendOllamaJson(call.reply, body);
}

void RefuseEmbeddings(const OllamaCall& call) {
  SendOllamaError(call.reply,
                  Unsupported("this model does not support embeddings: it is "
                              "a generative model"));
}

void RefusePush(const OllamaCall& call) {
  SendOllamaError(
      call.reply,
      Unsupported("carat does not upload models; use the registry's own "
                  "tools"));
}

struct Route {
  const char* method;
  const char* path;
  void (*handle)(const OllamaCall&);
};

constexpr Route kRoutes[] = {
    {"POST", "/api/chat", HandleOllamaChat},
    {"POST", "/api/generate", HandleOllamaGenerate},
    {"GET", "/api/tags", HandleOllamaTags},
    {"GET", "/api/ps", HandleOllamaPs},
    {"POST", "/api/show", HandleOllamaShow},
    {"GET", "/api/version", SendVersion},
    {"GET", "/api/status", SendStatus},
    {"POST", "/api/embed", RefuseEmbeddings},
    {"POST", "/api/embeddings", RefuseEmbeddings},
    {"POST", "/api/pull", HandleOllamaPull},
    {"POST", "/api/push", RefusePush},
    {"POST", "/api/create", HandleOllamaCreate},
    {"POST", "/api/copy", HandleOllamaCopy},
    {"DELETE", "/api/delete", HandleOllamaDelete},
};

constexpr std::string_view kBlobs = "/api/blobs/";

}  // namespace

Json OllamaErrorBody(const Status& status) {
  Json body = Json::MakeObject();
  body.Set("error", status.message());
  return body;
}

void SendOllamaError(HttpReply* reply, const Status& status) {
  SendBody(reply, HttpStatusOf(status.code()),
           "application/json; charset=utf-8", OllamaErrorBody(status).Dump());
}

void SendOllamaJson(HttpReply* reply, const Json& body) {
  SendBody(reply, 200, "application/json; charset=utf-8", body.Dump());
}

Status OllamaModelError(std::string_view name, const Status& status) {
  if (status.code() != StatusCode::kNotFound) return status;
  return NotFound(
      fmt::format("model '{}' not found: {}", name, status.message()));
}

bool HandleOllama(OllamaContext* context, const HttpRequest& request,
                  HttpReply* reply) {
  const OllamaCall call{.context = context, .request = request, .reply = reply};
  const bool get = request.method == "GET" || request.method == "HEAD";
  if (request.path == "/" && get) {
    SendBody(reply, 200, "text/plain; charset=utf-8", "Ollama is running");
    return true;
  }
  if (!request.path.starts_with("/api/")) return false;
  if (request.path.starts_with(kBlobs) &&
      (request.method == "HEAD" || request.method == "POST")) {
    HandleOllamaBlob(call, PercentDecode(request.path.substr(kBlobs.size())));
    return true;
  }
  for (const Route& route : kRoutes) {
    if (request.path != route.path) continue;
    const bool head =
        request.method == "HEAD" && std::string_view(route.method) == "GET";
    if (request.method != route.method && !head) continue;
    route.handle(call);
    return true;
  }
  SendOllamaError(
      reply, NotFound(fmt::format("there is nothing at {} {}", request.method,
                                  QuoteForMessage(request.path))));
  return true;
}

}  // namespace carat
