#include "api/openai/write_chat.h"

#include <utility>

#include "api/collected.h"
#include "api/failure.h"
#include "api/openai/error.h"
#include "api/sse.h"
#include "base/utf8.h"

namespace carat {
namespace {

Json Bytes(std::string_view bytes) {
  Json list = Json::MakeArray();
  for (const char c : bytes) list.Append(static_cast<int>(uint8_t(c)));
  return list;
}

Json LogprobEntry(const Tokenizer& tokenizer, TokenId id, float logprob) {
  return Json::Object{{"token", TokenText(tokenizer, id)},
                      {"logprob", static_cast<double>(logprob)},
                      {"bytes", Bytes(tokenizer.Bytes(id))}};
}

Json Head(const ChatAnswer& answer, const char* object) {
  return Json::Object{{"id", answer.id},
                      {"object", object},
                      {"created", answer.created_s},
                      {"model", answer.model},
                      {"system_fingerprint", "carat-" CARAT_VERSION}};
}

Json WholeMessage(const Collected& choice) {
  Json message = Json::Object{{"role", "assistant"}};
  const bool silent = choice.text.empty() && !choice.calls.empty();
  message.Set("content", silent ? Json() : Json(choice.text));
  message.Set("refusal", nullptr);
  if (!choice.thought.empty()) {
    // Clients read either name.
    message.Set("reasoning_content", choice.thought);
    message.Set("reasoning", choice.thought);
  }
  if (choice.calls.empty()) return message;
  Json calls = Json::MakeArray();
  for (const ToolCall& call : choice.calls) {
    calls.Append(Json::Object{
        {"id", call.id},
        {"type", "function"},
        {"function",
         Json::Object{{"name", call.name}, {"arguments", call.arguments}}}});
  }
  message.Set("tool_calls", std::move(calls));
  return message;
}

class ChatWriter : public AnswerWriter {
 public:
  explicit ChatWriter(ChatAnswer answer)
      : answer_(std::move(answer)), choices_(answer_.choices) {}

  void Add(int choice, const GenerateEvent& event, std::string*) override {
    choices_[choice].Add(event);
  }

  void End(std::string* out) override {
    Json body = Head(answer_, "chat.completion");
    Json list = Json::MakeArray();
    std::vector<Done> ends;
    for (size_t i = 0; i < choices_.size(); ++i) {
      const Collected& choice = choices_[i];
      ends.push_back(choice.end);
      list.Append(Json::Object{
          {"index", static_cast<int64_t>(i)},
          {"message", WholeMessage(choice)},
          {"logprobs",
           answer_.with_logprobs
               ? ChatLogprobs(choice.probabilities, *answer_.tokenizer)
               : Json()},
          {"finish_reason", ChatFinish(choice.end.reason)}});
    }
    body.Set("choices", std::move(list));
    body.Set("usage", ChatUsage(ends));
    *out += body.Dump();
  }

  std::string KeepAlive() override { return " "; }

  int Fail(const Status& status, std::string* body) override {
    *body = OpenAiError(status).Dump();
    return HttpStatusOf(status.code());
  }

 private:
  ChatAnswer answer_;
  std::vector<Collected> choices_;
};

class ChatStreamWriter : public AnswerWriter {
 public:
  explicit ChatStreamWriter(ChatAnswer answer)
      : answer_(std::move(answer)), choices_(answer_.choices) {}

  void Add(int choice, const GenerateEvent& event, std::string* out) override {
    if (failed_) return;
    Choice& state = choices_[choice];
    const std::vector<TokenProbability> tokens = state.probabilities.Add(event);
    if (const auto* text = std::get_if<TextDelta>(&event)) {
      Begin(choice, out);
      Chunk(choice, Json::Object{{"content", text->text}}, tokens, out);
    } else if (const auto* thought = std::get_if<ThoughtDelta>(&event)) {
      Begin(choice, out);
      Chunk(choice,
            Json::Object{{"reasoning_content", thought->text},
                         {"reasoning", thought->text}},
            {}, out);
    } else if (const auto* start = std::get_if<ToolCallStart>(&event)) {
      Begin(choice, out);
      Call(choice,
           Json::Object{{"index", start->index},
                        {"id", start->id},
                        {"type", "function"},
                        {"function", Json::Object{{"name", start->name},
                                                  {"arguments", ""}}}},
           out);
    } else if (const auto* more = std::get_if<ToolCallDelta>(&event)) {
      Call(choice,
           Json::Object{
               {"index", more->index},
               {"function", Json::Object{{"arguments", more->arguments}}}},
           out);
    } else if (const auto* done = std::get_if<Done>(&event)) {
      Finish(choice, *done, out);
    }
  }

  void End(std::string* out) override {
    if (!failed_ && answer_.include_usage) {
      Json chunk = Head(answer_, "chat.completion.chunk");
      chunk.Set("choices", Json::MakeArray());
      chunk.Set("usage", ChatUsage(ends_));
      AppendSseData(chunk, out);
    }
    *out += "data: [DONE]\n\n";
  }

  std::string KeepAlive() override { return std::string(kSseComment); }

  int Fail(const Status& status, std::string* body) override {
    *body = OpenAiError(status).Dump();
    return HttpStatusOf(status.code());
  }

 private:
  struct Choice {
    bool begun = false;
    TextProbabilities probabilities;
  };

  // The role comes first, in a chunk of its own.
  void Begin(int choice, std::string* out) {
    if (choices_[choice].begun) return;
    choices_[choice].begun = true;
    Chunk(choice, Json::Object{{"role", "assistant"}, {"content", ""}}, {},
          out);
  }

  void Call(int choice, Json call, std::string* out) {
    Json calls = Json::MakeArray();
    calls.Append(std::move(call));
    Chunk(choice, Json::Object{{"tool_calls", std::move(calls)}}, {}, out);
  }

  void Chunk(int choice, Json delta,
             const std::vector<TokenProbability>& tokens, std::string* out,
             const char* finish = nullptr) {
    Json entry = Json::Object{{"index", choice}, {"delta", std::move(delta)}};
    entry.Set("logprobs", tokens.empty()
                              ? Json()
                              : ChatLogprobs(tokens, *answer_.tokenizer));
    entry.Set("finish_reason", finish ? Json(finish) : Json());
    Json list = Json::MakeArray();
    list.Append(std::move(entry));
    Json chunk = Head(answer_, "chat.completion.chunk");
    chunk.Set("choices", std::move(list));
    if (answer_.include_usage) chunk.Set("usage", nullptr);
    AppendSseData(chunk, out);
  }

  void Finish(int choice, const Done& done, std::string* out) {
    if (const Status failed = FailureOf(done); !failed.ok()) {
      failed_ = true;
      AppendSseData(OpenAiError(failed), out);
      return;
    }
    Begin(choice, out);
    Chunk(choice, Json::MakeObject(), {}, out, ChatFinish(done.reason));
    ends_.push_back(done);
  }

  ChatAnswer answer_;
  std::vector<Choice> choices_;
  std::vector<Done> ends_;
  bool failed_ = false;
};

}  // namespace

std::unique_ptr<AnswerWriter> NewChatWriter(ChatAnswer answer) {
  return std::make_unique<ChatWriter>(std::move(answer));
}

std::unique_ptr<AnswerWriter> NewChatStreamWriter(ChatAnswer answer) {
  return std::make_unique<ChatStreamWriter>(std::move(answer));
}

const char* ChatFinish(FinishReason reason) {
  switch (reason) {
    case FinishReason::kToolCalls:
      return "tool_calls";
    case FinishReason::kMaxTokens:
    case FinishReason::kContextFull:
    case FinishReason::kRepetition:
      return "length";
    default:
      return "stop";
  }
}

Json ChatUsage(const std::vector<Done>& choices) {
  int64_t prompt = 0, cached = 0, output = 0, thought = 0;
  for (const Done& done : choices) {
    prompt = done.usage.prompt_tokens;
    cached = std::max(cached, done.usage.cached_tokens);
    output += done.usage.output_tokens;
    thought += done.usage.thought_tokens;
  }
  return Json::Object{
      {"prompt_tokens", prompt},
      {"completion_tokens", output},
      {"total_tokens", prompt + output},
      {"prompt_tokens_details",
       Json::Object{{"cached_tokens", cached}, {"audio_tokens", 0}}},
      {"completion_tokens_details",
       Json::Object{{"reasoning_tokens", thought}}}};
}

std::string TokenText(const Tokenizer& tokenizer, TokenId id) {
  const std::string_view bytes = tokenizer.Bytes(id);
  return SanitizeUtf8(bytes.empty() ? tokenizer.Piece(id) : bytes);
}

Json ChatLogprobs(const std::vector<TokenProbability>& tokens,
                  const Tokenizer& tokenizer) {
  Json list = Json::MakeArray();
  for (const TokenProbability& token : tokens) {
    Json entry = LogprobEntry(tokenizer, token.id, token.logprob);
    Json top = Json::MakeArray();
    for (const auto& [id, logprob] : token.top) {
      top.Append(LogprobEntry(tokenizer, id, logprob));
    }
    entry.Set("top_logprobs", std::move(top));
    list.Append(std::move(entry));
  }
  return Json::Object{{"content", std::move(list)}, {"refusal", nullptr}};
}

}  // namespace carat
