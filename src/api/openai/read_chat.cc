#include <fmt/format.h>

#include <utility>

#include "api/openai/read_parts.h"
#include "base/utf8.h"

namespace carat {
namespace {

constexpr int64_t kMaxChoices = 16;
constexpr int64_t kMaxTopLogprobs = 20;

// Members that would change what the answer is, and that carat does not have.
Status RefuseUnsupported(const Fields& fields) {
  constexpr std::pair<const char*, const char*> kRefused[] = {
      {"functions", "send 'tools' instead"},
      {"function_call", "send 'tool_choice' instead"},
      {"audio", "this server answers in text"},
      {"web_search_options", "this server searches no web"}};
  for (const auto& [name, hint] : kRefused) {
    if (fields.Has(name)) {
      return Unsupported(fmt::format("'{}' is not supported; {}.", name, hint));
    }
  }
  return OkStatus();
}

Status ReadModalities(Fields* fields) {
  for (const std::string& name : fields->Strings("modalities")) {
    if (name != "text") {
      return Unsupported(fmt::format(
          "'modalities' must be [\"text\"], found {}; this server answers in "
          "text.",
          QuoteForMessage(name)));
    }
  }
  return fields->status();
}

Status ReadLogprobs(Fields* fields, SamplingFields* sampling) {
  const bool wanted = fields->Bool("logprobs").value_or(false);
  const auto top = fields->Int("top_logprobs");
  CARAT_RETURN_IF_ERROR(fields->status());
  if (top && (*top < 0 || *top > kMaxTopLogprobs)) {
    return InvalidArgument(
        fmt::format("'top_logprobs' must be from 0 to {}, found {}.",
                    kMaxTopLogprobs, *top));
  }
  if (top && *top > 0 && !wanted) {
    return InvalidArgument(
        "'top_logprobs' needs \"logprobs\": true beside it.");
  }
  if (wanted) sampling->logprobs = top.value_or(0);
  return OkStatus();
}

Status ReadStream(Fields* fields, ChatRequest* out) {
  out->stream = fields->Bool("stream").value_or(false);
  if (const Json* given = fields->Object("stream_options")) {
    Fields options(*given, "stream_options");
    out->include_usage = options.Bool("include_usage").value_or(false);
    CARAT_RETURN_IF_ERROR(options.status());
  }
  const auto choices = fields->Int("n");
  if (choices && (*choices < 1 || *choices > kMaxChoices)) {
    return InvalidArgument(fmt::format("'n' must be from 1 to {}, found {}.",
                                       kMaxChoices, *choices));
  }
  out->choices = static_cast<int>(choices.value_or(1));
  return fields->status();
}

// llama.cpp's own members for shapes that OpenAI has no word for.
Status ReadLocalShapes(Fields* fields, OutputConstraint* constraint) {
  if (const Json* schema = fields->Object("json_schema")) {
    *constraint = {OutputConstraint::Kind::kJsonSchema, schema->Dump()};
  }
  const auto grammar = fields->String("grammar");
  if (grammar && !grammar->empty()) {
    *constraint = {OutputConstraint::Kind::kGbnf, *grammar};
  }
  return fields->status();
}

// A last message of the assistant's is continued, as llama.cpp does, unless
// the request says otherwise. "continue_final_message" is vLLM's word; it may
// also name what to continue.
Status ReadContinuation(Fields* fields, GenerateRequest* request) {
  const Json* wanted = fields->Any("continue_final_message");
  const auto generate = fields->Bool("add_generation_prompt");
  CARAT_RETURN_IF_ERROR(fields->status());
  const Message& last = request->messages.back();
  const bool possible = last.role == Role::kAssistant && !last.has_tool_calls();
  bool go_on = possible && !generate.value_or(false);
  if (wanted != nullptr) {
    if (!wanted->is_bool() && !wanted->is_string()) {
      fields->Fail("continue_final_message", "true or false");
      return fields->status();
    }
    go_on = wanted->is_string() || wanted->as_bool();
    if (go_on && generate.value_or(false)) {
      return InvalidArgument(
          "'continue_final_message' and 'add_generation_prompt' exclude each "
          "other; set one of them to false.");
    }
    if (go_on && !possible) {
      return InvalidArgument(
          "'continue_final_message' needs a last message of the assistant's "
          "without tool calls.");
    }
  }
  request->continue_last_message = go_on;
  return OkStatus();
}

}  // namespace

Result<ChatRequest> ReadChatRequest(const Json& body, ThinkDefault think) {
  Fields fields(body, "");
  CARAT_RETURN_IF_ERROR(fields.status());
  CARAT_RETURN_IF_ERROR(RefuseUnsupported(fields));
  ChatRequest out;
  GenerateRequest& request = out.generate;
  out.model = fields.String("model").value_or("");
  const Json* messages = fields.Array("messages");
  if (messages == nullptr || messages->as_array().empty()) {
    fields.Fail("messages", "a non-empty array");
    return fields.status();
  }
  CARAT_ASSIGN_OR_RETURN(request.messages, ReadChatMessages(*messages));
  CARAT_RETURN_IF_ERROR(ReadContinuation(&fields, &request));
  CARAT_RETURN_IF_ERROR(ReadModalities(&fields));
  CARAT_RETURN_IF_ERROR(ReadStream(&fields, &out));
  CARAT_RETURN_IF_ERROR(ReadLogprobs(&fields, &out.sampling));
  ReadSampling(&fields, &out.sampling, &request);
  ReadTokenLimit(&fields, "max_tokens", &request.max_tokens);
  ReadTokenLimit(&fields, "max_completion_tokens", &request.max_tokens);
  CARAT_RETURN_IF_ERROR(ReadThinking(&fields, think, &request));
  if (const Json* tools = fields.Array("tools")) {
    CARAT_RETURN_IF_ERROR(ReadChatTools(*tools, &request.tools));
  }
  if (const Json* choice = fields.Any("tool_choice")) {
    CARAT_RETURN_IF_ERROR(ReadToolChoice(*choice, &request.tool_choice));
  }
  request.tool_choice.allow_parallel =
      fields.Bool("parallel_tool_calls").value_or(true);
  if (const Json* format = fields.Any("response_format")) {
    CARAT_RETURN_IF_ERROR(
        ReadFormat(*format, "response_format", &request.constraint));
  }
  CARAT_RETURN_IF_ERROR(ReadLocalShapes(&fields, &request.constraint));
  CARAT_RETURN_IF_ERROR(fields.status());
  return out;
}

}  // namespace carat
