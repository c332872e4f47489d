// Answers of /v1/completions.
#ifndef CARAT_API_OPENAI_WRITE_COMPLETION_H_
#define CARAT_API_OPENAI_WRITE_COMPLETION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "api/answer.h"
#include "tokenizer/tokenizer.h"

namespace carat {

struct CompletionAnswer {
  std::string id;     // "cmpl-..."
  std::string model;  // as listed
  int64_t created_s = 0;
  std::vector<std::string> echoes;  // one a choice: comes before its text
  // Tokens at the front of each prompt that stand for none of its echo (BOS).
  std::vector<int> silent_tokens;
  int answers_per_prompt = 1;
  bool include_usage = false;  // streams only
  bool with_logprobs = false;
  const Tokenizer* tokenizer = nullptr;  // outlives the writer
};

std::unique_ptr<AnswerWriter> NewCompletionWriter(CompletionAnswer answer);
std::unique_ptr<AnswerWriter> NewCompletionStreamWriter(
    CompletionAnswer answer);

}  // namespace carat

#endif  // CARAT_API_OPENAI_WRITE_COMPLETION_H_
