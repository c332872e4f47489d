#include "server/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/memory_info.h"

namespace carat {
namespace {

constexpr std::array<std::string_view, 34> kRoutes = {
    "/",
    "/health",
    "/v1/health",
    "/ready",
    "/metrics",
    "/openapi.json",
    "/props",
    "/tokenize",
    "/detokenize",
    "/apply-template",
    "/v1/chat/completions",
    "/v1/chat/completions/input_tokens",
    "/v1/completions",
    "/v1/responses",
    "/v1/embeddings",
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
    "/v1/models",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/api/chat",
    "/api/generate",
    "/api/tags",
    "/api/ps",
    "/api/show",
    "/api/version",
    "/api/embed",
    "/api/embeddings",
    "/api/pull",
    "/api/create",
    "/api/copy",
    "/api/delete",
    "/v1beta/models",
    "/v1beta/interactions",
};

constexpr std::array<std::string_view, 8> kActions = {
    "generateContent", "streamGenerateContent", "countTokens",
    "embedContent",    "batchEmbedContents",    "predict",
    "computeTokens",   "asyncBatchEmbedContent"};

class MetricsText {
 public:
  void Family(std::string_view name, std::string_view type,
              std::string_view help) {
    out_ += fmt::format("# HELP carat_{} {}\n# TYPE carat_{} {}\n", name, help,
                        name, type);
  }
  template <typename Number>
  void Value(std::string_view name, const std::string& labels, Number value) {
    out_ += fmt::format("carat_{}{} {}\n", name,
                        labels.empty() ? "" : "{" + labels + "}", value);
  }
  void Add(std::string_view name, const std::string& labels,
           const Histogram& h) {
    const std::string comma = labels.empty() ? "" : labels + ",";
    uint64_t below = 0;
    for (size_t i = 0; i < h.bounds.size(); ++i) {
      below += h.counts[i];
      Value(fmt::format("{}_bucket", name),
            fmt::format("{}le=\"{}\"", comma, h.bounds[i]), below);
    }
    Value(fmt::format("{}_bucket", name), comma + "le=\"+Inf\"", h.count);
    Value(fmt::format("{}_sum", name), labels, h.sum);
    Value(fmt::format("{}_count", name), labels, h.count);
  }
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

struct Loaded {
  std::string labels;
  EngineStats stats;
  uint64_t memory_bytes;
};

void AddModels(const std::vector<Loaded>& models, MetricsText* text) {
  const auto number = [&](std::string_view name, std::string_view type,
                          std::string_view help, auto get) {
    text->Family(name, type, help);
    for (const Loaded& m : models) text->Value(name, m.labels, get(m));
  };
  using S = EngineStats;
  const auto stat = [&](std::string_view name, std::string_view type,
                        std::string_view help, auto S::* member) {
    number(name, type, help, [&](const Loaded& m) { return m.stats.*member; });
  };
  stat("generations_total", "counter", "Generations accepted.", &S::requests);
  stat("generations_refused_total", "counter",
       "Generations refused because the queue was full.", &S::refused);
  stat("generations_finished_total", "counter", "Generations that ended.",
       &S::finished);
  stat("generations_cancelled_total", "counter",
       "Generations whose client went away.", &S::cancelled);
  stat("generations_failed_total", "counter",
       "Generations that ended with an error.", &S::failed);
  stat("generations_running", "gauge", "Generations in the batch now.",
       &S::running);
  stat("generations_queued", "gauge", "Generations that wait.", &S::queued);
  stat("prompt_tokens_total", "counter", "Tokens of prompts.",
       &S::prompt_tokens);
  stat("cached_tokens_total", "counter",
       "Tokens of prompts that were not computed again.", &S::cached_tokens);
  stat("output_tokens_total", "counter", "Tokens generated.",
       &S::output_tokens);
  stat("steps_total", "counter", "Batches computed.", &S::steps);
  stat("prompt_cache_hits_total", "counter",
       "Generations that found a part of their prompt.", &S::cache_hits);
  stat("prompt_cache_misses_total", "counter",
       "Generations that found nothing of their prompt.", &S::cache_misses);
  stat("preemptions_total", "counter",
       "Times a generation lost its cache to another.", &S::preempted);
  stat("kv_used_bytes", "gauge", "Keys and values in use.", &S::kv_used_bytes);
  stat("kv_budget_bytes", "gauge", "Keys and values at most.",
       &S::kv_budget_bytes);
  stat("disk_cache_bytes", "gauge", "Prompt cache on disk.", &S::disk_bytes);
  number("model_memory_bytes", "gauge", "Memory planned for the model.",
         [](const Loaded& m) { return m.memory_bytes; });
  const auto histogram = [&](std::string_view name, std::string_view help,
                             Histogram S::* member) {
    text->Family(name, "histogram", help);
    for (const Loaded& m : models) text->Add(name, m.labels, m.stats.*member);
  };
  histogram("time_to_first_token_seconds",
            "From a generation's submission to its first token.",
            &S::first_token_seconds);
  histogram("queue_seconds", "Wait before a generation starts.",
            &S::queue_seconds);
  histogram("step_seconds",
            "One batch; while generating, the time between two tokens.",
            &S::step_seconds);
  histogram("batch_sequences", "Generations in one batch.",
            &S::batch_sequences);
  histogram("batch_rows", "Tokens in one batch.", &S::batch_rows);
}

}  // namespace

std::string RouteLabel(std::string_view path) {
  if (std::find(kRoutes.begin(), kRoutes.end(), path) != kRoutes.end()) {
    return std::string(path);
  }
  for (const std::string_view action : kActions) {
    if (path.ends_with(action) && path.size() > action.size() &&
        path[path.size() - action.size() - 1] == ':') {
      return fmt::format("/models/{{model}}:{}", action);
    }
  }
  for (const std::string_view prefix :
       {"/v1/models/", "/v1beta/models/", "/v1/responses/", "/api/blobs/",
        "/v1beta/interactions/"}) {
    if (path.starts_with(prefix)) return std::string(prefix) + "{id}";
  }
  return "other";
}

void Metrics::Add(const RequestRecord& record) {
  static constexpr std::array<std::string_view, 7> kMethods = {
      "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
  const bool known = std::find(kMethods.begin(), kMethods.end(),
                               record.method) != kMethods.end();
  std::lock_guard lock(mutex_);
  ++requests_[{RouteLabel(record.path), known ? record.method : "other",
               record.status}];
  seconds_.Add(record.ms / 1000);
  request_bytes_ += record.request_bytes;
  response_bytes_ += record.response_bytes;
  gone_ += record.gone ? 1 : 0;
}

std::string Metrics::Render(const std::vector<RunningModel>& models,
                            const ServerStats& server) {
  MetricsText text;
  {
    std::lock_guard lock(mutex_);
    text.Family("http_requests_total", "counter", "Requests answered.");
    for (const auto& [key, count] : requests_) {
      const auto& [route, method, status] = key;
      text.Value("http_requests_total",
                 fmt::format("route=\"{}\",method=\"{}\",status=\"{}\"", route,
                             method, status),
                 count);
    }
    text.Family("http_request_seconds", "histogram",
                "From a complete request to the end of its answer.");
    text.Add("http_request_seconds", "", seconds_);
    text.Family("http_request_bytes_total", "counter", "Bodies received.");
    text.Value("http_request_bytes_total", "", request_bytes_);
    text.Family("http_response_bytes_total", "counter", "Bodies sent.");
    text.Value("http_response_bytes_total", "", response_bytes_);
    text.Family("http_clients_gone_total", "counter",
                "Clients that left before the end of their answer.");
    text.Value("http_clients_gone_total", "", gone_);
  }
  text.Family("http_connections", "gauge", "Open connections.");
  text.Value("http_connections", "", server.connections);
  text.Family("http_requests_running", "gauge", "Requests being answered.");
  text.Value("http_requests_running", "", server.requests);
  text.Family("resident_bytes", "gauge", "Memory of this process.");
  text.Value("resident_bytes", "", ReadMemoryInfo().resident);
  text.Family("models_loaded", "gauge", "Models in memory.");
  text.Value("models_loaded", "", models.size());
  std::vector<Loaded> loaded;
  for (const RunningModel& model : models) {
    loaded.push_back(
        {.labels = fmt::format("model=\"{}\"", Escaped(model.model.name)),
         .stats = model.engine->stats(),
         .memory_bytes = model.memory_bytes});
  }
  AddModels(loaded, &text);
  return text.Take();
}

}  // namespace carat
