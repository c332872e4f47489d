#include <fmt/format.h>

#include <string>
#include <utility>

#include "api/answer.h"
#include "api/body.h"
#include "api/fields.h"
#include "api/gemini/error.h"
#include "api/gemini/handlers.h"
#include "api/gemini/read_request.h"
#include "api/ids.h"
#include "api/model_traits.h"
#include "api/wire_time.h"
#include "base/utf8.h"

namespace carat {
namespace {

constexpr Fields::Style kProto = Fields::Style::kProto;
constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr int64_t kDefaultTtlNs = 3600 * kNsPerSecond;
constexpr int64_t kMostTtlNs = 7 * 24 * 3600 * kNsPerSecond;

// When the entry expires: "ttl" from now on, or "expireTime".
Result<int64_t> ExpiryIn(Fields& fields) {
  const int64_t now_ns = WallClockNs();
  const auto ttl = fields.String("ttl");
  const auto time = fields.String("expireTime");
  CARAT_RETURN_IF_ERROR(fields.status());
  if (ttl && time) {
    return InvalidArgument(
        "'ttl' and 'expireTime' exclude each other; give one of them.");
  }
  int64_t left_ns = kDefaultTtlNs;
  if (ttl) {
    const auto ns = ParseProtoDuration(*ttl);
    if (!ns) fields.Fail("ttl", "a duration like \"300s\"");
    left_ns = ns.value_or(0);
  } else if (time) {
    const auto ns = ParseRfc3339(*time);
    if (!ns) fields.Fail("expireTime", "a time like \"2026-11-24T10:30:00Z\"");
    left_ns = ns.value_or(now_ns) - now_ns;
  }
  CARAT_RETURN_IF_ERROR(fields.status());
  if (left_ns <= 0 || left_ns > kMostTtlNs) {
    return InvalidArgument(
        fmt::format("'{}' must lie between now and seven days from now.",
                    ttl ? "ttl" : "expireTime"));
  }
  return now_ns + left_ns;
}

// What a client may see of a stored cache.
Json Shown(const Json& stored) {
  Json out = stored;
  out.Erase("prefix");
  out.Erase("hosted");
  return out;
}

Status NoCache(const std::string& id) {
  return NotFound(
      fmt::format("There is no cached content {}; it may have expired.",
                  QuoteForMessage(id)));
}

Result<Json> Create(const GeminiCall& call) {
  CARAT_ASSIGN_OR_RETURN(const Json body, ReadJsonObject(call.request));
  Fields fields(body, "", kProto);
  const std::string model = fields.String("model").value_or("");
  const std::string title = fields.String("displayName").value_or("");
  if (model.empty()) fields.Fail("model", "the name of a model");
  CARAT_RETURN_IF_ERROR(fields.status());
  CARAT_ASSIGN_OR_RETURN(const int64_t expires_ns, ExpiryIn(fields));
  CARAT_ASSIGN_OR_RETURN(
      const ModelLease lease,
      AcquireWhileThere(call.context->host, GeminiModelName(model),
                        *call.reply));
  const auto files = GeminiFilesOf(call);
  CARAT_ASSIGN_OR_RETURN(const GeminiRequest request,
                         ReadGeminiPrefix(body, TraitsOf(lease), files.get()));
  if (request.generate.messages.empty() && request.generate.tools.empty()) {
    return InvalidArgument(
        "There is nothing to cache: give 'contents', 'systemInstruction' or "
        "'tools'.");
  }
  int64_t tokens = 0;
  if (!request.generate.messages.empty()) {
    CARAT_ASSIGN_OR_RETURN(const auto ids,
                           lease.engine->PromptTokens(request.generate));
    tokens = static_cast<int64_t>(ids.size());
  }
  Json prefix = Json::MakeObject();
  for (const char* name :
       {"contents", "systemInstruction", "tools", "toolConfig"}) {
    if (const Json* value = fields.Any(name)) prefix.Set(name, *value);
  }
  const std::string id = NewId("");
  const std::string now = Rfc3339(WallClockNs());
  Json usage = Json::MakeObject();
  usage.Set("totalTokenCount", tokens);
  Json entry = Json::MakeObject();
  entry.Set("name", "cachedContents/" + id);
  entry.Set("model", "models/" + lease.model.name);
  if (!title.empty()) entry.Set("displayName", title);
  entry.Set("createTime", now);
  entry.Set("updateTime", now);
  entry.Set("expireTime", Rfc3339(expires_ns));
  entry.Set("usageMetadata", std::move(usage));
  entry.Set("hosted", lease.model.name);
  entry.Set("prefix", std::move(prefix));
  Json shown = Shown(entry);
  CARAT_RETURN_IF_ERROR(call.context->caches->Put(
      call.request.caller, id, std::move(entry), expires_ns));
  return shown;
}

Result<Json> List(const GeminiCall& call) {
  Json list = Json::MakeArray();
  for (const auto& entry : call.context->caches->List(call.request.caller)) {
    list.Append(Shown(*entry));
  }
  Json out = Json::MakeObject();
  out.Set("cachedContents", std::move(list));
  return out;
}

Result<Json> Patch(const GeminiCall& call) {
  CARAT_ASSIGN_OR_RETURN(const Json body, ReadJsonObject(call.request));
  StateStore& caches = *call.context->caches;
  const auto stored = caches.Get(call.request.caller, call.path.id);
  if (stored == nullptr) return NoCache(call.path.id);
  Fields fields(body, "", kProto);
  CARAT_ASSIGN_OR_RETURN(const int64_t expires_ns, ExpiryIn(fields));
  Json entry = *stored;
  entry.Set("expireTime", Rfc3339(expires_ns));
  entry.Set("updateTime", Rfc3339(WallClockNs()));
  Json shown = Shown(entry);
  CARAT_RETURN_IF_ERROR(caches.Put(call.request.caller, call.path.id,
                                   std::move(entry), expires_ns));
  return shown;
}

Result<Json> Run(const GeminiCall& call) {
  const std::string& method = call.request.method;
  if (call.path.id.empty()) {
    if (method == "POST") return Create(call);
    if (method == "GET") return List(call);
  } else {
    StateStore& caches = *call.context->caches;
    if (method == "PATCH") return Patch(call);
    if (method == "GET") {
      const auto stored = caches.Get(call.request.caller, call.path.id);
      if (stored == nullptr) return NoCache(call.path.id);
      return Shown(*stored);
    }
    if (method == "DELETE") {
      if (!caches.Erase(call.request.caller, call.path.id)) {
        return NoCache(call.path.id);
      }
      return Json::MakeObject();
    }
  }
  return NotFound(fmt::format("There is nothing at {} {}.", method,
                              QuoteForMessage(call.request.path)));
}

}  // namespace

void HandleGeminiCaches(const GeminiCall& call) {
  const Result<Json> body = Run(call);
  if (!body.ok()) return SendGeminiError(call.reply, body.status());
  SendGeminiJson(call.reply, *body);
}

}  // namespace carat
