#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <utility>

#include "api/openai/read_parts.h"
#include "base/utf8.h"

namespace carat {
namespace {

// OpenAI's bias that bans a token.
constexpr double kBan = -100;

void ReadLogitBias(Fields* fields, SamplingFields* sampling) {
  const Json* bias = fields->Object("logit_bias");
  if (bias == nullptr) return;
  for (const auto& [key, value] : bias->as_object()) {
    int32_t id = -1;
    const char* end = key.data() + key.size();
    const auto [rest, error] = std::from_chars(key.data(), end, id);
    if (error != std::errc() || rest != end || !value.is_number() ||
        value.as_double() < -100 || value.as_double() > 100) {
      fields->Fail("logit_bias",
                   "an object of token ids to numbers from -100 to 100");
      return;
    }
    const float added = value.as_double() <= kBan
                            ? -std::numeric_limits<float>::infinity()
                            : static_cast<float>(value.as_double());
    sampling->logit_bias.emplace_back(id, added);
  }
}

// The template's switches, as vLLM and llama.cpp take them.
Status ReadTemplateSwitches(Fields* fields, GenerateRequest* request) {
  const Json* given = fields->Object("chat_template_kwargs");
  CARAT_RETURN_IF_ERROR(fields->status());
  if (given == nullptr) return OkStatus();
  Fields switches(*given, "chat_template_kwargs");
  request->think = switches.Bool("enable_thinking").value_or(request->think);
  request->preserve_thinking =
      switches.Bool("preserve_thinking").value_or(request->preserve_thinking);
  if (const auto budget = switches.Int("thinking_budget")) {
    request->max_thought_tokens = *budget;
  }
  return switches.status();
}

}  // namespace

void ReadSampling(Fields* fields, SamplingFields* sampling,
                  GenerateRequest* request) {
  sampling->temperature = fields->Number("temperature");
  sampling->top_p = fields->Number("top_p");
  sampling->top_k = fields->Int("top_k");
  sampling->min_p = fields->Number("min_p");
  sampling->presence_penalty = fields->Number("presence_penalty");
  sampling->frequency_penalty = fields->Number("frequency_penalty");
  sampling->repeat_penalty = fields->Number("repeat_penalty");
  if (!sampling->repeat_penalty) {
    sampling->repeat_penalty = fields->Number("repetition_penalty");
  }
  sampling->penalty_window = fields->Int("repeat_last_n");
  sampling->seed = fields->Int("seed");
  // llama.cpp's clients send -1 for "any".
  if (sampling->seed == -1) sampling->seed.reset();
  ReadLogitBias(fields, sampling);
  request->stop = fields->Strings("stop");
  request->ignore_end = fields->Bool("ignore_eos").value_or(false);
}

Status SetEffort(const std::string& effort, const std::string& path,
                 GenerateRequest* request) {
  // Gemma knows no efforts: they become budgets, those of Google's API.
  constexpr std::pair<std::string_view, int64_t> kEfforts[] = {
      {"none", 0},     {"minimal", 512}, {"low", 1024}, {"medium", 8192},
      {"high", 24576}, {"xhigh", -1},    {"max", -1},   {"ultra", -1}};
  for (const auto& [name, budget] : kEfforts) {
    if (effort != name) continue;
    request->think = budget != 0;
    if (budget != 0) request->max_thought_tokens = budget;
    return OkStatus();
  }
  return InvalidArgument(fmt::format(
      "'{}' must be none, minimal, low, medium, high, xhigh or max, found {}.",
      path, QuoteForMessage(effort)));
}

Status ReadThinking(Fields* fields, ThinkDefault fallback,
                    GenerateRequest* request) {
  request->think = fallback == ThinkDefault::kOn;
  if (const auto effort = fields->String("reasoning_effort")) {
    CARAT_RETURN_IF_ERROR(SetEffort(*effort, "reasoning_effort", request));
  }
  const Json* given = fields->Object("reasoning");
  CARAT_RETURN_IF_ERROR(fields->status());
  if (given != nullptr) {
    Fields reasoning(*given, "reasoning");
    const auto effort = reasoning.String("effort");
    CARAT_RETURN_IF_ERROR(reasoning.status());
    if (effort) {
      CARAT_RETURN_IF_ERROR(SetEffort(*effort, "reasoning.effort", request));
    }
  }
  CARAT_RETURN_IF_ERROR(ReadTemplateSwitches(fields, request));
  for (const char* name : {"thinking_budget_tokens", "thinking_token_budget"}) {
    ReadTokenLimit(fields, name, &request->max_thought_tokens);
  }
  return fields->status();
}

void ReadTokenLimit(Fields* fields, std::string_view name, int64_t* limit) {
  const auto value = fields->Int(name);
  if (!value) return;
  if (*value < -1) {
    fields->Fail(name, "a number of tokens, or -1 for no limit");
  }
  *limit = *value;
}

}  // namespace carat
