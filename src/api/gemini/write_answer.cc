#include "api/gemini/write_answer.h"

#include <utility>

#include "api/failure.h"
#include "api/gemini/error.h"
#include "api/ids.h"
#include "api/sse.h"
#include "base/utf8.h"

namespace carat {
namespace {

Json TextPart(std::string text) {
  Json part = Json::MakeObject();
  part.Set("text", std::move(text));
  return part;
}

// Adds `part` to a whole answer: neighbouring pieces of text are one part.
void Join(Json part, Json* parts) {
  if (!parts->as_array().empty()) {
    Json& last = parts->as_array().back();
    Json* text = last.Find("text");
    const Json* more = part.Find("text");
    const bool same =
        (last.Find("thought") != nullptr) == (part.Find("thought") != nullptr);
    if (text != nullptr && more != nullptr && same) {
      *text = text->as_string() + more->as_string();
      return;
    }
  }
  parts->Append(std::move(part));
}

Json OneLogprob(const std::string& token, int32_t id, float logprob) {
  Json out = Json::MakeObject();
  out.Set("token", SanitizeUtf8(token));
  out.Set("tokenId", id);
  out.Set("logProbability", static_cast<double>(logprob));
  return out;
}

// What ended an answer early, in words.
std::string FinishMessage(const Done& done) {
  switch (done.reason) {
    case FinishReason::kContextFull:
      return "The context is full.";
    case FinishReason::kDeadline:
      return "The request's time was over.";
    case FinishReason::kRepetition:
      return "The model repeated itself without end.";
    case FinishReason::kMalformedCall:
      return done.error;
    default:
      return "";
  }
}

}  // namespace

const char* GeminiFinishReason(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
    case FinishReason::kStopString:
    case FinishReason::kToolCalls:
      return "STOP";
    case FinishReason::kMaxTokens:
    case FinishReason::kContextFull:
      return "MAX_TOKENS";
    case FinishReason::kMalformedCall:
      return "MALFORMED_FUNCTION_CALL";
    case FinishReason::kCancelled:
    case FinishReason::kDeadline:
    case FinishReason::kRepetition:
    case FinishReason::kError:
      return "OTHER";
  }
  return "OTHER";
}

GeminiWriter::GeminiWriter(GeminiAnswerOptions options,
                           const Tokenizer* tokenizer)
    : options_(std::move(options)),
      tokenizer_(tokenizer),
      id_(NewId("")),
      candidates_(static_cast<size_t>(options_.candidates)) {}

Json GeminiWriter::PartOf(const GenerateEvent& event) const {
  if (const auto* text = std::get_if<TextDelta>(&event)) {
    return TextPart(text->text);
  }
  if (const auto* thought = std::get_if<ThoughtDelta>(&event)) {
    if (!options_.include_thoughts) return {};
    Json part = TextPart(thought->text);
    part.Set("thought", true);
    return part;
  }
  if (const auto* call = std::get_if<ToolCallDone>(&event)) {
    Json function = Json::MakeObject();
    if (!call->call.id.empty()) function.Set("id", call->call.id);
    function.Set("name", call->call.name);
    auto args = Json::Parse(call->call.arguments);
    function.Set("args", args.ok() ? std::move(*args) : Json::MakeObject());
    Json part = Json::MakeObject();
    part.Set("functionCall", std::move(function));
    return part;
  }
  return {};
}

Json GeminiWriter::LogprobsJson(
    const std::vector<TokenProbability>& tokens) const {
  Json chosen = Json::MakeArray();
  Json top = Json::MakeArray();
  double sum = 0;
  for (const TokenProbability& token : tokens) {
    sum += static_cast<double>(token.logprob);
    chosen.Append(OneLogprob(token.text, token.id, token.logprob));
    Json alternatives = Json::MakeArray();
    for (const auto& [id, logprob] : token.top) {
      alternatives.Append(
          OneLogprob(std::string(tokenizer_->Bytes(id)), id, logprob));
    }
    Json one = Json::MakeObject();
    one.Set("candidates", std::move(alternatives));
    top.Append(std::move(one));
  }
  Json out = Json::MakeObject();
  if (options_.top_logprobs) out.Set("topCandidates", std::move(top));
  out.Set("chosenCandidates", std::move(chosen));
  out.Set("logProbabilitySum", sum);
  return out;
}

Json GeminiWriter::CandidateJson(int choice, Json parts,
                                 const Candidate& from) const {
  Json content = Json::MakeObject();
  content.Set("parts", std::move(parts));
  content.Set("role", "model");
  Json out = Json::MakeObject();
  out.Set("content", std::move(content));
  if (from.finished) {
    out.Set("finishReason", GeminiFinishReason(from.done.reason));
    std::string message = FinishMessage(from.done);
    if (!message.empty()) out.Set("finishMessage", std::move(message));
  }
  out.Set("index", choice);
  if (options_.logprobs && !from.probabilities.empty()) {
    Json logprobs = LogprobsJson(from.probabilities);
    out.Set("avgLogprobs", logprobs.Find("logProbabilitySum")->as_double() /
                               static_cast<double>(from.probabilities.size()));
    out.Set("logprobsResult", std::move(logprobs));
  }
  return out;
}

Json GeminiWriter::UsageJson() const {
  int64_t prompt = 0, cached = 0, answers = 0, thoughts = 0;
  for (const Candidate& candidate : candidates_) {
    if (!candidate.finished) continue;
    const Usage& usage = candidate.done.usage;
    prompt = usage.prompt_tokens;  // the same for all
    if (&candidate == &candidates_.front()) cached = usage.cached_tokens;
    thoughts += usage.thought_tokens;
    answers += usage.output_tokens - usage.thought_tokens;
  }
  Json out = Json::MakeObject();
  out.Set("promptTokenCount", prompt);
  if (cached > 0) out.Set("cachedContentTokenCount", cached);
  out.Set("candidatesTokenCount", answers);
  if (thoughts > 0) out.Set("thoughtsTokenCount", thoughts);
  out.Set("totalTokenCount", prompt + answers + thoughts);
  Json text = Json::MakeObject();
  text.Set("modality", "TEXT");
  text.Set("tokenCount", prompt);
  Json details = Json::MakeArray();
  details.Append(std::move(text));
  out.Set("promptTokensDetails", std::move(details));
  return out;
}

Json GeminiWriter::Envelope(Json candidates) const {
  bool any_finished = false;
  for (const Candidate& candidate : candidates_) {
    any_finished |= candidate.finished;
  }
  Json out = Json::MakeObject();
  out.Set("candidates", std::move(candidates));
  if (any_finished) out.Set("usageMetadata", UsageJson());
  out.Set("modelVersion", options_.model);
  out.Set("responseId", id_);
  return out;
}

void GeminiWriter::Send(Json body, std::string* out) {
  if (options_.body == GeminiBody::kEvents) {
    AppendSseData(body, out);
  } else {
    *out += sent_any_ ? ",\r\n" : "[";
    *out += body.Dump(2);
  }
  sent_any_ = true;
}

void GeminiWriter::Add(int choice, const GenerateEvent& event,
                       std::string* out) {
  Candidate& candidate = candidates_[static_cast<size_t>(choice)];
  for (TokenProbability& p : candidate.sorter.Add(event)) {
    candidate.probabilities.push_back(std::move(p));
  }
  const bool whole = options_.body == GeminiBody::kWhole;
  if (const auto* done = std::get_if<Done>(&event)) {
    candidate.done = *done;
    candidate.finished = true;
    if (whole) return;
    const Status failure = FailureIn(*done);
    if (!failure.ok()) return Send(GeminiErrorBody(failure), out);
  }
  Json part = candidate.finished ? TextPart("") : PartOf(event);
  if (part.is_null()) return;
  if (whole) return Join(std::move(part), &candidate.parts);
  Json parts = Json::MakeArray();
  parts.Append(std::move(part));
  Json all = Json::MakeArray();
  all.Append(CandidateJson(choice, std::move(parts), candidate));
  candidate.probabilities.clear();
  Send(Envelope(std::move(all)), out);
}

void GeminiWriter::End(std::string* out) {
  if (options_.body == GeminiBody::kEvents) return;
  if (options_.body == GeminiBody::kArray) {
    *out += sent_any_ ? "\r\n]\r\n" : "[]\r\n";
    return;
  }
  Json all = Json::MakeArray();
  for (size_t i = 0; i < candidates_.size(); ++i) {
    Candidate& candidate = candidates_[i];
    if (candidate.parts.as_array().empty()) {
      candidate.parts.Append(TextPart(""));
    }
    all.Append(CandidateJson(static_cast<int>(i), std::move(candidate.parts),
                             candidate));
  }
  *out += Envelope(std::move(all)).Dump(2) + "\n";
}

std::string GeminiWriter::KeepAlive() {
  if (options_.body == GeminiBody::kWhole) return " ";
  if (options_.body == GeminiBody::kArray) return sent_any_ ? "\n" : " ";
  Json parts = Json::MakeArray();
  parts.Append(TextPart(""));
  Json all = Json::MakeArray();
  all.Append(CandidateJson(0, std::move(parts), Candidate()));
  std::string out;
  Send(Envelope(std::move(all)), &out);
  return out;
}

Status GeminiWriter::FailureIn(const Done& done) const {
  // A call that cannot be read is a reason to finish here, not a failure.
  return done.reason == FinishReason::kMalformedCall ? OkStatus()
                                                     : FailureOf(done);
}

int GeminiWriter::Fail(const Status& status, std::string* body) {
  *body = GeminiErrorBody(status).Dump(2);
  return HttpStatusOf(status.code());
}

}  // namespace carat
