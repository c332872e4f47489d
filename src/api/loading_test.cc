// Clients whose model loads: the head comes before the model, keep-alives mean
// nothing in each protocol, and a load that fails is told inside the body.
#include <gtest/gtest.h>

#include <string>

#include "api/router.h"
#include "api/sse.h"
#include "api/test_host.h"

namespace carat {
namespace {

struct Case {
  const char* name;
  const char* path;
  const char* query;
  const char* body;
  bool stream;
  // How a body begins that waits, and what it holds when the load fails.
  std::string_view keep_alive, error;
};

constexpr Case kCases[] = {
    {"ChatStream", "/v1/chat/completions", "",
     R"({"messages":[{"role":"user","content":"Hi"}],"max_tokens":2,
         "stream":true})",
     true, kSseComment, "\"rate_limit_error\""},
    {"Chat", "/v1/chat/completions", "",
     R"({"messages":[{"role":"user","content":"Hi"}],"max_tokens":2})", false,
     " ", "\"rate_limit_error\""},
    {"CompletionStream", "/v1/completions", "",
     R"({"prompt":"Hi","max_tokens":2,"stream":true})", true, kSseComment,
     "\"rate_limit_error\""},
    {"ResponsesStream", "/v1/responses", "",
     R"({"input":"Hi","max_output_tokens":2,"stream":true})", true, kSseComment,
     "event: error\ndata: {"},
    {"MessagesStream", "/v1/messages", "",
     R"({"messages":[{"role":"user","content":"Hi"}],"max_tokens":2,
         "stream":true})",
     true, kSseComment, "event: error\ndata: {\"type\":\"error\""},
    {"Messages", "/v1/messages", "",
     R"({"messages":[{"role":"user","content":"Hi"}],"max_tokens":2})", false,
     " ", "\"rate_limit_error\""},
    {"GeminiEvents", "/v1beta/models/tiny:streamGenerateContent", "alt=sse",
     R"({"contents":[{"parts":[{"text":"Hi"}]}],
         "generationConfig":{"maxOutputTokens":2}})",
     true, "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}]",
     "\"RESOURCE_EXHAUSTED\""},
    {"GeminiArray", "/v1beta/models/tiny:streamGenerateContent", "",
     R"({"contents":[{"parts":[{"text":"Hi"}]}],
         "generationConfig":{"maxOutputTokens":2}})",
     true, " ", "\"RESOURCE_EXHAUSTED\""},
    {"Gemini", "/v1beta/models/tiny:generateContent", "",
     R"({"contents":[{"parts":[{"text":"Hi"}]}],
         "generationConfig":{"maxOutputTokens":2}})",
     false, " ", "\"RESOURCE_EXHAUSTED\""},
    {"InteractionStream", "/v1beta/interactions", "",
     R"({"model":"tiny","input":"Hi","stream":true,
         "generation_config":{"max_output_tokens":2}})",
     true, kSseComment, "event: error\ndata: {\"error\""},
    {"OllamaChat", "/api/chat", "",
     R"({"model":"tiny","messages":[{"role":"user","content":"Hi"}],
         "options":{"num_predict":2}})",
     true, "{\"model\":\"tiny\",\"created_at\":", "{\"error\":"},
    {"OllamaGenerate", "/api/generate", "",
     R"({"model":"tiny","prompt":"Hi","stream":false,
         "options":{"num_predict":2}})",
     false, " ", "{\"error\":"},
};

class Loading : public testing::TestWithParam<Case> {
 protected:
  TestReply Ask(int gone_after = -1) {
    Api api(&host_, {.keep_alive_ms = 1});
    HttpRequest request = Post(GetParam().path, GetParam().body);
    request.query = GetParam().query;
    TestReply reply;
    reply.gone_after = gone_after;
    api.Handle(request, &reply);
    return reply;
  }

  TestHost host_;
};

TEST_P(Loading, KeepsTheClientPatientAndThenAnswers) {
  host_.load_waits = 3;
  const TestReply reply = Ask();
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.body.starts_with(GetParam().keep_alive)) << reply.body;
  EXPECT_EQ(reply.body.find("rror\":{"), std::string::npos) << reply.body;
  EXPECT_GT(reply.body.size(), 3 * GetParam().keep_alive.size() + 20);
  if (!GetParam().stream) reply.json();
}

TEST_P(Loading, AFailureBehindTheHeadIsToldInTheBody) {
  host_.load_waits = 2;
  host_.load_error = ResourceExhausted("The model does not fit.");
  const TestReply reply = Ask();
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.body.starts_with(GetParam().keep_alive)) << reply.body;
  EXPECT_NE(reply.body.find(GetParam().error), std::string::npos) << reply.body;
  EXPECT_NE(reply.body.find("does not fit"), std::string::npos);
  if (!GetParam().stream) reply.json();
}

TEST_P(Loading, AFailureAtOnceHasItsOwnStatus) {
  host_.load_error = ResourceExhausted("The model does not fit.");
  EXPECT_EQ(Ask().status, 429);
}

TEST_P(Loading, AClientThatLeavesIsNotWaitedFor) {
  host_.load_waits = 1000000;
  const TestReply reply = Ask(2);  // would take the better part of an hour
  EXPECT_TRUE(reply.gone());
}

INSTANTIATE_TEST_SUITE_P(Protocols, Loading, testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace carat
