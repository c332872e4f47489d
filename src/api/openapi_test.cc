#include "api/openapi.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace carat {
namespace {

std::string Upper(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

Json Document() {
  return OpenApiDocument(
      {OpenAiApi(), AnthropicApi(), GeminiApi(), OllamaApi()});
}

template <typename Visit>
void ForEachOperation(const Json& paths, Visit visit) {
  for (const auto& [path, item] : paths.as_object()) {
    for (const auto& [method, operation] : item.as_object()) {
      if (method != "parameters") visit(path, item, method, operation);
    }
  }
}

TEST(OpenApi, EveryRouteHasAnEntryAndEveryEntryARoute) {
  for (const OpenApiShare& share :
       {OpenAiApi(), AnthropicApi(), GeminiApi(), OllamaApi()}) {
    std::set<std::string> documented, routed;
    const auto paths = Json::Parse(share.paths);
    ASSERT_TRUE(paths.ok()) << share.tag << paths.status().message();
    ForEachOperation(*paths, [&](const std::string& path, const Json&,
                                 const std::string& method, const Json&) {
      documented.insert(Upper(method) + " " + path);
    });
    for (const RouteName& route : share.routes) {
      routed.insert(std::string(route.method) + " " + std::string(route.path));
    }
    EXPECT_EQ(documented, routed) << share.tag;
    EXPECT_GE(routed.size(), 2u);
  }
}

void CollectReferences(const Json& json, std::vector<std::string>* out) {
  if (json.is_array()) {
    for (const Json& item : json.as_array()) CollectReferences(item, out);
  }
  if (!json.is_object()) return;
  for (const auto& [key, value] : json.as_object()) {
    if (key == "$ref" && value.is_string()) out->push_back(value.as_string());
    CollectReferences(value, out);
  }
}

TEST(OpenApi, EveryReferenceLeadsSomewhere) {
  const Json document = Document();
  std::vector<std::string> references;
  CollectReferences(document, &references);
  EXPECT_GT(references.size(), 100u);
  for (const std::string& reference : references) {
    ASSERT_TRUE(reference.starts_with("#/")) << reference;
    const Json* at = &document;
    size_t from = 2;
    while (at != nullptr && from <= reference.size()) {
      const size_t end = std::min(reference.find('/', from), reference.size());
      at = at->Find(reference.substr(from, end - from));
      from = end + 1;
    }
    EXPECT_NE(at, nullptr) << reference;
  }
}

TEST(OpenApi, EverySchemaIsUsed) {
  const Json document = Document();
  std::vector<std::string> references;
  CollectReferences(document, &references);
  const std::set<std::string> used(references.begin(), references.end());
  for (const auto& [name, schema] :
       document.Find("components")->Find("schemas")->as_object()) {
    // The lines of a stream, which OpenAPI has no way to refer to.
    if (name == "ChatChunk") continue;
    EXPECT_EQ(used.count("#/components/schemas/" + name), 1u) << name;
  }
}

TEST(OpenApi, OperationsAreNamedOnceAndDeclareTheirPathParameters) {
  const Json document = Document();
  std::set<std::string> ids;
  ForEachOperation(*document.Find("paths"), [&](const std::string& path,
                                                const Json& item,
                                                const std::string& method,
                                                const Json& operation) {
    const std::string where = method + " " + path;
    ASSERT_NE(operation.Find("operationId"), nullptr) << where;
    EXPECT_TRUE(ids.insert(operation.Find("operationId")->as_string()).second)
        << where;
    EXPECT_NE(operation.Find("summary"), nullptr) << where;
    EXPECT_NE(operation.Find("responses")->Find("400"), nullptr) << where;
    std::string name;
    if (const size_t open = path.find('{'); open != std::string::npos) {
      name = path.substr(open + 1, path.find('}') - open - 1);
    }
    const Json* parameters = item.Find("parameters");
    bool declared = name.empty();
    if (parameters != nullptr) {
      for (const Json& parameter : parameters->as_array()) {
        declared |= *parameter.Find("name") == Json(name) &&
                    *parameter.Find("in") == Json("path");
      }
    }
    EXPECT_TRUE(declared) << where;
  });
}

}  // namespace
}  // namespace carat
