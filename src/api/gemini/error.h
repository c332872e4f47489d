// Gemini's error bodies: {"error": {"code", "message", "status"}}.
#ifndef CARAT_API_GEMINI_ERROR_H_
#define CARAT_API_GEMINI_ERROR_H_

#include "api/http.h"
#include "base/json.h"
#include "base/status.h"

namespace carat {

// "INVALID_ARGUMENT" and the like.
const char* GeminiStatusName(StatusCode code);
Json GeminiErrorBody(const Status& status);
// Answers with the error's HTTP status and body.
void SendGeminiError(HttpReply* reply, const Status& status);
void SendGeminiJson(HttpReply* reply, const Json& body);

}  // namespace carat

#endif  // CARAT_API_GEMINI_ERROR_H_
