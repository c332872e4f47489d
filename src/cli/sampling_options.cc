#include "cli/sampling_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <utility>

#include "base/utf8.h"

namespace carat {
namespace {

template <typename T>
void Replace(const std::optional<T>& given, T* value) {
  if (given) *value = *given;
}

std::string Unescape(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    const bool known = next == 'n' || next == 't' || next == '\\';
    if (text[i] != '\\' || !known) {
      out.push_back(text[i]);
      continue;
    }
    out.push_back(next == 'n' ? '\n' : next == 't' ? '\t' : '\\');
    ++i;
  }
  return out;
}

Result<std::pair<int32_t, float>> ParseBias(const std::string& text) {
  char* end = nullptr;
  const long id = std::strtol(text.c_str(), &end, 10);
  const bool number = end != text.c_str() && *end == '=' && end[1] != '\0';
  const char* value = number ? end + 1 : text.c_str();
  const float bias = std::strtof(value, &end);
  if (!number || *end != '\0' || id < 0 || id > INT32_MAX) {
    return InvalidArgument(fmt::format(
        "--logit-bias {} is not of the form ID=VALUE, such as 106=-5.",
        QuoteForMessage(text)));
  }
  return std::pair<int32_t, float>(static_cast<int32_t>(id), bias);
}

}  // namespace

void AddSamplingOptions(CLI::App& command, SamplingArguments* a) {
  const char* group = "Sampling";
  const auto option = [&](const char* name, auto* value, const char* help) {
    return command.add_option(name, *value, help)->group(group);
  };
  option("--max-tokens", &a->max_tokens, "Most tokens of an answer")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 40).description(""));
  option("--temp", &a->temperature, "Temperature; 0 takes the likeliest");
  option("--top-k", &a->top_k, "Only the K likeliest tokens; 0: all");
  option("--top-p", &a->top_p, "Only the likeliest that make up P; 1: all");
  option("--min-p", &a->min_p, "Only those at least P times the likeliest");
  option("--repeat-penalty", &a->repeat_penalty, "Above 1: less repetition");
  option("--presence-penalty", &a->presence_penalty,
         "Taken from tokens that occurred");
  option("--frequency-penalty", &a->frequency_penalty,
         "Taken once per occurrence");
  option("--penalty-window", &a->penalty_window,
         "Tokens the penalties look at; -1: all");
  option("--seed", &a->seed, "Same seed, same answer; -1: a new one");
  option("--stop", &a->stop, "End before this text; may be given often")
      ->expected(1)
      ->take_all();
  option("--logit-bias", &a->logit_bias,
         "ID=VALUE, added to a token's logit; may be given often")
      ->expected(1)
      ->take_all();
  command
      .add_flag("--ignore-end", a->ignore_end,
                "Go on after the model's end token")
      ->group(group);
}

Status ApplySampling(const SamplingArguments& a, const SamplingParams& defaults,
                     GenerateRequest* request) {
  SamplingParams params = defaults;
  Replace(a.temperature, &params.temperature);
  Replace(a.top_k, &params.top_k);
  Replace(a.top_p, &params.top_p);
  Replace(a.min_p, &params.min_p);
  Replace(a.repeat_penalty, &params.repeat_penalty);
  Replace(a.presence_penalty, &params.presence_penalty);
  Replace(a.frequency_penalty, &params.frequency_penalty);
  Replace(a.penalty_window, &params.penalty_window);
  if (a.seed && *a.seed >= 0) params.seed = static_cast<uint64_t>(*a.seed);
  for (const std::string& text : a.logit_bias) {
    CARAT_ASSIGN_OR_RETURN(auto bias, ParseBias(text));
    params.logit_bias.push_back(bias);
  }
  request->sampling = std::move(params);
  Replace(a.max_tokens, &request->max_tokens);
  request->ignore_end = a.ignore_end;
  request->stop.clear();
  for (const std::string& text : a.stop) {
    request->stop.push_back(Unescape(text));
  }
  return OkStatus();
}

}  // namespace carat
