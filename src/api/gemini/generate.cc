#include <fmt/format.h>

#include <string>
#include <utility>

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

// A request that has been read, with the model it is for.
struct Prepared {
  ModelLease lease;
  GeminiRequest request;
};

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

Result<Prepared> Prepare(const GeminiCall& call, const Json& body) {
  CARAT_ASSIGN_OR_RETURN(ModelLease lease, call.context->host->Acquire(
                                               call.path.id, std::nullopt));
  const ModelTraits traits = TraitsOf(lease);
  CARAT_ASSIGN_OR_RETURN(const Json whole, WithCache(call, body, lease));
  const auto files = GeminiFilesOf(call);
  CARAT_ASSIGN_OR_RETURN(GeminiRequest request,
                         ReadGeminiRequest(whole, traits, files.get()));
  request.generate.caller = call.request.caller;
  return Prepared{std::move(lease), std::move(request)};
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

}  // namespace

void HandleGeminiGenerate(const GeminiCall& call) {
  auto body = ReadJsonObject(call.request);
  if (!body.ok()) return SendGeminiError(call.reply, body.status());
  auto prepared = Prepare(call, *body);
  if (!prepared.ok()) return SendGeminiError(call.reply, prepared.status());
  const GeminiRequest& request = prepared->request;

  GeminiAnswerOptions options;
  options.candidates = request.candidates;
  options.include_thoughts = request.include_thoughts;
  options.logprobs = request.generate.sampling.logprobs.has_value();
  options.top_logprobs = request.generate.sampling.logprobs.value_or(0) > 0;
  options.model = prepared->lease.model.name;
  AnswerStyle style;
  style.content_type = "application/json; charset=UTF-8";
  style.keep_alive_ms = call.context->options.keep_alive_ms;
  if (call.path.method == "streamGenerateContent") {
    style.stream = true;
    const bool events = call.request.Query("alt").value_or("") == "sse";
    options.body = events ? GeminiBody::kEvents : GeminiBody::kArray;
    if (events) style.content_type = std::string(kEventStream);
  }
  GeminiWriter writer(options, &prepared->lease.engine->tokenizer());
  Answer(prepared->lease.engine.get(), Candidates(request), style, &writer,
         call.reply);
}

void HandleGeminiCountTokens(const GeminiCall& call) {
  auto body = ReadJsonObject(call.request);
  if (!body.ok()) return SendGeminiError(call.reply, body.status());
  // Either the contents alone or a whole request one level down.
  Fields fields(*body, "", Fields::Style::kProto);
  const Json* whole = fields.Object("generateContentRequest");
  if (!fields.status().ok()) {
    return SendGeminiError(call.reply, fields.status());
  }
  auto prepared = Prepare(call, whole ? *whole : *body);
  if (!prepared.ok()) return SendGeminiError(call.reply, prepared.status());
  auto tokens =
      prepared->lease.engine->PromptTokens(prepared->request.generate);
  if (!tokens.ok()) return SendGeminiError(call.reply, tokens.status());
  const int64_t count = static_cast<int64_t>(tokens->size());
  Json detail = Json::MakeObject();
  detail.Set("modality", "TEXT");
  detail.Set("tokenCount", count);
  Json details = Json::MakeArray();
  details.Append(std::move(detail));
  Json out = Json::MakeObject();
  out.Set("totalTokens", count);
  out.Set("promptTokensDetails", std::move(details));
  SendGeminiJson(call.reply, out);
}

}  // namespace carat
