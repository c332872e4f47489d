#include <fmt/format.h>

#include <ctime>
#include <utility>
#include <vector>

#include "api/answer.h"
#include "api/body.h"
#include "api/ids.h"
#include "api/openai/context.h"
#include "api/openai/error.h"
#include "api/openai/handlers.h"
#include "api/openai/models.h"
#include "api/openai/read_request.h"
#include "api/openai/write_chat.h"
#include "api/openai/write_completion.h"
#include "api/openapi.h"
#include "api/sse.h"
#include "base/utf8.h"

namespace carat {
namespace {

// Each takes about 100 bytes until the answer is sent.
constexpr int64_t kMaxEchoedLogprobs = 1 << 18;

constexpr std::string_view kModelPrefix = "/v1/models/";

BodyKind KindOf(bool stream) {
  return stream ? BodyKind::kStream : BodyKind::kWhole;
}

// The same request `count` times. A given seed counts up, so that choices
// differ and each can be had again alone.
std::vector<GenerateRequest> Copies(const GenerateRequest& request, int count) {
  std::vector<GenerateRequest> copies(count, request);
  for (int i = 1; i < count; ++i) {
    if (copies[i].sampling.seed) *copies[i].sampling.seed += i;
  }
  return copies;
}

Status Chat(OpenAiContext* context, const HttpRequest& http, HttpReply* reply) {
  CARAT_ASSIGN_OR_RETURN(const Json body, ReadJsonObject(http));
  CARAT_ASSIGN_OR_RETURN(ChatRequest request,
                         ReadChatRequest(body, DefaultThinking(*context)));
  const AnswerStyle style = OpenAiStyle(*context, KindOf(request.stream));
  CARAT_ASSIGN_OR_RETURN(
      const ModelLease lease,
      AcquireFor(style, context->host, request.model, std::nullopt, reply));
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
  request.generate.caller = http.caller;
  Answer(lease, Copies(request.generate, request.choices), style, writer.get(),
         reply);
  return OkStatus();
}

// The requests of a completion: every prompt, each as often as asked.
std::vector<GenerateRequest> Prompts(const CompletionRequest& request) {
  std::vector<GenerateRequest> out;
  for (const CompletionPrompt& prompt : request.prompts) {
    GenerateRequest one = request.generate;
    one.prompt = prompt.text;
    one.prompt_tokens = prompt.tokens;
    for (GenerateRequest& copy : Copies(one, request.answers_per_prompt)) {
      out.push_back(std::move(copy));
    }
  }
  return out;
}

// What each choice gives back of its prompt.
Status FillEchoes(const CompletionRequest& request, const Engine& engine,
                  const std::vector<GenerateRequest>& requests,
                  CompletionAnswer* answer) {
  int64_t numbers = 0;  // probabilities of prompts in the answer
  for (const GenerateRequest& one : requests) {
    const bool text = one.prompt_tokens.empty();
    answer->silent_tokens.push_back(text && engine.tokenizer().bos() >= 0);
    if (!request.echo) {
      answer->echoes.emplace_back();
      continue;
    }
    // Ids are checked here because Decode wants valid ones.
    CARAT_ASSIGN_OR_RETURN(const std::vector<TokenId> tokens,
                           engine.PromptTokens(one));
    answer->echoes.push_back(
        text ? one.prompt
             : SanitizeUtf8(engine.tokenizer().Decode(one.prompt_tokens)));
    if (!one.prompt_logprobs) continue;
    numbers += static_cast<int64_t>(tokens.size()) *
               (1 + request.sampling.logprobs.value_or(0));
  }
  if (numbers > kMaxEchoedLogprobs) {
    return InvalidArgument(fmt::format(
        "'echo' with 'logprobs' would give {} numbers back, at most {} are "
        "possible: send shorter or fewer prompts, or ask for fewer 'logprobs'.",
        numbers, kMaxEchoedLogprobs));
  }
  return OkStatus();
}

Status Complete(OpenAiContext* context, const HttpRequest& http,
                HttpReply* reply) {
  CARAT_ASSIGN_OR_RETURN(const Json body, ReadJsonObject(http));
  CARAT_ASSIGN_OR_RETURN(CompletionRequest request,
                         ReadCompletionRequest(body));
  const AnswerStyle style = OpenAiStyle(*context, KindOf(request.stream));
  CARAT_ASSIGN_OR_RETURN(
      const ModelLease lease,
      AcquireFor(style, context->host, request.model, std::nullopt, reply));
  Engine* engine = lease.engine.get();
  request.generate.sampling = request.sampling.Over(engine->info().sampling);
  std::vector<GenerateRequest> requests = Prompts(request);
  CompletionAnswer answer = {
      .id = NewId("cmpl-"),
      .model = lease.model.name,
      .created_s = static_cast<int64_t>(std::time(nullptr)),
      .answers_per_prompt = request.answers_per_prompt,
      .include_usage = request.include_usage,
      .with_logprobs = request.sampling.logprobs.has_value(),
      .tokenizer = &engine->tokenizer()};
  const Status echoed = FillEchoes(request, *engine, requests, &answer);
  if (!echoed.ok()) return LateError(style, echoed, reply);
  const auto writer = request.stream
                          ? NewCompletionStreamWriter(std::move(answer))
                          : NewCompletionWriter(std::move(answer));
  for (GenerateRequest& one : requests) one.caller = http.caller;
  Answer(lease, requests, style, writer.get(), reply);
  return OkStatus();
}

// The tokens that the prompt of a chat request has.
Status CountChat(OpenAiContext* context, const HttpRequest& http,
                 HttpReply* reply) {
  CARAT_ASSIGN_OR_RETURN(const Json body, ReadJsonObject(http));
  CARAT_ASSIGN_OR_RETURN(const ChatRequest request,
                         ReadChatRequest(body, ThinkDefault::kOff));
  return SendTokenCount(context, request.model, request.generate, reply);
}

Status ListModels(OpenAiContext* context, const HttpRequest&,
                  HttpReply* reply) {
  SendBody(reply, 200, "application/json", ModelList(context->host).Dump());
  return OkStatus();
}

Status GetModel(OpenAiContext* context, const HttpRequest& http,
                HttpReply* reply) {
  const std::string name =
      PercentDecode(std::string_view(http.path).substr(kModelPrefix.size()));
  CARAT_ASSIGN_OR_RETURN(const Json entry, ModelEntry(context->host, name));
  SendBody(reply, 200, "application/json", entry.Dump());
  return OkStatus();
}

Status Embed(OpenAiContext*, const HttpRequest&, HttpReply*) {
  return Unsupported(
      "This version of carat computes no embeddings: none of the models it "
      "loads is an embedding model.");
}

Status Transcribe(OpenAiContext*, const HttpRequest&, HttpReply*) {
  return Unsupported(
      "This version of carat hears no audio, so it cannot transcribe or "
      "translate it.");
}

using Handler = Status (*)(OpenAiContext*, const HttpRequest&, HttpReply*);

// As the OpenAPI document writes it: a path that ends in {id} stands for
// everything below it.
struct Route {
  std::string_view method, path;
  Handler handler;
};

constexpr Route kRoutes[] = {
    {"POST", "/v1/chat/completions", Chat},
    {"POST", "/v1/chat/completions/input_tokens", CountChat},
    {"POST", "/v1/completions", Complete},
    {"POST", "/v1/embeddings", Embed},
    {"POST", "/v1/audio/transcriptions", Transcribe},
    {"POST", "/v1/audio/translations", Transcribe},
    {"POST", "/v1/responses", CreateResponse},
    {"POST", "/v1/responses/input_tokens", CountResponse},
    {"GET", "/v1/responses/{id}", GetResponse},
    {"DELETE", "/v1/responses/{id}", DeleteResponse},
    {"GET", "/v1/models", ListModels},
    {"GET", "/v1/models/{id}", GetModel},
};

bool Matches(const Route& route, std::string_view path) {
  constexpr std::string_view kId = "{id}";
  if (!route.path.ends_with(kId)) return path == route.path;
  const std::string_view prefix =
      route.path.substr(0, route.path.size() - kId.size());
  return path.size() > prefix.size() && path.starts_with(prefix);
}

}  // namespace

std::vector<RouteName> OpenAiRoutes() {
  std::vector<RouteName> out;
  for (const Route& route : kRoutes) out.push_back({route.method, route.path});
  return out;
}

AnswerStyle OpenAiStyle(const OpenAiContext& context, BodyKind kind) {
  AnswerStyle style;
  style.stream = kind == BodyKind::kStream;
  style.content_type =
      style.stream ? std::string(kEventStream) : "application/json";
  style.keep_alive_ms = context.options.keep_alive_ms;
  style.headers.emplace_back("x-request-id", NewId("req_"));
  if (style.stream) style.first_keep_alive = kSseComment;
  style.late_error = [stream = style.stream](const Status& status) {
    if (!stream) return OpenAiError(status).Dump();
    std::string out;
    AppendSseData(OpenAiError(status), &out);
    return out + "data: [DONE]\n\n";
  };
  return style;
}

ThinkDefault DefaultThinking(const OpenAiContext& context) {
  return context.options.think ? ThinkDefault::kOn : ThinkDefault::kOff;
}

Status SendTokenCount(OpenAiContext* context, const std::string& model,
                      const GenerateRequest& request, HttpReply* reply) {
  CARAT_ASSIGN_OR_RETURN(const ModelLease lease,
                         AcquireWhileThere(context->host, model, *reply));
  CARAT_ASSIGN_OR_RETURN(const std::vector<TokenId> tokens,
                         lease.engine->PromptTokens(request));
  const Json count =
      Json::Object{{"object", "response.input_tokens"},
                   {"input_tokens", static_cast<int64_t>(tokens.size())}};
  SendBody(reply, 200, "application/json", count.Dump());
  return OkStatus();
}

bool HandleOpenAi(OpenAiContext* context, const HttpRequest& request,
                  HttpReply* reply) {
  std::string allowed;
  for (const Route& route : kRoutes) {
    if (!Matches(route, request.path)) continue;
    if (request.method != route.method) {
      if (!allowed.empty()) allowed += ", ";
      allowed += route.method;
      continue;
    }
    const Status status = route.handler(context, request, reply);
    if (!status.ok() && !reply->started()) SendOpenAiError(status, reply);
    return true;
  }
  if (allowed.empty()) return false;
  SendOpenAiMethodError(request, allowed, reply);
  return true;
}

}  // namespace carat
