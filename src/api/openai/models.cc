#include "api/openai/models.h"

#include <fmt/format.h>

#include <ctime>
#include <utility>
#include <vector>

namespace carat {
namespace {

std::string Rfc3339(int64_t unix_s) {
  const std::time_t time = static_cast<std::time_t>(unix_s);
  std::tm utc = {};
  gmtime_r(&time, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
                     utc.tm_sec);
}

// Positions the model was made for, and those really reserved when it is in
// memory. 0: not known.
struct Context {
  int64_t trained = 0;
  int64_t tokens = 0;
};

Context ContextOf(ModelHost* host, const HostedModel& model,
                  const std::vector<RunningModel>& running) {
  for (const RunningModel& loaded : running) {
    if (loaded.model.name != model.name || loaded.engine == nullptr) continue;
    return {.trained = loaded.engine->info().config.context_tokens,
            .tokens = loaded.engine->context_tokens()};
  }
  const Result<ModelInfo> info = host->Describe(model);
  if (!info.ok()) return {};
  return {.trained = info->config.context_tokens,
          .tokens = info->config.context_tokens};
}

Json Entry(ModelHost* host, const HostedModel& model,
           const std::vector<RunningModel>& running) {
  Json entry = Json::Object{{"id", model.name},
                            {"object", "model"},
                            {"created", model.modified_s},
                            {"owned_by", "carat"},
                            {"type", "model"},
                            {"display_name", model.name},
                            {"created_at", Rfc3339(model.modified_s)},
                            {"name", "models/" + model.name},
                            {"displayName", model.name}};
  const Context context = ContextOf(host, model, running);
  if (context.tokens == 0) return entry;
  entry.Set("context_length", context.tokens);
  entry.Set("max_model_len", context.tokens);
  entry.Set("max_context_length", context.tokens);
  entry.Set("max_input_tokens", context.tokens);
  entry.Set("inputTokenLimit", context.tokens);
  entry.Set("meta", Json::Object{{"n_ctx", context.tokens},
                                 {"n_ctx_train", context.trained},
                                 {"size", model.bytes}});
  return entry;
}

}  // namespace

Json ModelList(ModelHost* host) {
  const std::vector<RunningModel> running = host->Running();
  Json data = Json::MakeArray();
  for (const HostedModel& model : host->List()) {
    data.Append(Entry(host, model, running));
  }
  const Json::Array& list = data.as_array();
  Json first = list.empty() ? Json() : *list.front().Find("id");
  Json last = list.empty() ? Json() : *list.back().Find("id");
  return Json::Object{
      {"object", "list"},           {"data", data},
      {"has_more", false},          {"first_id", std::move(first)},
      {"last_id", std::move(last)}, {"models", data}};
}

Result<Json> ModelEntry(ModelHost* host, const std::string& name) {
  CARAT_ASSIGN_OR_RETURN(const HostedModel model, host->Find(name));
  return Entry(host, model, host->Running());
}

}  // namespace carat
