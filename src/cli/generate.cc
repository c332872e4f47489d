#include "cli/generate.h"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <variant>

#include "cli/interrupt.h"
#include "cli/terminal.h"

namespace carat {

namespace {

// What a model writes must not steer the terminal.
std::string WithoutControls(std::string text) {
  std::erase_if(text, [](unsigned char c) {
    return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
  });
  return text;
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

bool TextPrinter::operator()(const GenerateEvent& event) {
  const TextDelta* delta = std::get_if<TextDelta>(&event);
  if (delta == nullptr) return true;
  text_ += delta->text;
  static const bool terminal = StdoutIsTerminal();
  return Print(terminal ? WithoutControls(delta->text) : delta->text);
}

void TextPrinter::EndLine() const {
  if (!text_.empty() && !text_.ends_with('\n')) Print("\n");
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
