#include "api/anthropic/write_answer.h"

#include <utility>
#include <vector>

#include "api/failure.h"
#include "api/sse.h"
#include "base/hash.h"

namespace carat {
namespace {

using Thoughts = MessageAnswer::Thoughts;

const char* ErrorType(int http_status) {
  switch (http_status) {
    case 400:
    case 405:
      return "invalid_request_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
    case 503:
      return "overloaded_error";
    case 504:
      return "timeout_error";
    default:
      return "api_error";
  }
}

const char* StopReason(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStopString:
      return "stop_sequence";
    case FinishReason::kToolCalls:
      return "tool_use";
    case FinishReason::kMaxTokens:
    case FinishReason::kRepetition:
      return "max_tokens";
    case FinishReason::kContextFull:
      return "model_context_window_exceeded";
    default:
      return "end_turn";
  }
}

// Clients hand a thought back only with a signature. Nothing is proved by it.
std::string Signature(const std::string& thought) { return Sha256Hex(thought); }

// Tokens that came from the cache are not counted as input again.
Json UsageJson(const Usage& usage) {
  return Json::Object{
      {"input_tokens", usage.prompt_tokens - usage.cached_tokens},
      {"cache_creation_input_tokens", 0},
      {"cache_read_input_tokens", usage.cached_tokens},
      {"output_tokens", usage.output_tokens},
      {"output_tokens_details",
       Json::Object{{"thinking_tokens", usage.thought_tokens}}}};
}

Json Stop(const Done& done) {
  const bool by_string = done.reason == FinishReason::kStopString;
  return Json::Object{
      {"stop_reason", StopReason(done.reason)},
      {"stop_sequence", by_string ? Json(done.stop_string) : Json()}};
}

Json Envelope(const MessageAnswer& answer, Json content) {
  return Json::Object{{"id", answer.id},
                      {"type", "message"},
                      {"role", "assistant"},
                      {"model", answer.model},
                      {"content", std::move(content)}};
}

// What both ways of answering share.
class Writer : public AnswerWriter {
 public:
  explicit Writer(MessageAnswer answer) : answer_(std::move(answer)) {}

  int Fail(const Status& status, std::string* body) override {
    *body = Error(status).Dump();
    return HttpStatusOf(status.code());
  }

 protected:
  Json Error(const Status& status) const {
    return AnthropicError(status.message(), HttpStatusOf(status.code()),
                          answer_.request_id);
  }
  bool Wants(const GenerateEvent& event) const {
    return answer_.thoughts != Thoughts::kDropped ||
           !std::holds_alternative<ThoughtDelta>(event);
  }
  MessageAnswer answer_;
};

class MessageWriter : public Writer {
 public:
  using Writer::Writer;

  void Add(int, const GenerateEvent& event, std::string*) override {
    if (!Wants(event)) return;
    if (const auto* thought = std::get_if<ThoughtDelta>(&event)) {
      Grow("thinking", thought->text);
    } else if (const auto* text = std::get_if<TextDelta>(&event)) {
      Grow("text", text->text);
    } else if (const auto* call = std::get_if<ToolCallDone>(&event)) {
      blocks_.push_back({.type = "tool_use", .text = {}, .call = call->call});
    } else if (const auto* done = std::get_if<Done>(&event)) {
      done_ = *done;
    }
  }

  void End(std::string* out) override {
    Json content = Json::MakeArray();
    for (const Block& block : blocks_) content.Append(BlockJson(block));
    Json body = Envelope(answer_, std::move(content));
    Json stop = Stop(done_);
    for (auto& [key, value] : stop.as_object()) {
      body.Set(key, std::move(value));
    }
    body.Set("usage", UsageJson(done_.usage));
    *out += body.Dump();
  }

  std::string KeepAlive() override { return " "; }

 private:
  struct Block {
    const char* type;
    std::string text;
    ToolCall call;
  };

  void Grow(std::string_view type, const std::string& text) {
    if (blocks_.empty() || blocks_.back().type != type) {
      blocks_.push_back({.type = type.data(), .text = {}, .call = {}});
    }
    blocks_.back().text += text;
  }

  Json BlockJson(const Block& block) const {
    Json json = Json::Object{{"type", block.type}};
    const std::string_view type = block.type;
    if (type == "text") {
      json.Set("text", block.text);
    } else if (type == "thinking") {
      const bool omit = answer_.thoughts == Thoughts::kOmitted;
      json.Set("thinking", omit ? std::string() : block.text);
      json.Set("signature", Signature(block.text));
    } else {
      Result<Json> input = Json::Parse(block.call.arguments);
      json.Set("id", block.call.id);
      json.Set("name", block.call.name);
      json.Set("input", input.ok() ? std::move(*input) : Json::MakeObject());
    }
    return json;
  }

  std::vector<Block> blocks_;
  Done done_;
};

class MessageStreamWriter : public Writer {
 public:
  using Writer::Writer;

  void Add(int, const GenerateEvent& event, std::string* out) override {
    if (failed_ || !Wants(event)) return;
    if (const auto* prompt = std::get_if<PromptDone>(&event)) {
      Begin({.prompt_tokens = prompt->prompt_tokens,
             .cached_tokens = prompt->cached_tokens},
            out);
    } else if (const auto* thought = std::get_if<ThoughtDelta>(&event)) {
      Thought(thought->text, out);
    } else if (const auto* text = std::get_if<TextDelta>(&event)) {
      Open("text", Json::Object{{"type", "text"}, {"text", ""}}, out);
      Delta(Json::Object{{"type", "text_delta"}, {"text", text->text}}, out);
    } else if (const auto* start = std::get_if<ToolCallStart>(&event)) {
      Close(out);
      Open("tool_use",
           Json::Object{{"type", "tool_use"},
                        {"id", start->id},
                        {"name", start->name},
                        {"input", Json::MakeObject()}},
           out);
    } else if (const auto* more = std::get_if<ToolCallDelta>(&event)) {
      Delta(Json::Object{{"type", "input_json_delta"},
                         {"partial_json", more->arguments}},
            out);
    } else if (const auto* done = std::get_if<Done>(&event)) {
      Finish(*done, out);
    }
  }

  void End(std::string*) override {}

  std::string KeepAlive() override {
    // Strict clients expect message_start before any event.
    if (!begun_) return std::string(kSseComment);
    std::string out;
    Send("ping", Json::MakeObject(), &out);
    return out;
  }

 private:
  // `members` behind the type that also names the event.
  static void Send(const char* type, Json members, std::string* out) {
    Json data = Json::Object{{"type", type}};
    for (auto& [key, value] : members.as_object()) {
      data.Set(key, std::move(value));
    }
    AppendSseEvent(type, data, out);
  }

  void Begin(const Usage& usage, std::string* out) {
    if (begun_) return;
    begun_ = true;
    Json message = Envelope(answer_, Json::MakeArray());
    message.Set("stop_reason", nullptr);
    message.Set("stop_sequence", nullptr);
    message.Set("usage", UsageJson(usage));
    Send("message_start", Json::Object{{"message", std::move(message)}}, out);
    Send("ping", Json::MakeObject(), out);
  }

  void Open(std::string_view type, Json block, std::string* out) {
    if (open_ == type) return;
    Close(out);
    open_ = type;
    Send("content_block_start",
         Json::Object{{"index", index_}, {"content_block", std::move(block)}},
         out);
  }

  void Thought(const std::string& text, std::string* out) {
    Open(
        "thinking",
        Json::Object{{"type", "thinking"}, {"thinking", ""}, {"signature", ""}},
        out);
    thought_ += text;
    if (answer_.thoughts == Thoughts::kOmitted) return;
    Delta(Json::Object{{"type", "thinking_delta"}, {"thinking", text}}, out);
  }

  void Delta(Json delta, std::string* out) {
    Send("content_block_delta",
         Json::Object{{"index", index_}, {"delta", std::move(delta)}}, out);
  }

  void Close(std::string* out) {
    if (open_.empty()) return;
    if (open_ == "thinking") {
      Delta(Json::Object{{"type", "signature_delta"},
                         {"signature", Signature(thought_)}},
            out);
      thought_.clear();
    }
    Send("content_block_stop", Json::Object{{"index", index_}}, out);
    open_ = {};
    ++index_;
  }

  void Finish(const Done& done, std::string* out) {
    if (const Status failed = FailureOf(done); !failed.ok()) {
      failed_ = true;
      AppendSseEvent("error", Error(failed), out);
      return;
    }
    Begin(done.usage, out);
    Close(out);
    Send("message_delta",
         Json::Object{{"delta", Stop(done)}, {"usage", UsageJson(done.usage)}},
         out);
    Send("message_stop", Json::MakeObject(), out);
  }

  bool begun_ = false, failed_ = false;
  int index_ = 0;
  std::string_view open_;  // type of the open block; empty: none
  std::string thought_;
};

}  // namespace

std::unique_ptr<AnswerWriter> NewMessageWriter(MessageAnswer answer) {
  return std::make_unique<MessageWriter>(std::move(answer));
}

std::unique_ptr<AnswerWriter> NewMessageStreamWriter(MessageAnswer answer) {
  return std::make_unique<MessageStreamWriter>(std::move(answer));
}

Json AnthropicError(const std::string& message, int http_status,
                    const std::string& request_id) {
  return Json::Object{{"type", "error"},
                      {"error", Json::Object{{"type", ErrorType(http_status)},
                                             {"message", message}}},
                      {"request_id", request_id}};
}

}  // namespace carat
