// Google's Interactions API on a tiny model that emits noise.
#include <gtest/gtest.h>

#include "api/gemini/context.h"
#include "api/test_host.h"

namespace carat {
namespace {

class InteractionsTest : public testing::Test {
 protected:
  TestReply Call(const HttpRequest& request) {
    TestReply reply;
    EXPECT_TRUE(HandleGemini(&context_, request, &reply)) << request.path;
    return reply;
  }
  TestReply Create(std::string body) {
    return Call(Post("/v1beta/interactions", std::move(body)));
  }
  // The data of every event; fails on other framing.
  static std::vector<Json> Events(std::string_view body) {
    std::vector<Json> out;
    while (!body.empty()) {
      const size_t end = body.find("\n\n");
      const size_t data = body.find("\ndata: ");
      if (!body.starts_with("event: ") || end == body.npos || data > end) {
        ADD_FAILURE() << body;
        return out;
      }
      auto json = Json::Parse(body.substr(data + 7, end - data - 7));
      EXPECT_TRUE(json.ok()) << body;
      if (!json.ok()) return out;
      EXPECT_EQ(Json(body.substr(7, data - 7)), At(*json, "event_type"));
      out.push_back(std::move(*json));
      body.remove_prefix(end + 2);
    }
    return out;
  }

  static TestHost* host() {
    static TestHost host;
    return &host;
  }
  GeminiContext context_ = {.host = host(), .options = {}};
};

TEST_F(InteractionsTest, AnAnswerIsStepsWithUsage) {
  const Json json =
      Create(R"({"model":"models/tiny","input":"hello","generation_config":
        {"seed":1,"max_output_tokens":5}})")
          .json();
  EXPECT_EQ(At(json, "status"), Json("incomplete"));
  EXPECT_EQ(At(json, "steps.0.type"), Json("model_output"));
  EXPECT_EQ(At(json, "steps.0.content.0.type"), Json("text"));
  EXPECT_EQ(At(json, "usage.total_output_tokens"), Json(5));
}

TEST_F(InteractionsTest, AStreamTellsTheSameStory) {
  const std::string body =
      R"({"model":"tiny","input":[{"type":"text","text":"hello"}],
        "generation_config":{"seed":1,"max_output_tokens":5})";
  const Json whole = Create(body + "}").json();
  const std::vector<Json> events =
      Events(Create(body + R"(,"stream":true})").body);
  ASSERT_GE(events.size(), 5u);
  EXPECT_EQ(At(events[0], "event_type"), Json("interaction.created"));
  EXPECT_EQ(At(events[1], "status"), Json("in_progress"));
  std::string text;
  int open = 0;
  for (const Json& event : events) {
    const std::string type = At(event, "event_type").as_string();
    open += type == "step.start" ? 1 : type == "step.stop" ? -1 : 0;
    if (type != "step.delta") continue;
    EXPECT_EQ(open, 1);
    text += At(event, "delta.text").as_string();
  }
  EXPECT_EQ(open, 0);
  EXPECT_EQ(Json(text), At(whole, "steps.0.content.0.text"));
  const Json& last = events.back();
  EXPECT_EQ(At(last, "event_type"), Json("interaction.completed"));
  EXPECT_EQ(At(last, "interaction.steps"), At(whole, "steps"));
}

TEST_F(InteractionsTest, AForcedCallRequiresActionAndItsResultGoesOn) {
  const std::string tools =
      R"("tools":[{"type":"function","name":"dim","parameters":{"type":
        "object","properties":{"level":{"type":"integer","minimum":0,
        "maximum":9}},"required":["level"]}}])";
  const std::string body = R"({"model":"tiny","input":"x",)" + tools +
                           R"(,"generation_config":{"seed":4,
        "tool_choice":"any","max_output_tokens":400})";
  const Json first = Create(body + "}").json();
  ASSERT_EQ(At(first, "status"), Json("requires_action")) << first.Dump();
  EXPECT_EQ(At(first, "steps.0.name"), Json("dim"));
  EXPECT_TRUE(At(first, "steps.0.arguments.level").is_int());

  std::string fragments;
  for (const Json& event : Events(Create(body + R"(,"stream":true})").body)) {
    if (At(event, "delta.type") == Json("arguments_delta") &&
        At(event, "index") == Json(0)) {
      fragments += At(event, "delta.arguments").as_string();
    }
  }
  const auto joined = Json::Parse(fragments);
  ASSERT_TRUE(joined.ok()) << fragments;
  EXPECT_EQ(*joined, At(first, "steps.0.arguments"));

  Json results = Json::MakeArray();
  const Json steps = At(first, "steps");
  for (const Json& step : steps.as_array()) {
    if (At(step, "type") != Json("function_call")) continue;
    Json result = Json::MakeObject();
    result.Set("type", "function_result");
    result.Set("call_id", At(step, "id"));
    result.Set("result", "done");
    results.Append(std::move(result));
  }
  Json next = *Json::Parse("{" + tools + R"(,"model":"tiny",
      "generation_config":{"max_output_tokens":3}})");
  next.Set("input", results);
  next.Set("previous_interaction_id", At(first, "id"));
  const TestReply second = Create(next.Dump());
  EXPECT_EQ(second.status, 200) << second.body;
  EXPECT_EQ(At(second.json(), "previous_interaction_id"), At(first, "id"));
  // The prompt of the second holds that of the first.
  EXPECT_GT(At(second.json(), "usage.total_input_tokens").as_int(),
            At(first, "usage.total_input_tokens").as_int());
}

TEST_F(InteractionsTest, InteractionsAreKeptForTheirCallerAlone) {
  const Json made = Create(R"({"model":"tiny","input":"x",
      "generation_config":{"max_output_tokens":2}})")
                        .json();
  const std::string path = "/v1beta/interactions/" + At(made, "id").as_string();
  EXPECT_EQ(At(Call(Get(path)).json(), "steps"), At(made, "steps"));
  const Json with_input = Call(Get(path, "include_input=true")).json();
  EXPECT_EQ(At(with_input, "steps.0.type"), Json("user_input"));
  EXPECT_EQ(Call(Post(path + "/cancel", "{}")).status, 400);
  HttpRequest request = Get(path);
  request.caller = "someone else";
  EXPECT_EQ(Call(request).status, 404);
  request.caller.clear();
  request.method = "DELETE";
  EXPECT_EQ(Call(request).status, 200);
  EXPECT_EQ(Call(Get(path)).status, 404);

  const Json unstored = Create(R"({"model":"tiny","input":"x","store":false,
      "generation_config":{"max_output_tokens":2}})")
                            .json();
  EXPECT_EQ(Call(Get("/v1beta/interactions/" + At(unstored, "id").as_string()))
                .status,
            404);
}

TEST_F(InteractionsTest, AFormatShapesTheAnswer) {
  const TestReply reply = Create(
      R"({"model":"tiny","input":"x","response_format":{"type":"text",
        "mime_type":"application/json","schema":{"type":"object",
        "properties":{"ok":{"type":"boolean"}},"required":["ok"]}}})");
  const Json text = At(reply.json(), "steps.0.content.0.text");
  ASSERT_TRUE(text.is_string()) << reply.body;
  const auto value = Json::Parse(text.as_string());
  ASSERT_TRUE(value.ok());
  EXPECT_TRUE(value->Find("ok")->is_bool());
}

TEST_F(InteractionsTest, ErrorsHaveACodeInWordsAndNameThePlace) {
  const std::pair<const char*, const char*> kCases[] = {
      {"{}", "'model'"},
      {R"({"model":"tiny"})", "'input'"},
      {R"({"model":"tiny","input":3})", "'input'"},
      {R"({"model":"tiny","input":[]})", "'input'"},
      {R"({"model":"tiny","input":"x","background":true})", "background"},
      {R"({"agent":"a","input":"x"})", "agent"},
      {R"({"model":"tiny","input":{"type":"smell"}})", "type"},
      {R"({"model":"tiny","input":{"type":"image","data":"aGk=",
        "mime_type":"image/png"}})",
       "image"},
      {R"({"model":"tiny","input":{"type":"image"}})", "'data' or 'uri'"},
      {R"({"model":"tiny","input":"x","tools":[{"type":"google_search"}]})",
       "tools[0].type"},
      {R"({"model":"tiny","input":"x","generation_config":
        {"thinking_level":"much"}})",
       "thinking_level"},
      {R"({"model":"tiny","input":"x","generation_config":
        {"tool_choice":"maybe"}})",
       "tool_choice"},
      {R"({"model":"tiny","input":"x","response_format":{"type":"image"}})",
       "response_format"},
      {R"({"model":"tiny","input":[{"type":"function_result","call_id":"c",
        "result":"r"}]})",
       "call"}};
  for (const auto& [body, part] : kCases) {
    const TestReply reply = Create(body);
    EXPECT_EQ(reply.status, 400) << body << reply.body;
    EXPECT_EQ(At(reply.json(), "error.code"), Json("invalid_argument"));
    const std::string message = At(reply.json(), "error.message").as_string();
    EXPECT_NE(message.find(part), std::string::npos) << body << "\n" << message;
  }
  EXPECT_EQ(Create(R"({"model":"nope","input":"x"})").status, 404);
  EXPECT_EQ(Create(R"({"model":"tiny","input":"x",
      "previous_interaction_id":"gone"})")
                .status,
            404);
}

}  // namespace
}  // namespace carat
