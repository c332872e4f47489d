#include "api/openapi.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "base/check.h"

namespace carat {
namespace {

constexpr const char* kDescription =
    "carat serves the Gemini, OpenAI, Anthropic and Ollama protocols for the "
    "models on this machine. Members of requests that are null count as "
    "absent, unknown ones are ignored, and what cannot be done is an error "
    "that names the member. While a long prompt is read, whole answers begin "
    "with white space and streams carry what their clients skip; an answer "
    "that fails after that is an error body behind a 200.";

struct Refusal {
  int status;
  const char* description;
};

// What any request may meet. 501 belongs to Transfer-Encodings.
constexpr Refusal kRefusals[] = {
    {400, "The request is malformed or asks for what is not supported."},
    {401, "An API key is asked for, and none that is known was sent."},
    {403,
     "The Host or the Origin is not one of this server's, or the server was "
     "started without leave to do this."},
    {404, "There is no such model or stored thing."},
    {408, "The request came too slowly."},
    {413, "The body is too large."},
    {415, "The Content-Encoding is not known."},
    {429, "The model does not fit beside those in use."},
    {431, "The head is too large."},
    {500, "The request failed inside carat."},
    {501, "The Transfer-Encoding is not known."},
    {503, "Too much at the same time, or the server is ending."},
    {504, "The request's time was over."},
};

Json ParseShare(std::string_view text) {
  Result<Json> json = Json::Parse(text, 64);
  CARAT_CHECK(json.ok());
  return std::move(json).value();
}

// Writes out the short references.
void ExpandReferences(Json* json) {
  if (json->is_array()) {
    for (Json& item : json->as_array()) ExpandReferences(&item);
  }
  if (!json->is_object()) return;
  for (auto& [key, value] : json->as_object()) {
    if (key == "$ref" && value.is_string()) {
      const std::string& name = value.as_string();
      if (!name.starts_with('#')) value = "#/components/schemas/" + name;
    } else {
      ExpandReferences(&value);
    }
  }
}

std::string RefusalName(std::string_view tag, int status) {
  return fmt::format("{}{}", tag, status);
}

Json RefusalJson(const OpenApiShare& share, const Refusal& refusal) {
  const Json schema = Json::Object{
      {"$ref", fmt::format("#/components/schemas/{}", share.error_schema)}};
  Json out = Json::Object{
      {"description", refusal.description},
      {"content",
       Json::Object{{"application/json", Json::Object{{"schema", schema}}}}}};
  if (refusal.status == 503) {
    out.Set("headers",
            Json::Object{
                {"retry-after",
                 Json::Object{{"description", "Seconds to wait."},
                              {"schema", Json::Object{{"type", "integer"}}}}}});
  }
  return out;
}

void CompleteOperation(const OpenApiShare& share, Json* operation) {
  Json tags = Json::MakeArray();
  tags.Append(share.tag);
  operation->Set("tags", std::move(tags));
  Json* responses = operation->Find("responses");
  CARAT_CHECK(responses != nullptr);
  for (const Refusal& refusal : kRefusals) {
    const std::string status = std::to_string(refusal.status);
    if (responses->Find(status) != nullptr) continue;
    responses->Set(
        status,
        Json::Object{
            {"$ref", fmt::format("#/components/responses/{}",
                                 RefusalName(share.tag, refusal.status))}});
  }
}

void Merge(Json from, Json* into) {
  for (auto& [key, value] : from.as_object()) {
    CARAT_CHECK(into->Find(key) == nullptr);
    into->Set(key, std::move(value));
  }
}

// Without keys none is asked for: the empty requirement.
Json Security() {
  Json out = Json::MakeArray();
  out.Append(Json::MakeObject());
  for (const char* name : {"bearer", "xApiKey", "googleKey", "queryKey"}) {
    out.Append(Json::Object{{name, Json::MakeArray()}});
  }
  return out;
}

// How one event of text/event-stream is described.
Json EventSchema() {
  const Json text = Json::Object{{"type", "string"}};
  Json required = Json::MakeArray();
  required.Append("data");
  return Json::Object{
      {"type", "object"},
      {"description", "One event; its data is JSON, but for [DONE]."},
      {"required", std::move(required)},
      {"properties", Json::Object{{"event", text}, {"data", text}}}};
}

Json KeyIn(const char* place, const char* name) {
  return Json::Object{{"type", "apiKey"}, {"in", place}, {"name", name}};
}

Json SecuritySchemes() {
  return Json::Object{
      {"bearer", Json::Object{{"type", "http"}, {"scheme", "bearer"}}},
      {"xApiKey", KeyIn("header", "x-api-key")},
      {"googleKey", KeyIn("header", "x-goog-api-key")},
      {"queryKey", KeyIn("query", "key")}};
}

}  // namespace

Json OpenApiDocument(const std::vector<OpenApiShare>& shares) {
  Json tags = Json::MakeArray();
  Json paths = Json::MakeObject();
  Json schemas = Json::Object{{"ServerSentEvent", EventSchema()}};
  Json responses = Json::MakeObject();
  for (const OpenApiShare& share : shares) {
    tags.Append(
        Json::Object{{"name", share.tag}, {"description", share.description}});
    Json part = ParseShare(share.paths);
    for (auto& [path, item] : part.as_object()) {
      for (auto& [method, operation] : item.as_object()) {
        if (method != "parameters") CompleteOperation(share, &operation);
      }
    }
    Merge(std::move(part), &paths);
    Merge(ParseShare(share.schemas), &schemas);
    for (const Refusal& refusal : kRefusals) {
      responses.Set(RefusalName(share.tag, refusal.status),
                    RefusalJson(share, refusal));
    }
  }
  Json document = Json::Object{
      {"openapi", "3.1.0"},
      {"info",
       Json::Object{{"title", "carat"},
                    {"version", CARAT_VERSION},
                    {"description", kDescription},
                    {"license", Json::Object{{"name", "Apache-2.0"},
                                             {"identifier", "Apache-2.0"}}}}},
      {"tags", std::move(tags)},
      {"security", Security()},
      {"paths", std::move(paths)},
      {"components", Json::Object{{"securitySchemes", SecuritySchemes()},
                                  {"responses", std::move(responses)},
                                  {"schemas", std::move(schemas)}}}};
  ExpandReferences(&document);
  return document;
}

}  // namespace carat
