// Refusals of the server itself, in a form that clients of every protocol can
// read.
#ifndef CARAT_SERVER_ERROR_BODY_H_
#define CARAT_SERVER_ERROR_BODY_H_

#include <string>
#include <string_view>

#include "api/http.h"
#include "server/request_head.h"

namespace carat {

// JSON; below /api/ the error is a string, as Ollama's clients want it.
std::string ErrorBody(const HttpProblem& problem, std::string_view path);
// What stands beside it: how to ask with a key, when to try again.
HttpHeaders ErrorHeaders(const HttpProblem& problem);

}  // namespace carat

#endif  // CARAT_SERVER_ERROR_BODY_H_
