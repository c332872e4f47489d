#include <optional>
#include <utility>

#include "api/answer.h"
#include "api/body.h"
#include "api/ollama/handlers.h"
#include "api/ollama/read_request.h"
#include "api/ollama/write_answer.h"
#include "api/wire_time.h"

namespace carat {
namespace {

constexpr const char* kLines = "application/x-ndjson";

enum class Endpoint { kChat, kGenerate };

// The answer to a request that asks for nothing: the model was loaded or let
// go.
void SendLoaded(const OllamaCall& call, Endpoint endpoint,
                const std::string& model, const char* reason) {
  Json body = Json::MakeObject();
  body.Set("model", model);
  body.Set("created_at", Rfc3339(WallClockNs()));
  if (endpoint == Endpoint::kChat) {
    Json message = Json::MakeObject();
    message.Set("role", "assistant");
    message.Set("content", "");
    body.Set("message", std::move(message));
  } else {
    body.Set("response", "");
  }
  body.Set("done", true);
  body.Set("done_reason", reason);
  SendOllamaJson(call.reply, body);
}

// A raw prompt is the caller's own template: its control tokens count, and BOS
// comes first once.
std::vector<TokenId> RawTokens(const Tokenizer& tokenizer,
                               const std::string& prompt) {
  std::vector<TokenId> out = tokenizer.Encode(prompt, SpecialText::kParse);
  const TokenId bos = tokenizer.bos();
  if (bos >= 0 && (out.empty() || out[0] != bos)) out.insert(out.begin(), bos);
  return out;
}

// For comparing prompts with other renderers.
Status SendRendered(const OllamaCall& call, const ModelLease& lease,
                    const OllamaRequest& request) {
  std::string text = request.raw_prompt;
  int64_t images = 0;
  if (!request.raw) {
    const GenerateRequest& generate = request.generate;
    RenderOptions render;
    render.tools = generate.tools;
    render.think = generate.think;
    if (generate.continue_last_message) {
      render.ending = PromptEnding::kPrefill;
    }
    CARAT_ASSIGN_OR_RETURN(
        const RenderedPrompt prompt,
        lease.engine->chat_format().Render(generate.messages, render));
    text = SegmentsToString(prompt.segments);
    for (const Segment& segment : prompt.segments) {
      images += segment.kind == Segment::Kind::kMedia;
    }
  }
  Json info = Json::MakeObject();
  info.Set("rendered_template", std::move(text));
  if (images > 0) info.Set("image_count", images);
  Json body = Json::MakeObject();
  body.Set("model", lease.model.name);
  body.Set("created_at", Rfc3339(WallClockNs()));
  body.Set("_debug_info", std::move(info));
  SendOllamaJson(call.reply, body);
  return OkStatus();
}

AnswerStyle StyleOf(const OllamaCall& call, Endpoint endpoint,
                    const std::string& model, bool stream) {
  AnswerStyle style;
  style.content_type = stream ? kLines : "application/json; charset=utf-8";
  style.stream = stream;
  style.keep_alive_ms = call.context->options.keep_alive_ms;
  if (stream) {
    const OllamaAnswerOptions options = {.chat = endpoint == Endpoint::kChat,
                                         .model = model};
    style.first_keep_alive = OllamaWriter(options, nullptr).KeepAlive();
  }
  style.late_error = [](const Status& status) {
    return OllamaErrorBody(status).Dump() + "\n";
  };
  return style;
}

Status Run(const OllamaCall& call, Endpoint endpoint) {
  const int64_t start_ns = WallClockNs();
  CARAT_ASSIGN_OR_RETURN(const Json body, ReadJsonObject(call.request));
  CARAT_ASSIGN_OR_RETURN(const OllamaHead head, ReadOllamaHead(body));
  ModelHost* host = call.context->host;
  if (head.empty && head.keep_alive_s == 0) {
    const Status status = host->Unload(head.model);
    if (!status.ok()) return OllamaModelError(head.model, status);
    SendLoaded(call, endpoint, head.model, "unload");
    return OkStatus();
  }
  const bool chat = endpoint == Endpoint::kChat;
  // An empty request is answered whole, whatever it says.
  const bool stream = head.stream && !head.empty && !head.render_only;
  const AnswerStyle style = StyleOf(call, endpoint, head.model, stream);
  auto lease =
      AcquireFor(style, host, head.model, head.keep_alive_s, call.reply);
  if (!lease.ok()) return OllamaModelError(head.model, lease.status());
  if (head.empty) {
    SendLoaded(call, endpoint, head.model, "load");
    return OkStatus();
  }
  const ModelTraits traits = TraitsOf(*lease);
  auto read =
      chat ? ReadOllamaChat(body, traits) : ReadOllamaGenerate(body, traits);
  if (!read.ok()) return LateError(style, read.status(), call.reply);
  OllamaRequest& request = *read;
  if (head.render_only) return SendRendered(call, *lease, request);
  if (request.raw) {
    request.generate.prompt_tokens =
        RawTokens(lease->engine->tokenizer(), request.raw_prompt);
  }
  request.generate.caller = call.request.caller;

  OllamaAnswerOptions options{.chat = chat,
                              .stream = head.stream,
                              .logprobs = request.logprobs.has_value(),
                              .model = head.model,
                              .start_ns = start_ns,
                              .load_ns = WallClockNs() - start_ns,
                              .give_context = !chat && !request.raw,
                              .before = request.generate.messages};
  OllamaWriter writer(std::move(options), &lease->engine->tokenizer());
  Answer(*lease, {request.generate}, style, &writer, call.reply);
  return OkStatus();
}

void Handle(const OllamaCall& call, Endpoint endpoint) {
  const Status status = Run(call, endpoint);
  if (!status.ok() && !call.reply->started()) {
    SendOllamaError(call.reply, status);
  }
}

}  // namespace

void HandleOllamaChat(const OllamaCall& call) { Handle(call, Endpoint::kChat); }

void HandleOllamaGenerate(const OllamaCall& call) {
  Handle(call, Endpoint::kGenerate);
}

}  // namespace carat
