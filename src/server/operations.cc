#include "server/operations.h"

#include <fmt/format.h>

#include <vector>

#include "api/answer.h"
#include "api/body.h"
#include "api/fields.h"
#include "api/openai/read_request.h"
#include "base/utf8.h"
#include "server/openapi.h"

namespace carat {
namespace {

constexpr std::string_view kJson = "application/json";

void SendError(int status, const std::string& message, HttpReply* reply,
               HttpHeaders more = {}) {
  const Json body = Json::Object{
      {"error", Json::Object{{"message", message},
                             {"type", status >= 500 ? "api_error"
                                                    : "invalid_request_error"},
                             {"code", status}}}};
  if (status == 503) more.emplace_back("retry-after", "2");
  SendBody(reply, status, kJson, body.Dump(), std::move(more));
}

void SendError(const Status& status, HttpReply* reply) {
  SendError(HttpStatusOf(status.code()), status.message(), reply);
}

Json IdsToJson(const std::vector<TokenId>& ids) {
  Json out = Json::MakeArray();
  for (const TokenId id : ids) out.Append(static_cast<int64_t>(id));
  return out;
}

// llama.cpp's {"content"} -> {"tokens"}, vLLM's {"prompt"} -> {"count", ...}.
Result<Json> Tokenize(const OperationsContext& context,
                      const HttpRequest& request, const HttpReply& reply) {
  CARAT_ASSIGN_OR_RETURN(const Json body, ReadJsonObject(request));
  Fields fields(body, "");
  const std::string model = fields.String("model").value_or("");
  const auto prompt = fields.String("prompt");
  const auto content = fields.String("content");
  const bool bos = fields.Bool(prompt ? "add_special_tokens" : "add_special")
                       .value_or(prompt.has_value());
  const bool special = fields.Bool("parse_special").value_or(true);
  const bool pieces = fields.Bool("with_pieces").value_or(false);
  CARAT_RETURN_IF_ERROR(fields.status());
  if (!prompt && !content) {
    return InvalidArgument("Give the text as \"content\" or \"prompt\".");
  }
  CARAT_ASSIGN_OR_RETURN(const ModelLease lease,
                         AcquireWhileThere(context.host, model, reply));
  const Tokenizer& tokenizer = lease.engine->tokenizer();
  std::vector<TokenId> ids =
      tokenizer.Encode(prompt ? *prompt : *content,
                       special ? SpecialText::kParse : SpecialText::kPlain);
  if (bos && tokenizer.bos() >= 0) ids.insert(ids.begin(), tokenizer.bos());
  Json out = Json::MakeObject();
  if (prompt) {
    out.Set("count", static_cast<int64_t>(ids.size()));
    out.Set("max_model_len", lease.engine->context_tokens());
  }
  if (!pieces) {
    out.Set("tokens", IdsToJson(ids));
    return out;
  }
  Json list = Json::MakeArray();
  for (const TokenId id : ids) {
    list.Append(Json::Object{{"id", static_cast<int64_t>(id)},
                             {"piece", SanitizeUtf8(tokenizer.Piece(id))}});
  }
  out.Set("tokens", std::move(list));
  return out;
}

Result<Json> Detokenize(const OperationsContext& context,
                        const HttpRequest& request, const HttpReply& reply) {
  CARAT_ASSIGN_OR_RETURN(const Json body, ReadJsonObject(request));
  Fields fields(body, "");
  const std::string model = fields.String("model").value_or("");
  const Json* tokens = fields.Array("tokens");
  CARAT_RETURN_IF_ERROR(fields.status());
  if (tokens == nullptr) {
    return InvalidArgument("Give the token ids as \"tokens\", an array.");
  }
  CARAT_ASSIGN_OR_RETURN(const ModelLease lease,
                         AcquireWhileThere(context.host, model, reply));
  const Tokenizer& tokenizer = lease.engine->tokenizer();
  std::vector<TokenId> ids;
  for (const Json& given : tokens->as_array()) {
    const auto id = WholeNumber(given);
    if (!id || *id < 0 || *id >= tokenizer.vocab_size()) {
      return InvalidArgument(
          fmt::format("tokens: expected whole numbers from 0 to {}, found {}.",
                      tokenizer.vocab_size() - 1, given.Dump().substr(0, 40)));
    }
    ids.push_back(static_cast<TokenId>(*id));
  }
  const std::string text = SanitizeUtf8(tokenizer.Decode(ids, true));
  return Json(Json::Object{{"content", text}, {"prompt", text}});
}

Result<Json> ApplyTemplate(const OperationsContext& context,
                           const HttpRequest& request, const HttpReply& reply) {
  CARAT_ASSIGN_OR_RETURN(const Json body, ReadJsonObject(request));
  CARAT_ASSIGN_OR_RETURN(ChatRequest chat,
                         ReadChatRequest(body, ThinkDefault::kOff));
  CARAT_ASSIGN_OR_RETURN(const ModelLease lease,
                         AcquireWhileThere(context.host, chat.model, reply));
  CARAT_ASSIGN_OR_RETURN(const std::vector<TokenId> ids,
                         lease.engine->PromptTokens(chat.generate));
  return Json(Json::Object{
      {"prompt", SanitizeUtf8(lease.engine->tokenizer().Decode(ids, true))},
      {"tokens", static_cast<int64_t>(ids.size())}});
}

// llama.cpp's /props, as far as agents read it. Loads nothing.
Result<Json> Props(const OperationsContext& context, const HttpRequest& request,
                   const HttpReply&) {
  CARAT_ASSIGN_OR_RETURN(
      const HostedModel model,
      context.host->Find(request.Query("model").value_or("")));
  int64_t window = 0;
  for (const RunningModel& running : context.host->Running()) {
    if (running.model.path == model.path) {
      window = running.engine->context_tokens();
    }
  }
  if (window == 0) {
    CARAT_ASSIGN_OR_RETURN(const ModelInfo info, context.host->Describe(model));
    window = info.config.context_tokens;
  }
  return Json(Json::Object{
      {"default_generation_settings", Json::Object{{"n_ctx", window}}},
      {"model_alias", model.name},
      {"build_info", "carat " CARAT_VERSION}});
}

void SendReady(const OperationsContext& context, const HttpRequest&,
               HttpReply* reply) {
  if (context.ready()) {
    return SendBody(reply, 200, kJson, R"({"status":"ready"})");
  }
  SendBody(reply, 503, kJson, R"({"status":"not ready"})",
           {{"retry-after", "2"}});
}

void SendMetrics(const OperationsContext& context, const HttpRequest&,
                 HttpReply* reply) {
  SendBody(reply, 200, "text/plain; version=0.0.4; charset=utf-8",
           context.metrics->Render(context.host->Running(), context.stats()));
}

void SendDocument(const OperationsContext&, const HttpRequest&,
                  HttpReply* reply) {
  SendBody(reply, 200, kJson,
           OpenApiDocument({OpenAiApi(), AnthropicApi(), GeminiApi(),
                            OllamaApi(), OperationsApi()})
               .Dump());
}

// A handler of JSON made a handler of requests.
template <Result<Json> (*kMake)(const OperationsContext&, const HttpRequest&,
                                const HttpReply&)>
void SendJson(const OperationsContext& context, const HttpRequest& request,
              HttpReply* reply) {
  const Result<Json> body = kMake(context, request, *reply);
  if (!body.ok()) return SendError(body.status(), reply);
  SendBody(reply, 200, kJson, body->Dump());
}

struct Route {
  std::string_view method, path;
  void (*handle)(const OperationsContext&, const HttpRequest&, HttpReply*);
};

constexpr Route kRoutes[] = {
    {"GET", "/ready", SendReady},
    {"GET", "/metrics", SendMetrics},
    {"GET", "/openapi.json", SendDocument},
    {"GET", "/props", SendJson<Props>},
    {"POST", "/tokenize", SendJson<Tokenize>},
    {"POST", "/detokenize", SendJson<Detokenize>},
    {"POST", "/apply-template", SendJson<ApplyTemplate>},
};

}  // namespace

std::vector<RouteName> OperationsRoutes() {
  // Health is the connection's own.
  std::vector<RouteName> out = {{"GET", "/health"}, {"GET", "/v1/health"}};
  for (const Route& route : kRoutes) out.push_back({route.method, route.path});
  return out;
}

bool HandleOperation(const OperationsContext& context,
                     const HttpRequest& request, HttpReply* reply) {
  for (const Route& route : kRoutes) {
    if (request.path != route.path) continue;
    if (request.method == route.method) {
      route.handle(context, request, reply);
      return true;
    }
    const bool get = route.method == "GET";
    SendError(405, fmt::format("{} is for {}.", route.path, route.method),
              reply, {{"allow", get ? "GET, HEAD" : "POST"}});
    return true;
  }
  return false;
}

}  // namespace carat
