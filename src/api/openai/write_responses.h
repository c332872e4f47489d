// Answers of /v1/responses: items, and the events that announce them.
#ifndef CARAT_API_OPENAI_WRITE_RESPONSES_H_
#define CARAT_API_OPENAI_WRITE_RESPONSES_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/answer.h"
#include "api/openai/read_responses.h"
#include "base/json.h"
#include "carat/message.h"
#include "tokenizer/tokenizer.h"

namespace carat {

struct ResponseAnswer {
  std::string id;     // "resp_..."
  std::string model;  // as listed
  int64_t created_s = 0;
  Json echo;  // members repeated from the request
  bool store = true;
  bool stream = false;
  SamplingParams sampling;
  std::vector<ResponseTool> tools;
  const Tokenizer* tokenizer = nullptr;  // outlives the writer
  // Called once with a finished answer, before its last bytes are written.
  std::function<void(const Json& response, Message answer)> finished;
};

std::unique_ptr<AnswerWriter> NewResponseWriter(ResponseAnswer answer);

}  // namespace carat

#endif  // CARAT_API_OPENAI_WRITE_RESPONSES_H_
