#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/thread_pool.h"
#include "base/utf8.h"
#include "chat/chat_format.h"
#include "cli/command.h"
#include "cli/engine_options.h"
#include "cli/model_argument.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "runtime/memory_plan.h"
#include "runtime/model_info.h"
#include "tokenizer/tokenizer.h"

namespace carat {
namespace {

struct ShowArguments {
  EngineArguments engine;
  bool tensors = false;
  bool json = false;
};

struct Shown {
  std::string path;
  std::unique_ptr<ModelFile> file;
  ModelInfo info;
  MemoryPlan plan;
  std::string chat_problem;  // why the chat format is unknown
};

// The chat format and what follows from it.
Status DescribeChat(const ModelFile& file, const std::string& forced,
                    ModelInfo* info) {
  CARAT_ASSIGN_OR_RETURN(const auto tokenizer, Tokenizer::FromModelFile(file));
  CARAT_ASSIGN_OR_RETURN(const auto format,
                         DetectChatFormat(file, *tokenizer, forced));
  info->chat_format = std::string(format->name());
  info->capabilities = {"completion"};
  if (info->chat_format != "none") info->capabilities.push_back("chat");
  if (format->supports_tools()) info->capabilities.push_back("tools");
  if (format->supports_thinking()) info->capabilities.push_back("thinking");
  return OkStatus();
}

Result<Shown> Inspect(const EngineArguments& arguments) {
  Shown out;
  CARAT_ASSIGN_OR_RETURN(out.path, FindModel(arguments.model));
  CARAT_ASSIGN_OR_RETURN(out.file, ModelFile::Open(out.path));
  CARAT_ASSIGN_OR_RETURN(out.info, ReadModelInfo(*out.file));
  const Status chat = DescribeChat(*out.file, arguments.chat_format, &out.info);
  if (!chat.ok()) {
    // A foreign chat template is no reason to show nothing.
    out.info.chat_format = "unknown";
    out.info.capabilities = {"completion"};
    out.chat_problem = chat.message();
  }
  const int threads =
      arguments.threads > 0 ? arguments.threads : ThreadPool::DefaultThreads();
  CARAT_ASSIGN_OR_RETURN(
      out.plan,
      PlanMemory(*out.file, {.context_tokens = arguments.context_tokens,
                             .kv_type = arguments.kv_type(),
                             .kv_bytes = arguments.kv_bytes,
                             .threads = threads}));
  return out;
}

int64_t Total(const std::map<std::string, int64_t>& types) {
  int64_t total = 0;
  for (const auto& [type, elements] : types) total += elements;
  return total;
}

// "Q4_K 78%, Q6_K 22%", most first.
std::string TypesText(const std::map<std::string, int64_t>& types) {
  std::vector<std::pair<int64_t, std::string>> sorted;
  for (const auto& [type, elements] : types)
    sorted.emplace_back(-elements, type);
  std::sort(sorted.begin(), sorted.end());
  if (sorted.size() == 1) return sorted.front().second;
  const double total = static_cast<double>(Total(types));
  std::string out;
  for (const auto& [elements, type] : sorted) {
    out += fmt::format("{}{} {:.3g}%", out.empty() ? "" : ", ", type,
                       -100.0 * static_cast<double>(elements) / total);
  }
  return out;
}

std::string LayersText(const DecoderConfig& config) {
  const auto sliding =
      std::count_if(config.layers.begin(), config.layers.end(),
                    [](const LayerConfig& layer) { return layer.sliding; });
  const auto readers = std::count_if(
      config.layers.begin(), config.layers.end(),
      [](const LayerConfig& layer) { return layer.kv_source >= 0; });
  std::string out = fmt::format("{}", config.layers.size());
  if (sliding > 0) {
    out += fmt::format(" ({} global, {} sliding over {} tokens)",
                       config.layer_count() - sliding, sliding, config.window);
  }
  if (readers > 0) out += fmt::format(", {} share keys and values", readers);
  return out;
}

// "4", or "4 to 8" where layers differ.
template <typename Get>
std::string RangeText(const DecoderConfig& config, Get get) {
  int64_t least = get(config.layers.front()), most = least;
  for (const LayerConfig& layer : config.layers) {
    least = std::min<int64_t>(least, get(layer));
    most = std::max<int64_t>(most, get(layer));
  }
  return least == most ? Grouped(least)
                       : Grouped(least) + " to " + Grouped(most);
}

std::string SamplingText(const SamplingParams& p) {
  return fmt::format("temperature {:g}, top-k {}, top-p {:g}, min-p {:g}",
                     p.temperature, p.top_k, p.top_p, p.min_p);
}

std::string OneLine(const std::string& text) {
  return text.empty() ? "not stated" : QuoteForMessage(text, 120);
}

std::string ModelText(const Shown& shown) {
  const ModelInfo& info = shown.info;
  const DecoderConfig& c = info.config;
  Table table({Align::kLeft, Align::kLeft});
  table.Row({"file", shown.path});
  table.Row({"format", fmt::format("{}, {}", info.file_kind,
                                   HumanBytes(info.file_bytes))});
  if (!c.name.empty()) table.Row({"name", OneLine(c.name)});
  table.Row({"architecture", c.architecture});
  table.Row({"parameters",
             fmt::format("{} ({})",
                         HumanCount(static_cast<uint64_t>(info.parameters)),
                         Grouped(info.parameters))});
  table.Row({"quantisation", info.quantisation});
  table.Row({"layers", LayersText(c)});
  if (!c.layers.empty()) {
    table.Row(
        {"sizes",
         fmt::format(
             "hidden {}, mlp {}, heads {} of {}, key/value heads {}",
             Grouped(c.hidden),
             RangeText(c, [](const LayerConfig& l) { return l.ffn; }),
             RangeText(c, [](const LayerConfig& l) { return l.heads; }),
             RangeText(c, [](const LayerConfig& l) { return l.head_dim; }),
             RangeText(c, [](const LayerConfig& l) { return l.kv_heads; }))});
  }
  if (c.experts > 0) {
    table.Row(
        {"experts", fmt::format("{} of {} used, each {} wide", c.experts_used,
                                c.experts, c.expert_ffn)});
  }
  if (c.per_layer_width > 0) {
    table.Row(
        {"per layer", fmt::format("embeddings of {}", c.per_layer_width)});
  }
  table.Row({"vocabulary", Grouped(c.vocab)});
  table.Row({"context", Grouped(c.context_tokens) + " tokens"});
  table.Row(
      {"capabilities", fmt::format("{}", fmt::join(info.capabilities, ", "))});
  table.Row({"chat format", info.chat_format == "none"
                                ? "none (a base model: it continues text)"
                                : info.chat_format});
  table.Row({"sampling", SamplingText(info.sampling)});
  table.Row({"licence", OneLine(info.licence)});
  return table.ToString("  ");
}

std::string GroupsText(const ModelInfo& info) {
  Table table({Align::kLeft, Align::kRight, Align::kRight, Align::kLeft});
  for (const ModelInfo::TensorGroup& group : info.groups) {
    table.Row({group.name, HumanCount(static_cast<uint64_t>(group.elements)),
               HumanBytes(group.bytes), TypesText(group.types)});
  }
  return table.ToString("  ");
}

std::string MemoryText(const MemoryPlan& plan) {
  Table table({Align::kLeft, Align::kRight, Align::kLeft});
  table.Row({"weights", HumanBytes(plan.weights_bytes), ""});
  for (const MemoryPlan::Group& group : plan.kv_groups) {
    table.Row({"keys and values, " + group.name, HumanBytes(group.bytes),
               fmt::format("{} layers", group.layers)});
  }
  if (plan.kv_bytes > plan.kv_context_bytes) {
    table.Row({"keys and values, spare",
               HumanBytes(plan.kv_bytes - plan.kv_context_bytes),
               "more sequences, cached prompts"});
  }
  table.Row({"scratch", HumanBytes(plan.scratch_bytes), ""});
  table.Row({"tokenizer", HumanBytes(plan.tokenizer_bytes), ""});
  table.Row({"program", HumanBytes(plan.program_bytes), ""});
  std::string fits;
  if (plan.available_bytes > 0) {
    fits = fmt::format("of {} available", HumanBytes(plan.available_bytes));
    if (plan.total_bytes() > plan.available_bytes) fits += ": does not fit";
  }
  table.Row({"total", HumanBytes(plan.total_bytes()), fits});
  if (plan.on_disk_bytes > 0) {
    table.Row(
        {"stays on disk", HumanBytes(plan.on_disk_bytes), "read row by row"});
  }
  return table.ToString("  ");
}

std::string TensorsText(const ModelFile& file) {
  Table table({Align::kLeft, Align::kLeft, Align::kLeft, Align::kRight});
  for (const TensorView& tensor : file.tensors()) {
    table.Row({QuoteForMessage(tensor.name), DTypeName(tensor.type),
               ShapeString(tensor.shape), HumanBytes(tensor.bytes)});
  }
  return table.ToString("  ");
}

Json PlanToJson(const MemoryPlan& plan) {
  Json groups = Json::MakeArray();
  for (const MemoryPlan::Group& group : plan.kv_groups) {
    Json out = Json::MakeObject();
    out.Set("name", group.name);
    out.Set("layers", group.layers);
    out.Set("bytes", group.bytes);
    groups.Append(std::move(out));
  }
  Json out = Json::MakeObject();
  out.Set("context_tokens", plan.context_tokens);
  out.Set("weights_bytes", plan.weights_bytes);
  out.Set("kv_groups", std::move(groups));
  out.Set("kv_bytes", plan.kv_bytes);
  out.Set("kv_context_bytes", plan.kv_context_bytes);
  out.Set("scratch_bytes", plan.scratch_bytes);
  out.Set("tokenizer_bytes", plan.tokenizer_bytes);
  out.Set("program_bytes", plan.program_bytes);
  out.Set("total_bytes", plan.total_bytes());
  out.Set("on_disk_bytes", plan.on_disk_bytes);
  out.Set("available_bytes", plan.available_bytes);
  return out;
}

Json GroupsToJson(const ModelInfo& info) {
  Json out = Json::MakeArray();
  for (const ModelInfo::TensorGroup& group : info.groups) {
    Json types = Json::MakeObject();
    for (const auto& [type, elements] : group.types) types.Set(type, elements);
    Json item = Json::MakeObject();
    item.Set("name", group.name);
    item.Set("elements", group.elements);
    item.Set("bytes", group.bytes);
    item.Set("types", std::move(types));
    out.Append(std::move(item));
  }
  return out;
}

Json TensorsToJson(const ModelFile& file) {
  Json out = Json::MakeArray();
  for (const TensorView& tensor : file.tensors()) {
    Json shape = Json::MakeArray();
    for (const int64_t size : tensor.shape) shape.Append(size);
    Json item = Json::MakeObject();
    item.Set("name", SanitizeUtf8(tensor.name));
    item.Set("type", DTypeName(tensor.type));
    item.Set("shape", std::move(shape));
    item.Set("bytes", static_cast<uint64_t>(tensor.bytes));
    out.Append(std::move(item));
  }
  return out;
}

Json ToJson(const Shown& shown, bool tensors) {
  const ModelInfo& info = shown.info;
  const DecoderConfig& c = info.config;
  Json capabilities = Json::MakeArray();
  for (const std::string& name : info.capabilities) capabilities.Append(name);
  Json sampling = Json::MakeObject();
  sampling.Set("temperature", static_cast<double>(info.sampling.temperature));
  sampling.Set("top_k", info.sampling.top_k);
  sampling.Set("top_p", static_cast<double>(info.sampling.top_p));
  sampling.Set("min_p", static_cast<double>(info.sampling.min_p));
  Json out = Json::MakeObject();
  out.Set("path", shown.path);
  out.Set("format", info.file_kind);
  out.Set("file_bytes", info.file_bytes);
  out.Set("name", SanitizeUtf8(c.name));
  out.Set("architecture", c.architecture);
  out.Set("parameters", info.parameters);
  out.Set("quantisation", info.quantisation);
  out.Set("layers", c.layer_count());
  out.Set("hidden", c.hidden);
  out.Set("vocab", c.vocab);
  out.Set("window", c.window);
  out.Set("context_tokens", c.context_tokens);
  out.Set("experts", c.experts);
  out.Set("capabilities", std::move(capabilities));
  out.Set("chat_format", info.chat_format);
  out.Set("sampling", std::move(sampling));
  out.Set("licence", SanitizeUtf8(info.licence));
  out.Set("groups", GroupsToJson(info));
  out.Set("memory", PlanToJson(shown.plan));
  if (tensors) out.Set("tensors", TensorsToJson(*shown.file));
  return out;
}

int Show(const ShowArguments& arguments) {
  const Result<Shown> shown = Inspect(arguments.engine);
  if (!shown.ok()) return Fail(shown.status());
  if (arguments.json) {
    Print(ToJson(*shown, arguments.tensors).Dump(2) + "\n");
    return kExitOk;
  }
  std::string out = "Model\n" + ModelText(*shown) + "\nTensors\n" +
                    GroupsText(shown->info) +
                    fmt::format("\nMemory at {} tokens of context\n",
                                Grouped(shown->plan.context_tokens)) +
                    MemoryText(shown->plan);
  if (!shown->chat_problem.empty()) {
    PrintNote("carat: note: " + shown->chat_problem);
  }
  if (arguments.tensors) {
    out += "\nAll tensors\n" + TensorsText(*shown->file);
  }
  Print(out);
  return kExitOk;
}

}  // namespace

void AddShowCommand(CLI::App& app, CommandMain* chosen) {
  CLI::App* command = app.add_subcommand(
      "show", "Describe a model and the memory it will take");
  auto a = std::make_shared<ShowArguments>();
  AddModelOptions(*command, &a->engine);
  AddChatFormatOption(*command, &a->engine);
  command->add_flag("--tensors", a->tensors, "List every tensor, too");
  command->add_flag("--json", a->json, "One JSON object");
  command->footer(
      "Nothing is loaded: the numbers come from the file's header.\n"
      "\n"
      "Examples:\n"
      "  carat show gemma3:4b\n"
      "  carat show gemma3:4b --ctx 32768 --kv f32\n"
      "  carat show ./model.gguf --json --tensors");
  command->callback([a, chosen] { *chosen = [a] { return Show(*a); }; });
}

}  // namespace carat
