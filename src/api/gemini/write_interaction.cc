#include "api/gemini/write_interaction.h"

#include <utility>

#include "api/failure.h"
#include "api/gemini/error.h"
#include "api/sse.h"
#include "api/wire_time.h"

namespace carat {
namespace {

Json TextContent(std::string text) {
  Json out = Json::MakeObject();
  out.Set("type", "text");
  out.Set("text", std::move(text));
  return out;
}

const char* StatusOf(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
    case FinishReason::kStopString:
      return "completed";
    case FinishReason::kToolCalls:
      return "requires_action";
    case FinishReason::kMaxTokens:
    case FinishReason::kContextFull:
    case FinishReason::kDeadline:
    case FinishReason::kRepetition:
      return "incomplete";
    case FinishReason::kCancelled:
      return "cancelled";
    case FinishReason::kMalformedCall:
    case FinishReason::kError:
      return "failed";
  }
  return "failed";
}

Json UsageJson(const Usage& usage) {
  Json out = Json::MakeObject();
  out.Set("total_input_tokens", usage.prompt_tokens);
  out.Set("total_cached_tokens", usage.cached_tokens);
  out.Set("total_output_tokens", usage.output_tokens - usage.thought_tokens);
  out.Set("total_thought_tokens", usage.thought_tokens);
  out.Set("total_tool_use_tokens", 0);
  out.Set("total_tokens", usage.prompt_tokens + usage.output_tokens);
  return out;
}

}  // namespace

Json InteractionErrorBody(const Status& status) {
  std::string code = GeminiStatusName(status.code());
  for (char& c : code) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  Json error = Json::MakeObject();
  error.Set("code", std::move(code));
  error.Set("message", status.message());
  Json out = Json::MakeObject();
  out.Set("error", std::move(error));
  return out;
}

InteractionWriter::InteractionWriter(InteractionOptions options)
    : options_(std::move(options)), created_(Rfc3339(WallClockNs())) {}

bool InteractionWriter::Shown(const Json& step) const {
  return options_.show_thoughts || *step.Find("type") != Json("thought");
}

Json InteractionWriter::Resource(const char* status) const {
  Json out = Json::MakeObject();
  out.Set("id", options_.id);
  out.Set("model", options_.model);
  out.Set("status", status);
  out.Set("created", created_);
  out.Set("updated", Rfc3339(WallClockNs()));
  if (!options_.previous.empty()) {
    out.Set("previous_interaction_id", options_.previous);
  }
  return out;
}

void InteractionWriter::Emit(const char* type, Json event, std::string* out) {
  if (!options_.stream) return;
  event.Set("event_type", type);
  event.Set("event_id", std::to_string(++events_));
  AppendSseEvent(type, event, out);
}

Json* InteractionWriter::Step(const char* type, std::string* out) {
  if (open_ && *steps_.as_array().back().Find("type") == Json(type)) {
    return &steps_.as_array().back();
  }
  CloseStep(out);
  Json step = Json::MakeObject();
  step.Set("type", type);
  steps_.Append(std::move(step));
  open_ = true;
  return &steps_.as_array().back();
}

void InteractionWriter::CloseStep(std::string* out) {
  if (!open_) return;
  open_ = false;
  if (!Shown(steps_.as_array().back())) return;
  Json event = Json::MakeObject();
  event.Set("index", shown_ - 1);
  Emit("step.stop", std::move(event), out);
}

void InteractionWriter::AddText(const char* type, const char* member,
                                const std::string& text, std::string* out) {
  Json* step = Step(type, out);
  const bool fresh = step->Find(member) == nullptr;
  if (fresh) {
    Json content = Json::MakeArray();
    content.Append(TextContent(""));
    step->Set(member, std::move(content));
  }
  const bool shown = Shown(*step);
  if (fresh && shown) {
    Json start = Json::MakeObject();
    start.Set("index", shown_++);
    Json begun = Json::MakeObject();
    begun.Set("type", type);
    start.Set("step", std::move(begun));
    Emit("step.start", std::move(start), out);
  }
  Json* whole = step->Find(member)->as_array().back().Find("text");
  *whole = whole->as_string() + text;
  if (!shown) return;
  Json delta = Json::MakeObject();
  if (std::string_view(type) == "thought") {
    delta.Set("type", "thought_summary");
    delta.Set("content", TextContent(text));
  } else {
    delta = TextContent(text);
  }
  Json event = Json::MakeObject();
  event.Set("index", shown_ - 1);
  event.Set("delta", std::move(delta));
  Emit("step.delta", std::move(event), out);
}

void InteractionWriter::Add(int /*choice*/, const GenerateEvent& event,
                            std::string* out) {
  if (!begun_) {
    begun_ = true;
    Json created = Json::MakeObject();
    created.Set("interaction", Resource("in_progress"));
    Emit("interaction.created", std::move(created), out);
    Json update = Json::MakeObject();
    update.Set("interaction_id", options_.id);
    update.Set("status", "in_progress");
    Emit("interaction.status_update", std::move(update), out);
  }
  if (const auto* text = std::get_if<TextDelta>(&event)) {
    AddText("model_output", "content", text->text, out);
  } else if (const auto* thought = std::get_if<ThoughtDelta>(&event)) {
    AddText("thought", "summary", thought->text, out);
  } else if (const auto* start = std::get_if<ToolCallStart>(&event)) {
    CloseStep(out);  // each call is a step of its own
    Json* step = Step("function_call", out);
    step->Set("id", start->id);
    step->Set("name", start->name);
    Json begun = *step;
    begun.Set("arguments", Json::MakeObject());
    Json first = Json::MakeObject();
    first.Set("index", shown_++);
    first.Set("step", std::move(begun));
    Emit("step.start", std::move(first), out);
  } else if (const auto* piece = std::get_if<ToolCallDelta>(&event)) {
    Json delta = Json::MakeObject();
    delta.Set("type", "arguments_delta");
    delta.Set("arguments", piece->arguments);
    Json more = Json::MakeObject();
    more.Set("index", shown_ - 1);
    more.Set("delta", std::move(delta));
    Emit("step.delta", std::move(more), out);
  } else if (const auto* call = std::get_if<ToolCallDone>(&event)) {
    auto arguments = Json::Parse(call->call.arguments);
    Step("function_call", out)
        ->Set("arguments",
              arguments.ok() ? std::move(*arguments) : Json::MakeObject());
    CloseStep(out);
  } else if (const auto* done = std::get_if<Done>(&event)) {
    CloseStep(out);
    Finish(*done, out);
  }
}

void InteractionWriter::Finish(const Done& done, std::string* out) {
  if (const Status failed = FailureOf(done); !failed.ok()) {
    return Emit("error", InteractionErrorBody(failed), out);
  }
  Json whole = Json::MakeArray();
  Json shown = Json::MakeArray();
  for (Json& step : steps_.as_array()) {
    // A call that was cut off is none.
    if (*step.Find("type") == Json("function_call") &&
        step.Find("arguments") == nullptr) {
      continue;
    }
    if (Shown(step)) shown.Append(step);
    whole.Append(std::move(step));
  }
  resource_ = Resource(StatusOf(done.reason));
  resource_.Set("steps", std::move(shown));
  resource_.Set("usage", UsageJson(done.usage));
  if (options_.done) options_.done(resource_, whole);
  Json event = Json::MakeObject();
  event.Set("interaction", resource_);
  Emit("interaction.completed", std::move(event), out);
}

void InteractionWriter::End(std::string* out) {
  if (options_.stream) return;
  *out += resource_.Dump();
}

std::string InteractionWriter::KeepAlive() {
  return options_.stream ? std::string(kSseComment) : " ";
}

int InteractionWriter::Fail(const Status& status, std::string* body) {
  *body = InteractionErrorBody(status).Dump();
  return HttpStatusOf(status.code());
}

}  // namespace carat
