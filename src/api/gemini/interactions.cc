#include <fmt/format.h>

#include <string>
#include <utility>

#include "api/answer.h"
#include "api/body.h"
#include "api/gemini/handlers.h"
#include "api/gemini/read_interaction.h"
#include "api/gemini/write_interaction.h"
#include "api/ids.h"
#include "api/model_traits.h"
#include "api/sse.h"
#include "api/wire_time.h"
#include "base/utf8.h"

namespace carat {
namespace {

// As long as a working day's conversation may rest.
constexpr int64_t kKeepNs = int64_t{24} * 3600 * 1'000'000'000;
constexpr const char* kJsonType = "application/json; charset=UTF-8";

Status NoInteraction(const std::string& id) {
  return NotFound(fmt::format(
      "There is no interaction {}; it may have expired or been dropped.",
      QuoteForMessage(id)));
}

// Steps that led to the interaction `id`, its own included.
Result<Json> HistoryOf(const GeminiCall& call, const std::string& id) {
  if (id.empty()) return Json::MakeArray();
  const auto stored = call.context->interactions->Get(call.request.caller, id);
  if (stored == nullptr) return NoInteraction(id);
  return *stored->Find("history");
}

void Extend(const Json& more, Json* steps) {
  for (const Json& step : more.as_array()) steps->Append(step);
}

AnswerStyle StyleOf(const GeminiCall& call, const InteractionHead& head) {
  AnswerStyle style;
  style.stream = head.stream;
  style.content_type = head.stream ? std::string(kEventStream) : kJsonType;
  style.keep_alive_ms = call.context->options.keep_alive_ms;
  if (style.stream) style.first_keep_alive = kSseComment;
  style.late_error = [stream = style.stream](const Status& status) {
    Json error = InteractionErrorBody(status);
    if (!stream) return error.Dump();
    error.Set("event_type", "error");
    std::string out;
    AppendSseEvent("error", error, &out);
    return out;
  };
  return style;
}

Status Create(const GeminiCall& call) {
  CARAT_ASSIGN_OR_RETURN(const Json body, ReadJsonObject(call.request));
  CARAT_ASSIGN_OR_RETURN(const InteractionHead head, ReadInteractionHead(body));
  CARAT_ASSIGN_OR_RETURN(Json steps, HistoryOf(call, head.previous));
  Extend(head.steps, &steps);
  const AnswerStyle style = StyleOf(call, head);
  CARAT_ASSIGN_OR_RETURN(const ModelLease lease,
                         AcquireFor(style, call.context->host, head.model,
                                    std::nullopt, call.reply));
  const auto files = GeminiFilesOf(call);
  auto read = ReadInteraction(body, steps, TraitsOf(lease), files.get());
  if (!read.ok()) return LateError(style, read.status(), call.reply);
  GenerateRequest& request = *read;
  request.caller = call.request.caller;

  InteractionOptions options;
  options.id = NewId("");
  options.model = lease.model.name;
  options.previous = head.previous;
  options.stream = head.stream;
  options.show_thoughts = head.show_thoughts;
  if (head.store) {
    options.done = [&, id = options.id](const Json& resource,
                                        const Json& answer) {
      Extend(answer, &steps);
      Json entry = Json::MakeObject();
      entry.Set("resource", resource);
      entry.Set("input", head.steps);
      entry.Set("history", std::move(steps));
      // One that does not fit is not there later, which its use will tell.
      const Status stored = call.context->interactions->Put(
          call.request.caller, id, std::move(entry), WallClockNs() + kKeepNs);
      static_cast<void>(stored.ok());
    };
  }
  InteractionWriter writer(std::move(options));
  Answer(lease, {request}, style, &writer, call.reply);
  return OkStatus();
}

Status Get(const GeminiCall& call) {
  if (call.request.Query("stream").value_or("") == "true") {
    return Unsupported(
        "A stored interaction is complete and cannot be streamed again; get "
        "it without 'stream'.");
  }
  const auto stored =
      call.context->interactions->Get(call.request.caller, call.path.id);
  if (stored == nullptr) return NoInteraction(call.path.id);
  Json out = *stored->Find("resource");
  if (call.request.Query("include_input").value_or("") == "true") {
    Json steps = *stored->Find("input");
    Extend(*out.Find("steps"), &steps);
    out.Set("steps", std::move(steps));
  }
  SendBody(call.reply, 200, kJsonType, out.Dump());
  return OkStatus();
}

Status Run(const GeminiCall& call) {
  const std::string& method = call.request.method;
  const std::string& id = call.path.id;
  if (id.empty() && method == "POST") return Create(call);
  if (id.ends_with("/cancel") && method == "POST") {
    const std::string target = id.substr(0, id.size() - 7);
    if (!call.context->interactions->Get(call.request.caller, target)) {
      return NoInteraction(target);
    }
    return FailedPrecondition(
        "The interaction is complete; only one that runs can be cancelled. "
        "Close the connection to cancel an answer under way.");
  }
  if (!id.empty() && method == "GET") return Get(call);
  if (!id.empty() && method == "DELETE") {
    if (!call.context->interactions->Erase(call.request.caller, id)) {
      return NoInteraction(id);
    }
    SendBody(call.reply, 200, kJsonType, "{}");
    return OkStatus();
  }
  return NotFound(fmt::format("There is nothing at {} {}.", method,
                              QuoteForMessage(call.request.path)));
}

}  // namespace

void HandleGeminiInteractions(const GeminiCall& call) {
  const Status status = Run(call);
  if (status.ok() || call.reply->started()) return;
  SendBody(call.reply, HttpStatusOf(status.code()), kJsonType,
           InteractionErrorBody(status).Dump());
}

}  // namespace carat
