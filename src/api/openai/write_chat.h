// Answers of /v1/chat/completions.
#ifndef CARAT_API_OPENAI_WRITE_CHAT_H_
#define CARAT_API_OPENAI_WRITE_CHAT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "api/answer.h"
#include "base/json.h"
#include "carat/request.h"
#include "tokenizer/tokenizer.h"

namespace carat {

// What every body of one answer carries.
struct ChatAnswer {
  std::string id;     // "chatcmpl-..."
  std::string model;  // as listed
  int64_t created_s = 0;
  int choices = 1;
  bool include_usage = false;  // streams only
  bool with_logprobs = false;
  const Tokenizer* tokenizer = nullptr;  // outlives the writer
};

std::unique_ptr<AnswerWriter> NewChatWriter(ChatAnswer answer);
std::unique_ptr<AnswerWriter> NewChatStreamWriter(ChatAnswer answer);

// "usage" over all choices; the prompt counts once.
Json ChatUsage(const std::vector<Done>& choices);
// {"content": [...]} for tokens of the answer's text.
Json ChatLogprobs(const std::vector<TokenProbability>& tokens,
                  const Tokenizer& tokenizer);
// A token as text, valid UTF-8; control tokens by their name.
std::string TokenText(const Tokenizer& tokenizer, TokenId id);
// "stop", "length" or "tool_calls".
const char* ChatFinish(FinishReason reason);

}  // namespace carat

#endif  // CARAT_API_OPENAI_WRITE_CHAT_H_
