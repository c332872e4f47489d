#include "cli/generate.h"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <variant>

#include "base/utf8.h"
#include "cli/interrupt.h"
#include "cli/terminal.h"
#include "cli/text.h"

namespace carat {
namespace {

// More of a part that streams.
template <typename T>
void AppendText(const std::string& text, Message* message) {
  if (!message->parts.empty()) {
    if (T* last = std::get_if<T>(&message->parts.back())) {
      last->text += text;
      return;
    }
  }
  message->parts.emplace_back(T{text});
}

}  // namespace

Result<Done> RunGeneration(
    Engine& engine, const GenerateRequest& request,
    const std::function<bool(const GenerateEvent&)>& sink) {
  InterruptGuard guard;
  CARAT_ASSIGN_OR_RETURN(auto handle, engine.Submit(request));
  bool cancelled = false;
  for (;;) {
    if (InterruptGuard::Interrupted() && !cancelled) {
      cancelled = true;
      handle->Cancel();
    }
    GenerateEvent event;
    if (!handle->NextFor(100, &event)) continue;
    const bool go_on = sink(event);
    if (const Done* done = std::get_if<Done>(&event)) return *done;
    if (!go_on && !cancelled) {
      cancelled = true;
      handle->Cancel();
    }
  }
}

bool AnswerPrinter::operator()(const GenerateEvent& event) {
  static const bool terminal = StdoutIsTerminal();
  if (const auto* thought = std::get_if<ThoughtDelta>(&event)) {
    AppendText<Thought>(thought->text, &message_);
    if (thoughts_ == Thoughts::kShow) {
      PrintAside(Dim(WithoutControls(thought->text)));
      thought_open_ = true;
    }
  } else if (const auto* delta = std::get_if<TextDelta>(&event)) {
    AppendText<Text>(delta->text, &message_);
    EndThought();
    if (answers_ == Answers::kKeep) return true;
    return Print(terminal ? WithoutControls(delta->text) : delta->text);
  } else if (const auto* call = std::get_if<ToolCallDone>(&event)) {
    message_.parts.emplace_back(call->call);
  }
  return true;
}

void AnswerPrinter::EndThought() {
  if (thought_open_) PrintAside("\n");
  thought_open_ = false;
}

void AnswerPrinter::EndLine() {
  EndThought();
  if (answers_ == Answers::kKeep) return;
  const std::string all = text();
  if (!all.empty() && !all.ends_with('\n')) Print("\n");
}

std::vector<ToolCall> AnswerPrinter::calls() const {
  std::vector<ToolCall> out;
  for (const Part& part : message_.parts) {
    if (const auto* call = std::get_if<ToolCall>(&part)) out.push_back(*call);
  }
  return out;
}

std::string CallLine(const ToolCall& call) {
  return fmt::format(R"({{"id":{},"name":{},"arguments":{}}})",
                     JsonQuote(call.id), JsonQuote(SanitizeUtf8(call.name)),
                     call.arguments.empty() ? "{}" : call.arguments);
}

double PrefillSpeed(const Done& done) {
  const int64_t read = done.usage.prompt_tokens - done.usage.cached_tokens;
  return done.timings.prefill_ms > 0
             ? static_cast<double>(read) * 1000 / done.timings.prefill_ms
             : 0;
}

double DecodeSpeed(const Done& done) {
  // The first token comes out of reading the prompt.
  const int64_t steps = done.usage.output_tokens - 1;
  return done.timings.decode_ms > 0 && steps > 0
             ? static_cast<double>(steps) * 1000 / done.timings.decode_ms
             : 0;
}

std::string TimingLine(const Done& done) {
  std::string cached;
  if (done.usage.cached_tokens > 0) {
    cached = fmt::format(" ({} cached)", done.usage.cached_tokens);
  }
  return fmt::format(
      "[prompt {} tokens{}, {:.1f} tokens/s; answer {} tokens, {:.1f} "
      "tokens/s; first token after {:.2f} s]",
      done.usage.prompt_tokens, cached, PrefillSpeed(done),
      done.usage.output_tokens, DecodeSpeed(done),
      done.timings.first_token_ms / 1000);
}

void DoneToJson(const Done& done, Json* out) {
  out->Set("finish_reason", FinishReasonName(done.reason));
  if (!done.stop_string.empty()) out->Set("stop_string", done.stop_string);
  if (!done.error.empty()) out->Set("error", done.error);
  Json usage = Json::MakeObject();
  usage.Set("prompt_tokens", done.usage.prompt_tokens);
  usage.Set("cached_tokens", done.usage.cached_tokens);
  usage.Set("output_tokens", done.usage.output_tokens);
  usage.Set("thought_tokens", done.usage.thought_tokens);
  out->Set("usage", std::move(usage));
  Json timings = Json::MakeObject();
  timings.Set("prefill_ms", done.timings.prefill_ms);
  timings.Set("first_token_ms", done.timings.first_token_ms);
  timings.Set("decode_ms", done.timings.decode_ms);
  timings.Set("prefill_tokens_per_second", PrefillSpeed(done));
  timings.Set("decode_tokens_per_second", DecodeSpeed(done));
  out->Set("timings", std::move(timings));
  out->Set("seed", done.seed);
}

}  // namespace carat
