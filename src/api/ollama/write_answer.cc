#include "api/ollama/write_answer.h"

#include <utility>

#include "api/failure.h"
#include "api/ollama/handlers.h"
#include "api/ollama/packed_conversation.h"
#include "api/wire_time.h"
#include "base/utf8.h"

namespace carat {
namespace {

int64_t Nanoseconds(double ms) { return static_cast<int64_t>(ms * 1e6); }

Json CallJson(const ToolCall& call, int index) {
  Json function = Json::MakeObject();
  function.Set("index", index);
  function.Set("name", call.name);
  auto arguments = Json::Parse(call.arguments);
  function.Set("arguments",
               arguments.ok() ? std::move(*arguments) : Json::MakeObject());
  Json out = Json::MakeObject();
  out.Set("id", call.id);
  out.Set("function", std::move(function));
  return out;
}

Json TokenJson(std::string_view bytes, float logprob) {
  Json out = Json::MakeObject();
  out.Set("token", SanitizeUtf8(bytes));
  out.Set("logprob", static_cast<double>(logprob));
  Json values = Json::MakeArray();
  for (const char c : bytes) {
    values.Append(static_cast<int>(static_cast<unsigned char>(c)));
  }
  out.Set("bytes", std::move(values));
  return out;
}

}  // namespace

const char* OllamaDoneReason(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
    case FinishReason::kStopString:
    case FinishReason::kToolCalls:
      return "stop";
    case FinishReason::kMaxTokens:
    case FinishReason::kContextFull:
      return "length";
    default:  // Ollama knows no others; clients pass unknown ones on
      return FinishReasonName(reason);
  }
}

Json OllamaWriter::LogprobsJson(
    const std::vector<TokenProbability>& tokens) const {
  Json out = Json::MakeArray();
  for (const TokenProbability& token : tokens) {
    Json one = TokenJson(token.text, token.logprob);
    if (!token.top.empty()) {
      Json top = Json::MakeArray();
      for (const auto& [id, logprob] : token.top) {
        top.Append(TokenJson(tokenizer_->Bytes(id), logprob));
      }
      one.Set("top_logprobs", std::move(top));
    }
    out.Append(std::move(one));
  }
  return out;
}

Json OllamaWriter::Line(std::string text, std::string thought,
                        Json calls) const {
  Json out = Json::MakeObject();
  out.Set("model", options_.model);
  out.Set("created_at", Rfc3339(WallClockNs()));
  if (!options_.chat) {
    out.Set("response", std::move(text));
    if (!thought.empty()) out.Set("thinking", std::move(thought));
    return out;
  }
  Json message = Json::MakeObject();
  message.Set("role", "assistant");
  message.Set("content", std::move(text));
  if (!thought.empty()) message.Set("thinking", std::move(thought));
  if (!calls.is_null()) message.Set("tool_calls", std::move(calls));
  out.Set("message", std::move(message));
  return out;
}

void OllamaWriter::AddMetrics(const Done& done, Json* line) const {
  line->Set("done", true);
  line->Set("done_reason", OllamaDoneReason(done.reason));
  if (options_.give_context) {
    std::vector<Message> conversation = options_.before;
    conversation.emplace_back(Role::kAssistant, all_.text);
    line->Set("context", PackConversation(conversation));
  }
  line->Set("total_duration", WallClockNs() - options_.start_ns);
  line->Set("load_duration", options_.load_ns);
  line->Set("prompt_eval_count", done.usage.prompt_tokens);
  line->Set("prompt_eval_duration", Nanoseconds(done.timings.prefill_ms));
  line->Set("eval_count", done.usage.output_tokens);
  line->Set("eval_duration", Nanoseconds(done.timings.decode_ms));
}

void OllamaWriter::Add(int /*choice*/, const GenerateEvent& event,
                       std::string* out) {
  all_.Add(event);
  if (!options_.stream) return;
  const std::vector<TokenProbability> probabilities = sorter_.Add(event);
  Json line;
  if (const auto* text = std::get_if<TextDelta>(&event)) {
    line = Line(text->text, "", Json());
  } else if (const auto* thought = std::get_if<ThoughtDelta>(&event)) {
    line = Line("", thought->text, Json());
  } else if (const auto* call = std::get_if<ToolCallDone>(&event)) {
    Json calls = Json::MakeArray();
    calls.Append(CallJson(call->call, call->index));
    line = Line("", "", std::move(calls));
  } else if (const auto* done = std::get_if<Done>(&event)) {
    const Status failure = FailureOf(*done);
    line = failure.ok() ? Line("", "", Json()) : OllamaErrorBody(failure);
    if (failure.ok()) AddMetrics(*done, &line);
  } else {
    return;
  }
  if (!std::holds_alternative<Done>(event)) line.Set("done", false);
  if (options_.logprobs && !probabilities.empty()) {
    line.Set("logprobs", LogprobsJson(probabilities));
  }
  *out += line.Dump() + "\n";
}

void OllamaWriter::End(std::string* out) {
  if (options_.stream) return;
  Json calls;
  for (size_t i = 0; i < all_.calls.size(); ++i) {
    calls.Append(CallJson(all_.calls[i], static_cast<int>(i)));
  }
  Json line = Line(all_.text, all_.thought, std::move(calls));
  AddMetrics(all_.end, &line);
  if (options_.logprobs) {
    line.Set("logprobs", LogprobsJson(all_.probabilities));
  }
  *out += line.Dump();
}

std::string OllamaWriter::KeepAlive() {
  if (!options_.stream) return " ";
  Json line = Line("", "", Json());
  line.Set("done", false);
  return line.Dump() + "\n";
}

int OllamaWriter::Fail(const Status& status, std::string* body) {
  *body = OllamaErrorBody(status).Dump();
  return HttpStatusOf(status.code());
}

}  // namespace carat
