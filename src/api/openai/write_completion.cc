#include "api/openai/write_completion.h"

#include <utility>

#include "api/collected.h"
#include "api/failure.h"
#include "api/openai/error.h"
#include "api/openai/write_chat.h"
#include "api/sse.h"

namespace carat {
namespace {

// The old shape: parallel arrays. `offset`: bytes of text before the tokens.
Json Logprobs(const std::vector<TokenProbability>& tokens,
              const Tokenizer& tokenizer, int64_t offset) {
  Json texts = Json::MakeArray(), values = Json::MakeArray();
  Json tops = Json::MakeArray(), offsets = Json::MakeArray();
  for (const TokenProbability& token : tokens) {
    texts.Append(TokenText(tokenizer, token.id));
    values.Append(static_cast<double>(token.logprob));
    Json top = Json::MakeObject();
    for (const auto& [id, logprob] : token.top) {
      top.Set(TokenText(tokenizer, id), static_cast<double>(logprob));
    }
    tops.Append(std::move(top));
    offsets.Append(offset);
    offset += static_cast<int64_t>(token.text.size());
  }
  return Json::Object{{"tokens", std::move(texts)},
                      {"token_logprobs", std::move(values)},
                      {"top_logprobs", std::move(tops)},
                      {"text_offset", std::move(offsets)}};
}

class Writer : public AnswerWriter {
 public:
  explicit Writer(CompletionAnswer answer) : answer_(std::move(answer)) {}

  int Fail(const Status& status, std::string* body) override {
    *body = OpenAiError(status).Dump();
    return HttpStatusOf(status.code());
  }

 protected:
  Json Head() const {
    return Json::Object{{"id", answer_.id},
                        {"object", "text_completion"},
                        {"created", answer_.created_s},
                        {"model", answer_.model},
                        {"system_fingerprint", "carat-" CARAT_VERSION}};
  }
  Json Choice(int index, std::string text, Json logprobs, Json finish) const {
    return Json::Object{{"index", index},
                        {"text", std::move(text)},
                        {"logprobs", std::move(logprobs)},
                        {"finish_reason", std::move(finish)}};
  }
  // Each prompt counts once, whatever the number of its answers.
  Json Usage(const std::vector<Done>& ends) const {
    int64_t prompt = 0, cached = 0, output = 0;
    for (size_t i = 0; i < ends.size(); ++i) {
      output += ends[i].usage.output_tokens;
      if (i % answer_.answers_per_prompt != 0) continue;
      prompt += ends[i].usage.prompt_tokens;
      cached += ends[i].usage.cached_tokens;
    }
    return Json::Object{
        {"prompt_tokens", prompt},
        {"completion_tokens", output},
        {"total_tokens", prompt + output},
        {"prompt_tokens_details", Json::Object{{"cached_tokens", cached}}}};
  }

  CompletionAnswer answer_;
};

class CompletionWriter : public Writer {
 public:
  explicit CompletionWriter(CompletionAnswer answer)
      : Writer(std::move(answer)), choices_(answer_.echoes.size()) {}

  void Add(int choice, const GenerateEvent& event, std::string*) override {
    choices_[choice].Add(event);
  }

  void End(std::string* out) override {
    Json list = Json::MakeArray();
    std::vector<Done> ends;
    for (size_t i = 0; i < choices_.size(); ++i) {
      const Collected& choice = choices_[i];
      ends.push_back(choice.end);
      list.Append(Choice(static_cast<int>(i), answer_.echoes[i] + choice.text,
                         answer_.with_logprobs ? Logprobs(choice.probabilities,
                                                          *answer_.tokenizer, 0)
                                               : Json(),
                         ChatFinish(choice.end.reason)));
    }
    Json body = Head();
    body.Set("choices", std::move(list));
    body.Set("usage", Usage(ends));
    *out += body.Dump();
  }

  std::string KeepAlive() override { return " "; }

 private:
  std::vector<Collected> choices_;
};

class CompletionStreamWriter : public Writer {
 public:
  explicit CompletionStreamWriter(CompletionAnswer answer)
      : Writer(std::move(answer)),
        choices_(answer_.echoes.size()),
        ends_(answer_.echoes.size()) {}

  void Add(int choice, const GenerateEvent& event, std::string* out) override {
    if (failed_) return;
    State& state = choices_[choice];
    const std::vector<TokenProbability> tokens = state.probabilities.Add(event);
    if (std::holds_alternative<PromptDone>(event)) {
      if (!answer_.echoes[choice].empty()) {
        Chunk(choice, answer_.echoes[choice], Json(), Json(), out);
      }
    } else if (const auto* text = std::get_if<TextDelta>(&event)) {
      Chunk(choice, text->text,
            tokens.empty() ? Json()
                           : Logprobs(tokens, *answer_.tokenizer, state.offset),
            Json(), out);
      state.offset += static_cast<int64_t>(text->text.size());
    } else if (const auto* done = std::get_if<Done>(&event)) {
      if (const Status failed = FailureOf(*done); !failed.ok()) {
        failed_ = true;
        AppendSseData(OpenAiError(failed), out);
        return;
      }
      ends_[choice] = *done;
      Chunk(choice, "", Json(), ChatFinish(done->reason), out);
    }
  }

  void End(std::string* out) override {
    if (!failed_ && answer_.include_usage) {
      Json chunk = Head();
      chunk.Set("choices", Json::MakeArray());
      chunk.Set("usage", Usage(ends_));
      AppendSseData(chunk, out);
    }
    *out += "data: [DONE]\n\n";
  }

  std::string KeepAlive() override { return std::string(kSseComment); }

 private:
  struct State {
    TextProbabilities probabilities;
    int64_t offset = 0;
  };

  void Chunk(int choice, std::string text, Json logprobs, Json finish,
             std::string* out) {
    Json list = Json::MakeArray();
    list.Append(Choice(choice, std::move(text), std::move(logprobs),
                       std::move(finish)));
    Json chunk = Head();
    chunk.Set("choices", std::move(list));
    if (answer_.include_usage) chunk.Set("usage", nullptr);
    AppendSseData(chunk, out);
  }

  std::vector<State> choices_;
  std::vector<Done> ends_;
  bool failed_ = false;
};

}  // namespace

std::unique_ptr<AnswerWriter> NewCompletionWriter(CompletionAnswer answer) {
  return std::make_unique<CompletionWriter>(std::move(answer));
}

std::unique_ptr<AnswerWriter> NewCompletionStreamWriter(
    CompletionAnswer answer) {
  return std::make_unique<CompletionStreamWriter>(std::move(answer));
}

}  // namespace carat
