#include "api/openai/write_completion.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "api/collected.h"
#include "api/failure.h"
#include "api/openai/error.h"
#include "api/openai/write_chat.h"
#include "api/sse.h"

namespace carat {
namespace {

// Code points: how clients index their strings, most of them.
int64_t Characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (c & 0xC0) != 0x80; });
}

// The old shape: parallel arrays.
class LogprobArrays {
 public:
  // `offset`: characters of text before the tokens.
  LogprobArrays(const Tokenizer& tokenizer, int64_t offset)
      : tokenizer_(tokenizer), offset_(offset) {}

  void Add(const TokenProbability& token) {
    Json top = Json::MakeObject();
    for (const auto& [id, logprob] : token.top) {
      top.Set(TokenText(tokenizer_, id), static_cast<double>(logprob));
    }
    Append(token, static_cast<double>(token.logprob), std::move(top));
  }
  void Add(const std::vector<TokenProbability>& tokens) {
    for (const TokenProbability& token : tokens) Add(token);
  }
  // The tokens of a prompt from `first` on. Nothing comes before the very
  // first, which has no probability.
  void AddPrompt(const std::vector<TokenProbability>& tokens, int first) {
    for (size_t i = static_cast<size_t>(first); i < tokens.size(); ++i) {
      if (i == 0) {
        Append(tokens[i], Json(), Json());
      } else {
        Add(tokens[i]);
      }
    }
  }
  Json Take() {
    return Json::Object{{"tokens", std::move(texts_)},
                        {"token_logprobs", std::move(values_)},
                        {"top_logprobs", std::move(tops_)},
                        {"text_offset", std::move(offsets_)}};
  }

 private:
  void Append(const TokenProbability& token, Json value, Json top) {
    texts_.Append(TokenText(tokenizer_, token.id));
    values_.Append(std::move(value));
    tops_.Append(std::move(top));
    offsets_.Append(offset_);
    offset_ += Characters(token.text);
  }

  const Tokenizer& tokenizer_;
  int64_t offset_;
  Json texts_ = Json::MakeArray(), values_ = Json::MakeArray();
  Json tops_ = Json::MakeArray(), offsets_ = Json::MakeArray();
};

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
      : Writer(std::move(answer)),
        choices_(answer_.echoes.size()),
        prompts_(answer_.echoes.size()) {}

  void Add(int choice, const GenerateEvent& event, std::string*) override {
    choices_[choice].Add(event);
    if (const auto* prompt = std::get_if<PromptDone>(&event)) {
      prompts_[choice] = prompt->probabilities;
    }
  }

  void End(std::string* out) override {
    Json list = Json::MakeArray();
    std::vector<Done> ends;
    for (size_t i = 0; i < choices_.size(); ++i) {
      const Collected& choice = choices_[i];
      ends.push_back(choice.end);
      list.Append(Choice(static_cast<int>(i), answer_.echoes[i] + choice.text,
                         LogprobsOf(i), ChatFinish(choice.end.reason)));
    }
    Json body = Head();
    body.Set("choices", std::move(list));
    body.Set("usage", Usage(ends));
    *out += body.Dump();
  }

  std::string KeepAlive() override { return " "; }

 private:
  Json LogprobsOf(size_t choice) const {
    if (!answer_.with_logprobs) return {};
    LogprobArrays arrays(*answer_.tokenizer, 0);
    arrays.AddPrompt(prompts_[choice], answer_.silent_tokens[choice]);
    arrays.Add(choices_[choice].probabilities);
    return arrays.Take();
  }

  std::vector<Collected> choices_;
  std::vector<std::vector<TokenProbability>> prompts_;  // when asked for
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
    if (const auto* prompt = std::get_if<PromptDone>(&event)) {
      Echo(choice, *prompt, out);
    } else if (const auto* text = std::get_if<TextDelta>(&event)) {
      Json logprobs;
      if (!tokens.empty()) {
        LogprobArrays arrays(*answer_.tokenizer, state.offset);
        arrays.Add(tokens);
        logprobs = arrays.Take();
      }
      Chunk(choice, text->text, std::move(logprobs), Json(), out);
      state.offset += Characters(text->text);
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

  void Echo(int choice, const PromptDone& prompt, std::string* out) {
    const std::string& echo = answer_.echoes[choice];
    choices_[choice].offset = Characters(echo);
    Json logprobs;
    if (!prompt.probabilities.empty()) {
      LogprobArrays arrays(*answer_.tokenizer, 0);
      arrays.AddPrompt(prompt.probabilities, answer_.silent_tokens[choice]);
      logprobs = arrays.Take();
    }
    if (echo.empty() && logprobs.is_null()) return;
    Chunk(choice, echo, std::move(logprobs), Json(), out);
  }

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
