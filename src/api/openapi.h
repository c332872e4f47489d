// The OpenAPI 3.1 document of /openapi.json. Each protocol keeps its share
// beside its routes, as OpenAPI's own JSON with two abbreviations:
//   {"$ref": "Name"} stands for {"$ref": "#/components/schemas/Name"}, and
//   the refusals that every operation shares are added here.
// A test holds the shares against the tables of routes, both ways.
#ifndef CARAT_API_OPENAPI_H_
#define CARAT_API_OPENAPI_H_

#include <string_view>
#include <vector>

#include "base/json.h"

namespace carat {

// "GET", "/v1/models/{id}".
struct RouteName {
  std::string_view method, path;
};

struct OpenApiShare {
  std::string_view tag;          // "OpenAI"
  std::string_view description;  // of the tag
  // Schema of this protocol's error bodies, one of `schemas`.
  std::string_view error_schema;
  std::string_view paths;    // a JSON object, as in OpenAPI
  std::string_view schemas;  // a JSON object by name
  std::vector<RouteName> routes;
};

OpenApiShare OpenAiApi();
OpenApiShare AnthropicApi();
OpenApiShare GeminiApi();
OpenApiShare OllamaApi();

// What the protocols answer, from their tables of routes.
std::vector<RouteName> OpenAiRoutes();
std::vector<RouteName> AnthropicRoutes();
std::vector<RouteName> GeminiRoutes();
std::vector<RouteName> OllamaRoutes();

// The whole document. The shares are this program's own text: that they are
// JSON is checked.
Json OpenApiDocument(const std::vector<OpenApiShare>& shares);

}  // namespace carat

#endif  // CARAT_API_OPENAPI_H_
