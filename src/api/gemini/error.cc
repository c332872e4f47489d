#include "api/gemini/error.h"

#include "api/answer.h"

namespace carat {
namespace {

constexpr const char* kJsonType = "application/json; charset=UTF-8";

}  // namespace

const char* GeminiStatusName(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return "OK";
    case StatusCode::kInvalidArgument:
    case StatusCode::kMalformed:
    case StatusCode::kUnsupported:
      return "INVALID_ARGUMENT";
    case StatusCode::kNotFound:
      return "NOT_FOUND";
    case StatusCode::kResourceExhausted:
      return "RESOURCE_EXHAUSTED";
    case StatusCode::kFailedPrecondition:
      return "FAILED_PRECONDITION";
    case StatusCode::kPermissionDenied:
      return "PERMISSION_DENIED";
    case StatusCode::kCancelled:
      return "CANCELLED";
    case StatusCode::kDeadlineExceeded:
      return "DEADLINE_EXCEEDED";
    case StatusCode::kUnavailable:
      return "UNAVAILABLE";
    case StatusCode::kInternal:
      return "INTERNAL";
  }
  return "UNKNOWN";
}

Json GeminiErrorBody(const Status& status) {
  Json error = Json::MakeObject();
  error.Set("code", HttpStatusOf(status.code()));
  error.Set("message", status.message());
  error.Set("status", GeminiStatusName(status.code()));
  Json body = Json::MakeObject();
  body.Set("error", std::move(error));
  return body;
}

void SendGeminiError(HttpReply* reply, const Status& status) {
  SendBody(reply, HttpStatusOf(status.code()), kJsonType,
           GeminiErrorBody(status).Dump(2));
}

void SendGeminiJson(HttpReply* reply, const Json& body) {
  SendBody(reply, 200, kJsonType, body.Dump(2));
}

}  // namespace carat
