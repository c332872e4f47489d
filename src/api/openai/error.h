// Errors in OpenAI's shape.
#ifndef CARAT_API_OPENAI_ERROR_H_
#define CARAT_API_OPENAI_ERROR_H_

#include <string_view>

#include "api/http.h"
#include "base/json.h"
#include "base/status.h"

namespace carat {

// {"error": {"message", "type", "param", "code"}}. "param" is the field whose
// quoted path the message begins with.
Json OpenAiError(const Status& status);
// The same as a whole answer.
void SendOpenAiError(const Status& status, HttpReply* reply);
// 405, with the methods that the path takes.
void SendOpenAiMethodError(const HttpRequest& request, std::string_view allowed,
                           HttpReply* reply);

}  // namespace carat

#endif  // CARAT_API_OPENAI_ERROR_H_
