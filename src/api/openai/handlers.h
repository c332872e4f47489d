// The handlers behind OpenAI's routes, and what they share. An error that a
// handler returns has been written if the head is out, else nothing has.
#ifndef CARAT_API_OPENAI_HANDLERS_H_
#define CARAT_API_OPENAI_HANDLERS_H_

#include <string>

#include "api/answer.h"
#include "api/openai/context.h"
#include "api/openai/read_request.h"
#include "base/status.h"
#include "carat/request.h"

namespace carat {

enum class BodyKind : uint8_t { kWhole, kStream };

AnswerStyle OpenAiStyle(const OpenAiContext& context, BodyKind kind);
// The same for /v1/responses, whose streams name their events.
AnswerStyle ResponsesStyle(const OpenAiContext& context, BodyKind kind);
ThinkDefault DefaultThinking(const OpenAiContext& context);
// {"object": "response.input_tokens", "input_tokens": ..}.
Status SendTokenCount(OpenAiContext* context, const std::string& model,
                      const GenerateRequest& request, HttpReply* reply);

Status CreateResponse(OpenAiContext* context, const HttpRequest& http,
                      HttpReply* reply);
Status CountResponse(OpenAiContext* context, const HttpRequest& http,
                     HttpReply* reply);
Status GetResponse(OpenAiContext* context, const HttpRequest& http,
                   HttpReply* reply);
Status DeleteResponse(OpenAiContext* context, const HttpRequest& http,
                      HttpReply* reply);

}  // namespace carat

#endif  // CARAT_API_OPENAI_HANDLERS_H_
