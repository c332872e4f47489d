#include <fmt/format.h>

#include <utility>
#include <vector>

#include "api/answer.h"
#include "api/ollama/handlers.h"
#include "api/openapi.h"
#include "base/utf8.h"

namespace carat {
namespace {

// Clients refuse servers that are too old for them: the version of Ollama
// whose protocol this is.
constexpr const char* kProtocolVersion = "0.33.0";

void SayRunning(const OllamaCall& call) {
  SendBody(call.reply, 200, "text/plain; charset=utf-8", "Ollama is running");
}

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

constexpr std::string_view kBlobs = "/api/blobs/";

void HandleBlob(const OllamaCall& call) {
  HandleOllamaBlob(call,
                   PercentDecode(call.request.path.substr(kBlobs.size())));
}

struct Route {
  std::string_view method, path;
  void (*handle)(const OllamaCall&);
};

constexpr std::string_view kBlob = "/api/blobs/{digest}";

constexpr Route kRoutes[] = {
    {"GET", "/", SayRunning},
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
    {"HEAD", kBlob, HandleBlob},
    {"POST", kBlob, HandleBlob},
};

bool Matches(const Route& route, const HttpRequest& request) {
  const bool path = route.path == kBlob ? request.path.starts_with(kBlobs)
                                        : request.path == route.path;
  // HEAD is GET whose body stays here.
  return path && (request.method == route.method ||
                  (request.method == "HEAD" && route.method == "GET"));
}

}  // namespace

std::vector<RouteName> OllamaRoutes() {
  std::vector<RouteName> out;
  for (const Route& route : kRoutes) out.push_back({route.method, route.path});
  return out;
}

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
  if (request.path != "/" && !request.path.starts_with("/api/")) return false;
  const OllamaCall call{.context = context, .request = request, .reply = reply};
  for (const Route& route : kRoutes) {
    if (!Matches(route, request)) continue;
    route.handle(call);
    return true;
  }
  SendOllamaError(
      reply, NotFound(fmt::format("there is nothing at {} {}", request.method,
                                  QuoteForMessage(request.path))));
  return true;
}

}  // namespace carat
