// The handlers of /v1/responses.
#include <fmt/format.h>

#include <ctime>
#include <utility>

#include "api/body.h"
#include "api/ids.h"
#include "api/openai/error.h"
#include "api/openai/handlers.h"
#include "api/openai/read_responses.h"
#include "api/openai/write_responses.h"
#include "api/sse.h"
#include "base/utf8.h"

namespace carat {
namespace {

constexpr std::string_view kPrefix = "/v1/responses/";

Status Missing(const std::string& id) {
  return NotFound(fmt::format(
      "There is no response {} here; responses are kept for 30 minutes.",
      QuoteForMessage(id)));
}

// The request, with the conversation that it goes on put between its
// instructions and its input. Null `*previous_found` is an unknown id.
Result<ResponsesRequest> ReadWithHistory(OpenAiContext* context,
                                         const HttpRequest& http,
                                         bool* previous_found) {
  *previous_found = true;
  CARAT_ASSIGN_OR_RETURN(const Json body, ReadJsonObject(http));
  ResponseStore* store = context->responses.get();
  CARAT_ASSIGN_OR_RETURN(ResponsesRequest request,
                         ReadResponsesRequest(body, DefaultThinking(*context),
                                              [&](const std::string& id) {
                                                return store->GetItem(
                                                    id, http.caller);
                                              }));
  if (!request.previous_id.empty()) {
    const auto previous = store->Get(request.previous_id, http.caller);
    *previous_found = previous.has_value();
    if (!previous) return Missing(request.previous_id);
    std::vector<Message>& messages = request.generate.messages;
    messages.insert(
        messages.begin() + static_cast<int64_t>(request.instruction_messages),
        previous->messages.begin(), previous->messages.end());
  }
  if (request.generate.messages.size() == request.instruction_messages) {
    return InvalidArgument("'input' holds nothing that the model can read.");
  }
  return request;
}

// Sends the error of an unknown previous response, which has its own code.
Status Refuse(const Status& status, bool previous_found, HttpReply* reply) {
  if (previous_found) return status;
  Json body = OpenAiError(status);
  Json* error = body.Find("error");
  error->Set("type", "invalid_request_error");
  error->Set("param", "previous_response_id");
  error->Set("code", "previous_response_not_found");
  SendBody(reply, 404, "application/json", body.Dump());
  return OkStatus();
}

std::string IdOf(const HttpRequest& http) {
  return PercentDecode(std::string_view(http.path).substr(kPrefix.size()));
}

// Keeps a finished answer with everything said before it.
std::function<void(const Json&, Message)> Keeper(
    OpenAiContext* context, const HttpRequest& http,
    const ResponsesRequest& request, const std::string& id) {
  if (!request.store) return nullptr;
  std::vector<Message> said(
      request.generate.messages.begin() +
          static_cast<int64_t>(request.instruction_messages),
      request.generate.messages.end());
  return [store = context->responses, caller = http.caller, id,
          said = std::move(said)](const Json& response, Message answer) {
    StoredResponse stored = {
        .id = id, .caller = caller, .response = response, .messages = said};
    if (!answer.parts.empty()) stored.messages.push_back(std::move(answer));
    store->Put(std::move(stored));
  };
}

}  // namespace

AnswerStyle ResponsesStyle(const OpenAiContext& context, BodyKind kind) {
  AnswerStyle style = OpenAiStyle(context, kind);
  if (!style.stream) return style;
  style.late_error = [](const Status& status) {
    Json error = *OpenAiError(status).Find("error");
    error.Set("type", "error");
    error.Set("sequence_number", 0);
    std::string out;
    AppendSseEvent("error", error, &out);
    return out;
  };
  return style;
}

Status CreateResponse(OpenAiContext* context, const HttpRequest& http,
                      HttpReply* reply) {
  bool previous_found = true;
  Result<ResponsesRequest> read =
      ReadWithHistory(context, http, &previous_found);
  if (!read.ok()) return Refuse(read.status(), previous_found, reply);
  ResponsesRequest& request = *read;
  const AnswerStyle style = ResponsesStyle(
      *context, request.stream ? BodyKind::kStream : BodyKind::kWhole);
  CARAT_ASSIGN_OR_RETURN(
      const ModelLease lease,
      AcquireFor(style, context->host, request.model, std::nullopt, reply));
  Engine* engine = lease.engine.get();
  request.generate.sampling = request.sampling.Over(engine->info().sampling);
  const std::string id = NewId("resp_");
  ResponseAnswer answer = {
      .id = id,
      .model = lease.model.name,
      .created_s = static_cast<int64_t>(std::time(nullptr)),
      .echo = std::move(request.echo),
      .store = request.store,
      .stream = request.stream,
      .sampling = request.generate.sampling,
      .tools = std::move(request.tools),
      .tokenizer = &engine->tokenizer(),
      .finished = Keeper(context, http, request, id)};
  const auto writer = NewResponseWriter(std::move(answer));
  request.generate.caller = http.caller;
  Answer(lease, {request.generate}, style, writer.get(), reply);
  return OkStatus();
}

Status CountResponse(OpenAiContext* context, const HttpRequest& http,
                     HttpReply* reply) {
  bool previous_found = true;
  const Result<ResponsesRequest> request =
      ReadWithHistory(context, http, &previous_found);
  if (!request.ok()) return Refuse(request.status(), previous_found, reply);
  return SendTokenCount(context, request->model, request->generate, reply);
}

Status GetResponse(OpenAiContext* context, const HttpRequest& http,
                   HttpReply* reply) {
  if (http.Query("stream").value_or("") == "true") {
    return Unsupported(
        "'stream' is not supported here: answers are kept whole.");
  }
  const std::string id = IdOf(http);
  const auto found = context->responses->Get(id, http.caller);
  if (!found) return Missing(id);
  SendBody(reply, 200, "application/json", found->response.Dump());
  return OkStatus();
}

Status DeleteResponse(OpenAiContext* context, const HttpRequest& http,
                      HttpReply* reply) {
  const std::string id = IdOf(http);
  if (!context->responses->Delete(id, http.caller)) return Missing(id);
  const Json body = Json::Object{
      {"id", id}, {"object", "response.deleted"}, {"deleted", true}};
  SendBody(reply, 200, "application/json", body.Dump());
  return OkStatus();
}

}  // namespace carat
