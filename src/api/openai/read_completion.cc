#include <fmt/format.h>

#include <utility>

#include "api/openai/read_parts.h"

namespace carat {
namespace {

constexpr int64_t kMaxAnswers = 16;
constexpr int64_t kMaxLogprobs = 20;
constexpr int64_t kDefaultMaxTokens = 16;  // OpenAI's

Status WrongPrompt(const Json& found, const std::string& where) {
  return InvalidArgument(fmt::format(
      "'{}' must be a string, an array of strings, an array of token ids or "
      "an array of those, found {}.",
      where, found.type_name()));
}

Status ReadTokens(const Json& list, const std::string& where,
                  CompletionPrompt* prompt) {
  for (size_t i = 0; i < list.as_array().size(); ++i) {
    const Json& given = list.as_array()[i];
    const auto id = WholeNumber(given);
    if (!id || *id < 0 || *id > INT32_MAX) {
      return InvalidArgument(
          fmt::format("'{}[{}]' must be a token id, found "
                      "{}.",
                      where, i, given.Dump()));
    }
    prompt->tokens.push_back(static_cast<int32_t>(*id));
  }
  return OkStatus();
}

Status ReadOnePrompt(const Json& json, const std::string& where,
                     std::vector<CompletionPrompt>* prompts) {
  CompletionPrompt prompt;
  if (json.is_string()) {
    prompt.text = json.as_string();
  } else if (json.is_array()) {
    CARAT_RETURN_IF_ERROR(ReadTokens(json, where, &prompt));
  } else {
    return WrongPrompt(json, where);
  }
  if (prompt.text.empty() && prompt.tokens.empty()) {
    return InvalidArgument(fmt::format("'{}' is empty.", where));
  }
  prompts->push_back(std::move(prompt));
  return OkStatus();
}

Status ReadPrompts(const Json* json, std::vector<CompletionPrompt>* prompts) {
  if (json == nullptr) return WrongPrompt(Json(), "prompt");
  const bool list = json->is_array() && !json->as_array().empty() &&
                    !json->as_array()[0].is_number();
  if (!list) return ReadOnePrompt(*json, "prompt", prompts);
  for (size_t i = 0; i < json->as_array().size(); ++i) {
    CARAT_RETURN_IF_ERROR(ReadOnePrompt(json->as_array()[i],
                                        fmt::format("prompt[{}]", i), prompts));
  }
  return OkStatus();
}

Status ReadCounts(Fields* fields, CompletionRequest* out) {
  const int64_t n = fields->Int("n").value_or(1);
  const int64_t best_of = fields->Int("best_of").value_or(n);
  const auto logprobs = fields->Int("logprobs");
  CARAT_RETURN_IF_ERROR(fields->status());
  const int64_t prompts = static_cast<int64_t>(out->prompts.size());
  if (n < 1 || n > kMaxAnswers || n * prompts > kMaxAnswers) {
    return InvalidArgument(fmt::format(
        "'n' times the number of prompts must be from 1 to {}, found {} times "
        "{}.",
        kMaxAnswers, n, prompts));
  }
  if (best_of != n) {
    return Unsupported(fmt::format(
        "'best_of' must equal 'n' ({}), found {}; leave it out.", n, best_of));
  }
  if (logprobs && (*logprobs < 0 || *logprobs > kMaxLogprobs)) {
    return InvalidArgument(fmt::format(
        "'logprobs' must be from 0 to {}, found {}.", kMaxLogprobs, *logprobs));
  }
  out->answers_per_prompt = static_cast<int>(n);
  out->sampling.logprobs = logprobs;
  return OkStatus();
}

}  // namespace

Result<CompletionRequest> ReadCompletionRequest(const Json& body) {
  Fields fields(body, "");
  CARAT_RETURN_IF_ERROR(fields.status());
  CompletionRequest out;
  out.model = fields.String("model").value_or("");
  CARAT_RETURN_IF_ERROR(ReadPrompts(fields.Any("prompt"), &out.prompts));
  const std::string suffix = fields.String("suffix").value_or("");
  if (fields.status().ok() && !suffix.empty()) {
    return Unsupported(
        "'suffix' is not supported: the models were not trained to fill in "
        "the middle.");
  }
  CARAT_RETURN_IF_ERROR(ReadCounts(&fields, &out));
  ReadSampling(&fields, &out.sampling, &out.generate);
  out.generate.max_tokens = kDefaultMaxTokens;
  ReadTokenLimit(&fields, "max_tokens", &out.generate.max_tokens);
  out.echo = fields.Bool("echo").value_or(false);
  out.stream = fields.Bool("stream").value_or(false);
  if (const Json* given = fields.Object("stream_options")) {
    Fields options(*given, "stream_options");
    out.include_usage = options.Bool("include_usage").value_or(false);
    CARAT_RETURN_IF_ERROR(options.status());
  }
  if (const Json* format = fields.Any("response_format")) {
    CARAT_RETURN_IF_ERROR(
        ReadFormat(*format, "response_format", &out.generate.constraint));
  }
  const auto grammar = fields.String("grammar");
  if (grammar && !grammar->empty()) {
    out.generate.constraint = {OutputConstraint::Kind::kGbnf, *grammar};
  }
  CARAT_RETURN_IF_ERROR(fields.status());
  out.generate.prompt_logprobs = out.echo && out.sampling.logprobs;
  return out;
}

}  // namespace carat
