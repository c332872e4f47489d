#include <ctime>
#include <utility>

#include "api/answer.h"
#include "api/body.h"
#include "api/ids.h"
#include "api/openai/context.h"
#include "api/openai/error.h"
#include "api/openai/read_request.h"
#include "api/openai/write_chat.h"
#include "api/sse.h"

namespace carat {
namespace {

// The same request `count` times. A given seed counts up, so that choices
// differ and each can be had again alone.
std::vector<GenerateRequest> Copies(const GenerateRequest& request, int count) {
  std::vector<GenerateRequest> copies(count, request);
  for (int i = 1; i < count; ++i) {
    if (copies[i].sampling.seed) *copies[i].sampling.seed += i;
  }
  return copies;
}

AnswerStyle StyleOf(const OpenAiContext& context, bool stream) {
  AnswerStyle style;
  style.content_type = stream ? std::string(kEventStream) : "application/json";
  style.stream = stream;
  style.keep_alive_ms = context.options.keep_alive_ms;
  style.headers.emplace_back("x-request-id", NewId("req_"));
  return style;
}

Status Chat(OpenAiContext* context, const HttpRequest& http, HttpReply* reply) {
  CARAT_ASSIGN_OR_RETURN(const Json body, ReadJsonObject(http));
  CARAT_ASSIGN_OR_RETURN(
      ChatRequest request,
      ReadChatRequest(body, context->options.think ? ThinkDefault::kOn
                                                   : ThinkDefault::kOff));
  CARAT_ASSIGN_OR_RETURN(const ModelLease lease,
                         context->host->Acquire(request.model, std::nullopt));
  Engine* engine = lease.engine.get();
  request.generate.sampling = request.sampling.Over(engine->info().sampling);
  ChatAnswer answer = {.id = NewId("chatcmpl-"),
                       .model = lease.model.name,
                       .created_s = static_cast<int64_t>(std::time(nullptr)),
                       .choices = request.choices,
                       .include_usage = request.include_usage,
                       .with_logprobs = request.sampling.logprobs.has_value(),
                       .tokenizer = &engine->tokenizer()};
  const auto writer = request.stream ? NewChatStreamWriter(std::move(answer))
                                     : NewChatWriter(std::move(answer));
  Answer(engine, Copies(request.generate, request.choices),
         StyleOf(*context, request.stream), writer.get(), reply);
  return OkStatus();
}

using Handler = Status (*)(OpenAiContext*, const HttpRequest&, HttpReply*);

struct Route {
  std::string_view method, path;
  Handler handler;
};

constexpr Route kRoutes[] = {
    {"POST", "/v1/chat/completions", Chat},
};

}  // namespace

bool HandleOpenAi(OpenAiContext* context, const HttpRequest& request,
                  HttpReply* reply) {
  for (const Route& route : kRoutes) {
    if (request.path != route.path) continue;
    if (request.method != route.method) {
      SendOpenAiMethodError(request, route.method, reply);
      return true;
    }
    // Handlers that fail have written nothing yet.
    const Status status = route.handler(context, request, reply);
    if (!status.ok()) SendOpenAiError(status, reply);
    return true;
  }
  return false;
}

}  // namespace carat
