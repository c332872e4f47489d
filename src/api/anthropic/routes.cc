#include <fmt/format.h>

#include <utility>
#include <vector>

#include "api/answer.h"
#include "api/anthropic/context.h"
#include "api/anthropic/read_request.h"
#include "api/anthropic/write_answer.h"
#include "api/body.h"
#include "api/ids.h"
#include "api/openapi.h"
#include "api/sse.h"

namespace carat {
namespace {

using Thoughts = MessageAnswer::Thoughts;

void SendError(const Status& status, const std::string& request_id,
               HttpReply* reply) {
  const int code = HttpStatusOf(status.code());
  SendBody(reply, code, "application/json",
           AnthropicError(status.message(), code, request_id).Dump(),
           {{"request-id", request_id}});
}

Status Messages(AnthropicContext* context, const HttpRequest& http,
                const std::string& request_id, HttpReply* reply) {
  CARAT_ASSIGN_OR_RETURN(const Json body, ReadJsonObject(http));
  CARAT_ASSIGN_OR_RETURN(MessagesRequest request, ReadMessagesRequest(body));
  CARAT_ASSIGN_OR_RETURN(const ModelLease lease,
                         context->host->Acquire(request.model, std::nullopt));
  Engine* engine = lease.engine.get();
  request.generate.sampling = request.sampling.Over(engine->info().sampling);
  MessageAnswer answer = {
      .id = NewId("msg_"),
      .request_id = request_id,
      .model = lease.model.name,
      .thoughts = !request.generate.think ? Thoughts::kDropped
                  : request.omit_thoughts ? Thoughts::kOmitted
                                          : Thoughts::kShown};
  AnswerStyle style;
  style.stream = request.stream;
  style.content_type =
      request.stream ? std::string(kEventStream) : "application/json";
  style.keep_alive_ms = context->options.keep_alive_ms;
  style.headers.emplace_back("request-id", request_id);
  const auto writer = request.stream ? NewMessageStreamWriter(std::move(answer))
                                     : NewMessageWriter(std::move(answer));
  request.generate.caller = http.caller;
  Answer(engine, {request.generate}, style, writer.get(), reply);
  return OkStatus();
}

Status CountTokens(AnthropicContext* context, const HttpRequest& http,
                   const std::string& request_id, HttpReply* reply) {
  CARAT_ASSIGN_OR_RETURN(const Json body, ReadJsonObject(http));
  CARAT_ASSIGN_OR_RETURN(const MessagesRequest request,
                         ReadMessagesRequest(body));
  CARAT_ASSIGN_OR_RETURN(const ModelLease lease,
                         context->host->Acquire(request.model, std::nullopt));
  CARAT_ASSIGN_OR_RETURN(const std::vector<TokenId> tokens,
                         lease.engine->PromptTokens(request.generate));
  const Json count =
      Json::Object{{"input_tokens", static_cast<int64_t>(tokens.size())}};
  SendBody(reply, 200, "application/json", count.Dump(),
           {{"request-id", request_id}});
  return OkStatus();
}

// All take POST.
struct Route {
  std::string_view path;
  Status (*handler)(AnthropicContext*, const HttpRequest&,
                    const std::string& request_id, HttpReply*);
};

constexpr Route kRoutes[] = {{"/v1/messages", Messages},
                             {"/v1/messages/count_tokens", CountTokens}};

}  // namespace

std::vector<RouteName> AnthropicRoutes() {
  std::vector<RouteName> out;
  for (const Route& route : kRoutes) out.push_back({"POST", route.path});
  return out;
}

bool HandleAnthropic(AnthropicContext* context, const HttpRequest& request,
                     HttpReply* reply) {
  for (const Route& route : kRoutes) {
    if (request.path != route.path) continue;
    const std::string request_id = NewId("req_");
    if (request.method != "POST") {
      const std::string message =
          fmt::format("{} takes POST, not {}.", request.path, request.method);
      SendBody(reply, 405, "application/json",
               AnthropicError(message, 405, request_id).Dump(),
               {{"allow", "POST"}, {"request-id", request_id}});
      return true;
    }
    // Handlers that fail have written nothing yet.
    const Status status = route.handler(context, request, request_id, reply);
    if (!status.ok()) SendError(status, request_id, reply);
    return true;
  }
  return false;
}

}  // namespace carat
