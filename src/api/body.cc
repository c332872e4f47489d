#include "api/body.h"

#include <fmt/format.h>

namespace carat {
namespace {

// Schemas and tool arguments nest; nobody's nest deeper than this.
constexpr int kMaxDepth = 128;

}  // namespace

Result<Json> ReadJsonObject(const HttpRequest& request) {
  if (request.body.empty()) {
    return InvalidArgument("The request has no body; expected a JSON object.");
  }
  Result<Json> body = Json::Parse(request.body, kMaxDepth);
  if (!body.ok()) {
    return InvalidArgument(
        fmt::format("The request's body is {}", body.status().message()));
  }
  if (!body->is_object()) {
    return InvalidArgument(
        fmt::format("The request's body must be a JSON object, found {}.",
                    body->type_name()));
  }
  return body;
}

}  // namespace carat
