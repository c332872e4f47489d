#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include "api/body.h"
#include "api/fields.h"
#include "api/model_traits.h"
#include "api/ollama/handlers.h"
#include "api/wire_time.h"

namespace carat {
namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;
// Longer arrays of a model's metadata are vocabularies and the like.
constexpr size_t kShortArray = 5;

// "268.10M", "4.30B": what clients show.
std::string HumanCount(int64_t count) {
  const double value = static_cast<double>(count);
  if (value >= 1e12) return fmt::format("{:.1f}T", value / 1e12);
  if (value >= 1e9) return fmt::format("{:.1f}B", value / 1e9);
  if (value >= 1e6) return fmt::format("{:.2f}M", value / 1e6);
  if (value >= 1e3) return fmt::format("{:.0f}K", value / 1e3);
  return std::to_string(count);
}

Json Details(const ModelInfo* info) {
  Json out = Json::MakeObject();
  out.Set("parent_model", "");
  const bool known = info != nullptr;
  out.Set("format",
          known && info->file_kind == "safetensors" ? "safetensors" : "gguf");
  const std::string family = known ? info->config.architecture : "";
  out.Set("family", family);
  Json families = Json::MakeArray();
  if (!family.empty()) families.Append(family);
  out.Set("families", std::move(families));
  out.Set("parameter_size", known ? HumanCount(info->parameters) : "");
  out.Set("quantization_level", known ? info->quantisation : "");
  if (known) {
    out.Set("context_length", info->config.context_tokens);
    out.Set("embedding_length", info->config.hidden);
  }
  return out;
}

Json Capabilities(const ModelTraits& traits) {
  Json out = Json::MakeArray();
  out.Append("completion");
  if (traits.tools) out.Append("tools");
  if (traits.thinking) out.Append("thinking");
  if (traits.vision) out.Append("vision");
  if (traits.audio) out.Append("audio");
  return out;
}

Json ListedModel(const HostedModel& model, const ModelInfo* info) {
  Json out = Json::MakeObject();
  out.Set("name", model.name);
  out.Set("model", model.name);
  out.Set("modified_at", Rfc3339(model.modified_s * kNsPerSecond));
  out.Set("size", model.bytes);
  out.Set("digest", model.digest);
  out.Set("details", Details(info));
  return out;
}

// Metadata as Ollama shows it: long arrays are emptied unless asked for.
Json ModelInfoJson(Json metadata, const ModelInfo& info, bool verbose) {
  if (!metadata.is_object()) metadata = Json::MakeObject();
  for (auto& [key, value] : metadata.as_object()) {
    if (!verbose && value.is_array() && value.as_array().size() > kShortArray) {
      value = Json();
    }
  }
  // Agents look for these; files of other kinds than GGUF do not have them.
  const std::string& architecture = info.config.architecture;
  const auto ensure = [&](const std::string& key, Json value) {
    if (metadata.Find(key) == nullptr) metadata.Set(key, std::move(value));
  };
  ensure("general.architecture", architecture);
  ensure("general.parameter_count", info.parameters);
  ensure(architecture + ".context_length", info.config.context_tokens);
  ensure(architecture + ".embedding_length", info.config.hidden);
  ensure(architecture + ".block_count", info.config.layer_count());
  return metadata;
}

std::string ParametersText(const SamplingParams& sampling) {
  return fmt::format("{:<30} {:.6g}\n{:<30} {}\n{:<30} {:.6g}", "temperature",
                     sampling.temperature, "top_k", sampling.top_k, "top_p",
                     sampling.top_p);
}

Status Show(const OllamaCall& call) {
  CARAT_ASSIGN_OR_RETURN(const Json body, ReadJsonObject(call.request));
  Fields fields(body, "");
  std::string name = fields.String("model").value_or("");
  if (name.empty()) name = fields.String("name").value_or("");
  const bool verbose = fields.Bool("verbose").value_or(false);
  CARAT_RETURN_IF_ERROR(fields.status());
  if (name.empty()) return InvalidArgument("'model' is required.");
  ModelHost* host = call.context->host;
  auto model = host->Find(name);
  if (!model.ok()) return OllamaModelError(name, model.status());
  CARAT_ASSIGN_OR_RETURN(const ModelInfo info, host->Describe(*model));
  CARAT_ASSIGN_OR_RETURN(Json metadata, host->Metadata(*model));
  const ModelTraits traits = TraitsOf(*model, info);
  Json out = Json::MakeObject();
  if (!info.licence.empty()) out.Set("license", info.licence);
  out.Set("modelfile", fmt::format("FROM {}\n", model->name));
  out.Set("parameters", ParametersText(info.sampling));
  // carat runs no templates; the format's name tells which prompts it writes.
  out.Set("template", "");
  out.Set("renderer", info.chat_format);
  out.Set("parser", info.chat_format);
  out.Set("details", Details(&info));
  out.Set("model_info", ModelInfoJson(std::move(metadata), info, verbose));
  out.Set("capabilities", Capabilities(traits));
  out.Set("modified_at", Rfc3339(model->modified_s * kNsPerSecond));
  SendOllamaJson(call.reply, out);
  return OkStatus();
}

}  // namespace

void HandleOllamaTags(const OllamaCall& call) {
  ModelHost* host = call.context->host;
  Json list = Json::MakeArray();
  for (const HostedModel& model : host->List()) {
    auto info = host->Describe(model);
    Json one = ListedModel(model, info.ok() ? &*info : nullptr);
    if (info.ok()) {
      one.Set("capabilities", Capabilities(TraitsOf(model, *info)));
    }
    list.Append(std::move(one));
  }
  Json body = Json::MakeObject();
  body.Set("models", std::move(list));
  SendOllamaJson(call.reply, body);
}

void HandleOllamaPs(const OllamaCall& call) {
  // As Ollama writes "never": far away.
  constexpr int64_t kNeverNs = int64_t{9'000'000'000} * kNsPerSecond;
  Json list = Json::MakeArray();
  for (const RunningModel& running : call.context->host->Running()) {
    if (running.engine == nullptr) continue;
    Json one = ListedModel(running.model, &running.engine->info());
    one.Erase("modified_at");
    one.Set("size", running.memory_bytes);
    one.Set("expires_at",
            Rfc3339(running.expires_s == 0 ? kNeverNs
                                           : running.expires_s * kNsPerSecond));
    one.Set("size_vram", 0);  // all of it is in the CPU's memory
    one.Set("context_length", running.engine->context_tokens());
    // Not Ollama's: for carat ps.
    const EngineStats stats = running.engine->stats();
    one.Set("generations_running", stats.running);
    one.Set("generations_queued", stats.queued);
    list.Append(std::move(one));
  }
  Json body = Json::MakeObject();
  body.Set("models", std::move(list));
  SendOllamaJson(call.reply, body);
}

void HandleOllamaShow(const OllamaCall& call) {
  const Status status = Show(call);
  if (!status.ok()) SendOllamaError(call.reply, status);
}

}  // namespace carat
