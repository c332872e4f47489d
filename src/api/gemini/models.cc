#include <charconv>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "api/gemini/error.h"
#include "api/gemini/handlers.h"
#include "api/model_traits.h"

namespace carat {
namespace {

constexpr size_t kPageSize = 50;
constexpr size_t kMostPageSize = 1000;
// As Google's: the output has no limit of its own below the context.
constexpr double kMaxTemperature = 2.0;

// Without the digits that a float does not have.
double Short(float value) { return std::round(value * 1e6) / 1e6; }

Json ModelJson(ModelHost* host, const HostedModel& model) {
  Json out = Json::MakeObject();
  out.Set("name", "models/" + model.name);
  out.Set("version", model.digest.substr(0, 12));
  out.Set("displayName", model.name);
  auto info = host->Describe(model);
  if (!info.ok()) {  // listed, and the reason why it cannot be used
    out.Set("description", info.status().message());
    return out;
  }
  const ModelTraits traits = TraitsOf(model, *info);
  // The context of a loaded model is what was allocated for it.
  int64_t context = info->config.context_tokens;
  for (const RunningModel& running : host->Running()) {
    if (running.model.name == model.name && running.engine) {
      context = running.engine->context_tokens();
    }
  }
  out.Set("description",
          info->config.name.empty() ? model.name : info->config.name);
  out.Set("inputTokenLimit", context);
  out.Set("outputTokenLimit", context);
  Json methods = Json::MakeArray();
  for (const char* method :
       {"generateContent", "countTokens", "createCachedContent"}) {
    methods.Append(method);
  }
  out.Set("supportedGenerationMethods", std::move(methods));
  out.Set("thinking", traits.thinking);
  out.Set("temperature", Short(traits.sampling.temperature));
  out.Set("maxTemperature", kMaxTemperature);
  out.Set("topP", Short(traits.sampling.top_p));
  out.Set("topK", traits.sampling.top_k);
  return out;
}

// A query parameter that is a number within [0, most], else `absent`.
size_t Number(const HttpRequest& request, std::string_view name, size_t absent,
              size_t most) {
  const auto text = request.Query(name);
  size_t value = 0;
  if (!text) return absent;
  const char* end = text->data() + text->size();
  const auto [rest, error] = std::from_chars(text->data(), end, value);
  if (error != std::errc() || rest != end) return absent;
  return std::min(value, most);
}

void ListModels(const GeminiCall& call) {
  const std::vector<HostedModel> models = call.context->host->List();
  size_t size = Number(call.request, "pageSize", kPageSize, kMostPageSize);
  if (size == 0) size = kPageSize;
  const size_t from = Number(call.request, "pageToken", 0, models.size());
  const size_t to = std::min(models.size(), from + size);
  Json list = Json::MakeArray();
  for (size_t i = from; i < to; ++i) {
    list.Append(ModelJson(call.context->host, models[i]));
  }
  Json body = Json::MakeObject();
  body.Set("models", std::move(list));
  if (to < models.size()) body.Set("nextPageToken", std::to_string(to));
  SendGeminiJson(call.reply, body);
}

}  // namespace

void HandleGeminiModels(const GeminiCall& call) {
  if (call.path.id.empty()) return ListModels(call);
  auto model = call.context->host->Find(call.path.id);
  if (!model.ok()) return SendGeminiError(call.reply, model.status());
  SendGeminiJson(call.reply, ModelJson(call.context->host, *model));
}

}  // namespace carat
