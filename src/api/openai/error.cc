#include "api/openai/error.h"

#include <fmt/format.h>

#include "api/answer.h"

namespace carat {
namespace {

const char* TypeOf(int http_status) {
  switch (http_status) {
    case 400:
    case 405:
      return "invalid_request_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
    case 503:
      return "unavailable_error";
    default:
      return "server_error";
  }
}

// "messages[0].role" of "'messages[0].role' must be ..."; null when the
// message begins otherwise.
Json ParamOf(const std::string& message) {
  if (message.empty() || message[0] != '\'') return nullptr;
  const size_t end = message.find('\'', 1);
  if (end == std::string::npos) return nullptr;
  return message.substr(1, end - 1);
}

Json CodeOf(StatusCode code) {
  switch (code) {
    case StatusCode::kNotFound:
      return "model_not_found";
    case StatusCode::kUnsupported:
      return "unsupported";
    default:
      return nullptr;
  }
}

Json Envelope(const std::string& message, int http_status, Json code) {
  return Json::Object{{"error", Json::Object{{"message", message},
                                             {"type", TypeOf(http_status)},
                                             {"param", ParamOf(message)},
                                             {"code", std::move(code)}}}};
}

}  // namespace

Json OpenAiError(const Status& status) {
  return Envelope(status.message(), HttpStatusOf(status.code()),
                  CodeOf(status.code()));
}

void SendOpenAiError(const Status& status, HttpReply* reply) {
  SendBody(reply, HttpStatusOf(status.code()), "application/json",
           OpenAiError(status).Dump());
}

void SendOpenAiMethodError(const HttpRequest& request, std::string_view allowed,
                           HttpReply* reply) {
  const std::string message = fmt::format("{} takes {}, not {}.", request.path,
                                          allowed, request.method);
  SendBody(reply, 405, "application/json",
           Envelope(message, 405, "method_not_allowed").Dump(),
           {{"allow", std::string(allowed)}});
}

}  // namespace carat
