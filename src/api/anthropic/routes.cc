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

AnswerStyle StyleOf(const AnthropicContext& context,
                    const MessagesRequest& request,
                    const std::string& request_id) {
  AnswerStyle style;
  style.stream = request.stream;
  style.content_type =
      request.stream ? std::string(kEventStream) : "application/json";
  style.keep_alive_ms = context.options.keep_alive_ms;
  style.headers.emplace_back("request-id", request_id);
  // Strict clients expect message_start before any event.
  if (style.stream) style.first_keep_alive = kSseComment;
  style.late_error = [stream = style.stream, request_id](const Status& status) {
    const Json error = AnthropicError(status.message(),
                                      HttpStatusOf(status.code()), request_id);
    if (!stream) return error.Dump();
    std::string out;
    AppendSseEvent("error", error, &out);
    return out;
  };
  return style;
}

Status Messages(AnthropicContext* context, const HttpRequest& http,
                const std::string& request_id, HttpReply* reply) {
  CARAT_ASSIGN_OR_RETURN(const Json body, ReadJsonObject(http));
  CARAT_ASSIGN_OR_RETURN(MessagesRequest request, ReadMessagesRequest(body));
  const AnswerStyle style = StyleOf(*context, request, request_id);
  CARAT_ASSIGN_OR_RETURN(
      const ModelLease lease,
      AcquireFor(style, context->host, request.model, std::nullopt, reply));
  request.generate.sampling =
      request.sampling.Over(lease.engine->info().sampling);
  MessageAnswer answer = {
      .id = NewId("msg_"),
      .request_id = request_id,
      .model = lease.model.name,
      .thoughts = !request.generate.think ? Thoughts::kDropped
                  : request.omit_thoughts ? Thoughts::kOmitted
                                          : Thoughts::kShown};
  const auto writer = request.stream ? NewMessageStreamWriter(std::move(answer))
                                     : NewMessageWriter(std::move(answer));
  request.generate.caller = http.caller;
  Answer(lease, {request.generate}, style, writer.get(), reply);
  return OkStatus();
}

Status CountTokens(AnthropicContext* context, const HttpRequest& http,
                   const std::string& request_id, HttpReply* reply) {
  CARAT_ASSIGN_OR_RETURN(const Json body, ReadJsonObject(http));
  CARAT_ASSIGN_OR_RETURN(const MessagesRequest request,
                         ReadMessagesRequest(body));
  CARAT_ASSIGN_OR_RETURN(
      const ModelLease lease,
      AcquireWhileThere(context->host, request.model, *reply));
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
    const Status status = route.handler(context, request, request_id, reply);
    if (!status.ok() && !reply->started()) {
      SendError(status, request_id, reply);
    }
    return true;
  }
  return false;
}

}  // namespace carat
