// Readiness, metrics, tokens and the OpenAPI document, over a tiny model.
#include "server/operations.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "api/test_host.h"
#include "server/openapi.h"

namespace carat {
namespace {

class OperationsTest : public testing::Test {
 protected:
  TestReply Ask(const HttpRequest& request) {
    TestReply reply;
    const OperationsContext context = {
        .host = &host_,
        .metrics = &metrics_,
        .ready = [this] { return ready_; },
        .stats = [] { return ServerStats{.connections = 3, .requests = 2}; }};
    EXPECT_TRUE(HandleOperation(context, request, &reply)) << request.path;
    return reply;
  }

  TestHost host_;
  Metrics metrics_;
  bool ready_ = true;
};

TEST_F(OperationsTest, ReadyTellsWhetherModelsAreLoaded) {
  EXPECT_EQ(Ask(Get("/ready")).status, 200);
  ready_ = false;
  const TestReply reply = Ask(Get("/ready"));
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.Header("retry-after"), "2");
}

TEST_F(OperationsTest, MetricsCountRequestsByRouteAndShowTheModels) {
  metrics_.Add({.method = "POST",
                .path = "/v1/models/gemma:generateContent",
                .status = 200,
                .ms = 30,
                .request_bytes = 7});
  metrics_.Add({.method = "BREW", .path = "/secret/words", .status = 404});
  const std::string text = Ask(Get("/metrics")).body;
  for (const char* line :
       {"carat_http_requests_total{route=\"/models/{model}:generateContent\","
        "method=\"POST\",status=\"200\"} 1\n",
        "carat_http_requests_total{route=\"other\",method=\"other\","
        "status=\"404\"} 1\n",
        "carat_http_request_seconds_bucket{le=\"0.05\"} 2\n",
        "carat_http_request_bytes_total 7\n", "carat_http_connections 3\n",
        "carat_http_requests_running 2\n",
        "carat_generations_total{model=\"tiny\"} 0\n",
        "carat_model_memory_bytes{model=\"tiny\"} 1000\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line;
  }
  EXPECT_EQ(text.find("secret"), std::string::npos);
}

TEST_F(OperationsTest, TokensGoThereAndBack) {
  const Json llama =
      Ask(Post("/tokenize", R"({"content":"Hello you"})")).json();
  ASSERT_TRUE(At(llama, "tokens").is_array());
  EXPECT_GT(At(llama, "tokens").as_array().size(), 0u);
  const Json body = Json::Object{{"tokens", At(llama, "tokens")}};
  EXPECT_EQ(At(Ask(Post("/detokenize", body.Dump())).json(), "content"),
            Json("Hello you"));
  // vLLM's form counts BOS.
  const Json vllm = Ask(Post("/tokenize", R"({"prompt":"Hello you"})")).json();
  EXPECT_EQ(At(vllm, "count").as_int(),
            static_cast<int64_t>(At(llama, "tokens").as_array().size()) + 1);
}

TEST_F(OperationsTest, PiecesStandBesideTheirIds) {
  const Json out =
      Ask(Post("/tokenize", R"({"content":"Hi","with_pieces":true})")).json();
  EXPECT_TRUE(At(out, "tokens.0.id").is_int());
  EXPECT_TRUE(At(out, "tokens.0.piece").is_string());
}

TEST_F(OperationsTest, WrongTokensAreNamed) {
  for (const char* tokens : {"[-1]", "[1e9]", "[\"x\"]", "[999999999]"}) {
    const TestReply reply =
        Ask(Post("/detokenize", std::string(R"({"tokens":)") + tokens + "}"));
    EXPECT_EQ(reply.status, 400) << tokens;
    EXPECT_NE(reply.body.find("tokens"), std::string::npos) << reply.body;
  }
  EXPECT_EQ(Ask(Post("/tokenize", "{}")).status, 400);
  EXPECT_EQ(Ask(Post("/tokenize", "[]")).status, 400);
}

TEST_F(OperationsTest, TemplatesAreAppliedWithoutGenerating) {
  const Json out = Ask(Post("/apply-template",
                            R"({"messages":[{"role":"user","content":"Hi"}]})"))
                       .json();
  EXPECT_NE(At(out, "prompt").as_string().find("Hi"), std::string::npos);
  EXPECT_GT(At(out, "tokens").as_int(), 1);
}

TEST_F(OperationsTest, PropsShowTheWindowThatIsThere) {
  const Json out = Ask(Get("/props")).json();
  EXPECT_EQ(At(out, "default_generation_settings.n_ctx"),
            Json(host_.engine()->context_tokens()));
  EXPECT_EQ(Ask(Get("/props", "model=nobody")).status, 404);
}

TEST_F(OperationsTest, WrongMethodsAreToldTheRightOne) {
  const TestReply reply = Ask(Post("/metrics", ""));
  EXPECT_EQ(reply.status, 405);
  EXPECT_EQ(reply.Header("allow"), "GET, HEAD");
  EXPECT_EQ(Ask(Get("/tokenize")).Header("allow"), "POST");
}

TEST_F(OperationsTest, OtherPathsAreLeftAlone) {
  TestReply reply;
  EXPECT_FALSE(HandleOperation({}, Get("/v1/models"), &reply));
  EXPECT_FALSE(reply.started());
}

TEST_F(OperationsTest, TheDocumentHasTheRoutesOfEveryProtocol) {
  const Json document = Ask(Get("/openapi.json")).json();
  EXPECT_EQ(At(document, "openapi"), Json("3.1.0"));
  size_t operations = 0;
  for (const auto& [path, item] : document.Find("paths")->as_object()) {
    for (const auto& [method, entry] : item.as_object()) {
      operations += method == "parameters" ? 0 : 1;
    }
  }
  size_t routes = 0;
  for (const OpenApiShare& share : {OpenAiApi(), AnthropicApi(), GeminiApi(),
                                    OllamaApi(), OperationsApi()}) {
    routes += share.routes.size();
  }
  EXPECT_EQ(operations, routes);
}

TEST(OperationsApi, EveryRouteHasAnEntryAndEveryEntryARoute) {
  std::set<std::string> documented, routed;
  const auto paths = Json::Parse(OperationsApi().paths);
  ASSERT_TRUE(paths.ok());
  for (const auto& [path, item] : paths->as_object()) {
    for (const auto& [method, operation] : item.as_object()) {
      documented.insert((method == "get" ? "GET " : "POST ") + path);
    }
  }
  for (const RouteName& route : OperationsRoutes()) {
    routed.insert(std::string(route.method) + " " + std::string(route.path));
  }
  EXPECT_EQ(documented, routed);
}

}  // namespace
}  // namespace carat
