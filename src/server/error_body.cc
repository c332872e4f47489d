#include "server/error_body.h"

#include "base/json.h"

namespace carat {
namespace {

const char* ErrorType(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    default:
      return status >= 500 ? "api_error" : "invalid_request_error";
  }
}

const char* GoogleStatus(int status) {
  switch (status) {
    case 401:
      return "UNAUTHENTICATED";
    case 403:
      return "PERMISSION_DENIED";
    case 404:
      return "NOT_FOUND";
    case 429:
      return "RESOURCE_EXHAUSTED";
    case 501:
      return "UNIMPLEMENTED";
    case 503:
      return "UNAVAILABLE";
    case 504:
      return "DEADLINE_EXCEEDED";
    default:
      return status >= 500 ? "INTERNAL" : "INVALID_ARGUMENT";
  }
}

}  // namespace

std::string ErrorBody(const HttpProblem& problem, std::string_view path) {
  Json body;
  if (path.starts_with("/api/")) {
    body = Json::Object{{"error", problem.message}};
  } else {
    body = Json::Object{
        {"type", "error"},
        {"error", Json::Object{{"message", problem.message},
                               {"type", ErrorType(problem.status)},
                               {"param", nullptr},
                               {"code", problem.status},
                               {"status", GoogleStatus(problem.status)}}}};
  }
  return body.Dump();
}

HttpHeaders ErrorHeaders(const HttpProblem& problem) {
  HttpHeaders out;
  if (problem.status == 401) out.emplace_back("www-authenticate", "Bearer");
  if (problem.status == 503) out.emplace_back("retry-after", "2");
  return out;
}

}  // namespace carat
