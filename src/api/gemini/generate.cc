#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/answer.h"
#include "api/body.h"
#include "api/fields.h"
#include "api/gemini/error.h"
#include "api/gemini/handlers.h"
#include "api/gemini/read_request.h"
#include "api/gemini/write_answer.h"
#include "api/sse.h"
#include "base/utf8.h"

namespace carat {
namespace {

// The body behind the cached prefix that it names, if any.
Result<Json> WithCache(const GeminiCall& call, const Json& body,
                       const ModelLease& lease) {
  Fields fields(body, "", Fields::Style::kProto);
  const auto name = fields.String("cachedContent");
  CARAT_RETURN_IF_ERROR(fields.status());
  if (!name || name->empty()) return body;
  std::string_view id = *name;
  if (const size_t slash = id.rfind('/'); slash != id.npos) {
    id.remove_prefix(slash + 1);
  }
  const auto cache =
      call.context->caches->Get(call.request.caller, std::string(id));
  if (cache == nullptr) {
    return NotFound(
        fmt::format("There is no cached content {}; it may have expired.",
                    QuoteForMessage(*name)));
  }
  const std::string& model = cache->Find("hosted")->as_string();
  if (model != lease.model.name) {
    return InvalidArgument(fmt::format(
        "The cached content was made for the model '{}', the request is for "
        "'{}'.",
        model, lease.model.name));
  }
  return WithGeminiPrefix(*cache->Find("prefix"), body);
}

// What is read once the model is there.
Result<GeminiRequest> ReadFor(const GeminiCall& call, const Json& body,
                              const ModelLease& lease) {
  CARAT_ASSIGN_OR_RETURN(const Json whole, WithCache(call, body, lease));
  const auto files = GeminiFilesOf(call);
  CARAT_ASSIGN_OR_RETURN(
      GeminiRequest request,
      ReadGeminiRequest(whole, TraitsOf(lease), files.get()));
  request.generate.caller = call.request.caller;
  return request;
}

AnswerStyle StyleOf(const GeminiCall& call, GeminiBody body) {
  AnswerStyle style;
  style.stream = body != GeminiBody::kWhole;
  style.content_type = body == GeminiBody::kEvents
                           ? std::string(kEventStream)
                           : "application/json; charset=UTF-8";
  style.keep_alive_ms = call.context->options.keep_alive_ms;
  GeminiAnswerOptions options;
  options.body = body;
  options.model = call.path.id;
  style.first_keep_alive = GeminiWriter(options, nullptr).KeepAlive();
  style.late_error = [body](const Status& status) {
    const Json error = GeminiErrorBody(status);
    if (body == GeminiBody::kWhole) return error.Dump(2);
    if (body == GeminiBody::kArray) return "[" + error.Dump(2) + "]\r\n";
    std::string out;
    AppendSseData(error, &out);
    return out;
  };
  return style;
}

// One request for each candidate. With a seed, each has its own.
std::vector<GenerateRequest> Candidates(const GeminiRequest& request) {
  std::vector<GenerateRequest> out(static_cast<size_t>(request.candidates),
                                   request.generate);
  for (size_t i = 1; i < out.size(); ++i) {
    if (out[i].sampling.seed) *out[i].sampling.seed += i;
  }
  return out;
}

Status Generate(const GeminiCall& call) {
  CARAT_ASSIGN_OR_RETURN(const Json body, ReadJsonObject(call.request));
  GeminiAnswerOptions options;
  if (call.path.method == "streamGenerateContent") {
    const bool events = call.request.Query("alt").value_or("") == "sse";
    options.body = events ? GeminiBody::kEvents : GeminiBody::kArray;
  }
  const AnswerStyle style = StyleOf(call, options.body);
  CARAT_ASSIGN_OR_RETURN(const ModelLease lease,
                         AcquireFor(style, call.context->host, call.path.id,
                                    std::nullopt, call.reply));
  const auto read = ReadFor(call, body, lease);
  if (!read.ok()) return LateError(style, read.status(), call.reply);
  options.candidates = read->candidates;
  options.include_thoughts = read->include_thoughts;
  options.logprobs = read->generate.sampling.logprobs.has_value();
  options.top_logprobs = read->generate.sampling.logprobs.value_or(0) > 0;
  options.model = lease.model.name;
  GeminiWriter writer(options, &lease.engine->tokenizer());
  Answer(lease, Candidates(*read), style, &writer, call.reply);
  return OkStatus();
}

Status CountTokens(const GeminiCall& call) {
  CARAT_ASSIGN_OR_RETURN(const Json body, ReadJsonObject(call.request));
  // Either the contents alone or a whole request one level down.
  Fields fields(body, "", Fields::Style::kProto);
  const Json* whole = fields.Object("generateContentRequest");
  CARAT_RETURN_IF_ERROR(fields.status());
  CARAT_ASSIGN_OR_RETURN(
      const ModelLease lease,
      AcquireWhileThere(call.context->host, call.path.id, *call.reply));
  CARAT_ASSIGN_OR_RETURN(const GeminiRequest request,
                         ReadFor(call, whole ? *whole : body, lease));
  CARAT_ASSIGN_OR_RETURN(const std::vector<TokenId> tokens,
                         lease.engine->PromptTokens(request.generate));
  const int64_t count = static_cast<int64_t>(tokens.size());
  Json detail = Json::MakeObject();
  detail.Set("modality", "TEXT");
  detail.Set("tokenCount", count);
  Json details = Json::MakeArray();
  details.Append(std::move(detail));
  Json out = Json::MakeObject();
  out.Set("totalTokens", count);
  out.Set("promptTokensDetails", std::move(details));
  SendGeminiJson(call.reply, out);
  return OkStatus();
}

}  // namespace

void HandleGeminiGenerate(const GeminiCall& call) {
  const Status status = Generate(call);
  if (!status.ok() && !call.reply->started()) {
    SendGeminiError(call.reply, status);
  }
}

void HandleGeminiCountTokens(const GeminiCall& call) {
  const Status status = CountTokens(call);
  if (!status.ok()) SendGeminiError(call.reply, status);
}

}  // namespace carat
