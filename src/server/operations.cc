#include "server/operations.h"

#include <fmt/format.h>

#include <vector>

#include "api/answer.h"
#include "api/body.h"
#include "api/fields.h"
#include "api/openai/read_request.h"
#include "base/utf8.h"

namespace carat {
namespace {

constexpr std::string_view kJson = "application/json";

void SendError(int status, const std::string& message, HttpReply* reply) {
  const Json body = Json::Object{
      {"error", Json::Object{{"message", message},
                             {"type", status >= 500 ? "api_error"
                                                    : "invalid_request_error"},
                             {"code", status}}}};
  HttpHeaders more;
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
Result<Json> Tokenize(ModelHost* host, const HttpRequest& request) {
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
                         host->Acquire(model, std::nullopt));
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

Result<Json> Detokenize(ModelHost* host, const HttpRequest& request) {
  CARAT_ASSIGN_OR_RETURN(const Json body, ReadJsonObject(request));
  Fields fields(body, "");
  const std::string model = fields.String("model").value_or("");
  const Json* tokens = fields.Array("tokens");
  CARAT_RETURN_IF_ERROR(fields.status());
  if (tokens == nullptr) {
    return InvalidArgument("Give the token ids as \"tokens\", an array.");
  }
  CARAT_ASSIGN_OR_RETURN(const ModelLease lease,
                         host->Acquire(model, std::nullopt));
  const Tokenizer& tokenizer = lease.engine->tokenizer();
  std::vector<TokenId> ids;
  for (const Json& id : tokens->as_array()) {
    if (!id.is_int() || id.as_int() < 0 ||
        id.as_int() >= tokenizer.vocab_size()) {
      return InvalidArgument(
          fmt::format("tokens: expected whole numbers from 0 to {}, found {}.",
                      tokenizer.vocab_size() - 1, id.Dump().substr(0, 40)));
    }
    ids.push_back(static_cast<TokenId>(id.as_int()));
  }
  const std::string text = SanitizeUtf8(tokenizer.Decode(ids, true));
  return Json(Json::Object{{"content", text}, {"prompt", text}});
}

Result<Json> ApplyTemplate(ModelHost* host, const HttpRequest& request) {
  CARAT_ASSIGN_OR_RETURN(const Json body, ReadJsonObject(request));
  CARAT_ASSIGN_OR_RETURN(ChatRequest chat,
                         ReadChatRequest(body, ThinkDefault::kOff));
  CARAT_ASSIGN_OR_RETURN(const ModelLease lease,
                         host->Acquire(chat.model, std::nullopt));
  CARAT_ASSIGN_OR_RETURN(const std::vector<TokenId> ids,
                         lease.engine->PromptTokens(chat.generate));
  return Json(Json::Object{
      {"prompt", SanitizeUtf8(lease.engine->tokenizer().Decode(ids, true))},
      {"tokens", static_cast<int64_t>(ids.size())}});
}

// llama.cpp's /props, as far as agents read it. Loads nothing.
Result<Json> Props(const OperationsContext& context,
                   const HttpRequest& request) {
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

void SendReady(const OperationsContext& context, HttpReply* reply) {
  if (context.ready()) {
    return SendBody(reply, 200, kJson, R"({"status":"ready"})");
  }
  SendBody(reply, 503, kJson, R"({"status":"not ready"})",
           {{"retry-after", "2"}});
}

}  // namespace

bool HandleOperation(const OperationsContext& context,
                     const HttpRequest& request, HttpReply* reply) {
  const std::string& path = request.path;
  const bool get = path == "/ready" || path == "/metrics" || path == "/props";
  const bool post =
      path == "/tokenize" || path == "/detokenize" || path == "/apply-template";
  if (!get && !post) return false;
  if (request.method != (get ? "GET" : "POST")) {
    SendBody(reply, 405, kJson,
             fmt::format(R"({{"error":{{"message":"{} is for {}."}}}})", path,
                         get ? "GET" : "POST"),
             {{"allow", get ? "GET, HEAD" : "POST"}});
    return true;
  }
  if (path == "/ready") {
    SendReady(context, reply);
  } else if (path == "/metrics") {
    SendBody(reply, 200, "text/plain; version=0.0.4; charset=utf-8",
             context.metrics->Render(context.host->Running(), context.stats()));
  } else {
    const Result<Json> body =
        path == "/props"        ? Props(context, request)
        : path == "/tokenize"   ? Tokenize(context.host, request)
        : path == "/detokenize" ? Detokenize(context.host, request)
                                : ApplyTemplate(context.host, request);
    if (body.ok()) {
      SendBody(reply, 200, kJson, body->Dump());
    } else {
      SendError(body.status(), reply);
    }
  }
  return true;
}

}  // namespace carat
