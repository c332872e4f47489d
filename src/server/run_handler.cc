#include "server/run_handler.h"

#include <exception>
#include <new>
#include <utility>

#include "base/log.h"
#include "server/content_coding.h"
#include "server/error_body.h"

namespace carat {

void RunHandler(const HttpHandler& handler, uint64_t body_bytes,
                HttpRequest request, HttpReply* reply) {
  const auto refuse = [&](int status, const std::string& message) {
    const HttpProblem problem = {status, message};
    SendBody(reply, status, "application/json",
             ErrorBody(problem, request.path), ErrorHeaders(problem));
  };
  try {
    const std::string* coding = request.Header("content-encoding");
    if (coding != nullptr && !request.body.empty()) {
      auto body = DecodeContent(*coding, std::move(request.body), body_bytes);
      if (!body.ok()) {
        const StatusCode code = body.status().code();
        return refuse(code == StatusCode::kUnsupported         ? 415
                      : code == StatusCode::kResourceExhausted ? 413
                                                               : 400,
                      body.status().message());
      }
      request.body = std::move(body).value();
    }
    handler(request, reply);
  } catch (const std::bad_alloc&) {
    if (!reply->started()) refuse(503, "Memory ran out.");
  } catch (const std::exception& error) {
    Log(LogLevel::kError, "a handler failed: {}", error.what());
    if (!reply->started()) refuse(500, "The request failed inside carat.");
  }
}

}  // namespace carat
