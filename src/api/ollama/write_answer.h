// Events to Ollama's bodies: lines of JSON, or one object.
#ifndef CARAT_API_OLLAMA_WRITE_ANSWER_H_
#define CARAT_API_OLLAMA_WRITE_ANSWER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "api/answer.h"
#include "api/collected.h"
#include "base/json.h"

namespace carat {

struct OllamaAnswerOptions {
  bool chat = true;  // else /api/generate
  bool stream = true;
  bool logprobs = false;
  std::string model;
  int64_t start_ns = 0;         // wall clock, when the request came
  int64_t load_ns = 0;          // waiting for the model
  bool give_context = false;    // generate: numbers to go on with
  std::vector<Message> before;  // the conversation that led here
};

class OllamaWriter : public AnswerWriter {
 public:
  OllamaWriter(OllamaAnswerOptions options, const Tokenizer* tokenizer)
      : options_(std::move(options)), tokenizer_(tokenizer) {}

  void Add(int choice, const GenerateEvent& event, std::string* out) override;
  void End(std::string* out) override;
  std::string KeepAlive() override;
  int Fail(const Status& status, std::string* body) override;

 private:
  // One line's beginning: model, time and what was said.
  Json Line(std::string text, std::string thought, Json calls) const;
  void AddMetrics(const Done& done, Json* line) const;
  Json LogprobsJson(const std::vector<TokenProbability>& tokens) const;

  OllamaAnswerOptions options_;
  const Tokenizer* tokenizer_;
  Collected all_;
  TextProbabilities sorter_;
};

// "stop", "length" ...
const char* OllamaDoneReason(FinishReason reason);

}  // namespace carat

#endif  // CARAT_API_OLLAMA_WRITE_ANSWER_H_
