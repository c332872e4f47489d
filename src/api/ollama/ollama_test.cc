// Ollama's bodies on a tiny model that emits noise.
#include <gtest/gtest.h>

#include "api/ollama/context.h"
#include "api/ollama/packed_conversation.h"
#include "api/ollama/read_request.h"
#include "api/test_host.h"

namespace carat {
namespace {

class OllamaTest : public testing::Test {
 protected:
  TestReply Call(const HttpRequest& request) {
    TestReply reply;
    EXPECT_TRUE(HandleOllama(&context_, request, &reply)) << request.path;
    return reply;
  }
  TestReply Chat(std::string body) {
    return Call(Post("/api/chat", std::move(body)));
  }
  static std::vector<Json> Lines(std::string_view body) {
    std::vector<Json> out;
    while (!body.empty()) {
      const size_t end = body.find('\n');
      EXPECT_NE(end, body.npos) << "a line does not end: " << body;
      if (end == body.npos) return out;
      auto json = Json::Parse(body.substr(0, end));
      EXPECT_TRUE(json.ok()) << body.substr(0, end);
      if (json.ok()) out.push_back(std::move(*json));
      body.remove_prefix(end + 1);
    }
    return out;
  }

  static TestHost* host() {
    static TestHost host;
    return &host;
  }
  OllamaContext context_ = {.host = host(), .options = {}};
};

constexpr const char* kHello =
    R"({"model":"tiny","think":false,"messages":[{"role":"user",)"
    R"("content":"hello"}],"options":{"seed":1,"num_predict":6})";

TEST_F(OllamaTest, AStreamIsLinesWhoseTextIsThatOfTheWholeAnswer) {
  const TestReply streamed = Chat(std::string(kHello) + "}");
  EXPECT_EQ(streamed.Header("content-type"), "application/x-ndjson");
  const std::vector<Json> lines = Lines(streamed.body);
  ASSERT_GE(lines.size(), 2u);
  std::string text;
  for (size_t i = 0; i < lines.size(); ++i) {
    text += At(lines[i], "message.content").as_string();
    EXPECT_EQ(At(lines[i], "done"), Json(i + 1 == lines.size()));
    EXPECT_EQ(At(lines[i], "message.role"), Json("assistant"));
  }
  const Json& last = lines.back();
  EXPECT_EQ(At(last, "done_reason"), Json("length"));
  EXPECT_EQ(At(last, "eval_count"), Json(6));
  EXPECT_GT(At(last, "prompt_eval_count").as_int(), 0);
  for (const char* name : {"total_duration", "load_duration",
                           "prompt_eval_duration", "eval_duration"}) {
    EXPECT_TRUE(At(last, name).is_int()) << name;
  }
  const TestReply whole = Chat(std::string(kHello) + R"(,"stream":false})");
  EXPECT_EQ(At(whole.json(), "message.content"), Json(text));
  EXPECT_EQ(At(whole.json(), "done"), Json(true));
}

TEST_F(OllamaTest, AThinkingModelThinksUnlessToldNotTo) {
  const auto system_turn = [&](const char* think) {
    const TestReply reply =
        Chat(std::string(R"({"model":"tiny","_debug_render_only":true)") +
             think + R"(,"messages":[{"role":"user","content":"x"}]})");
    return At(reply.json(), "_debug_info.rendered_template").as_string();
  };
  EXPECT_NE(system_turn("").find("<|think|>"), std::string::npos);
  EXPECT_NE(system_turn(R"(,"think":"low")").find("<|think|>"),
            std::string::npos);
  EXPECT_EQ(system_turn(R"(,"think":false)").find("<|think|>"),
            std::string::npos);
}

TEST_F(OllamaTest, ThinkingIsRefusedWhereTheModelCannot) {
  ModelTraits plain;
  plain.name = "plain";
  const Json body =
      *Json::Parse(R"({"model":"plain","think":true,"messages":[]})");
  const auto request = ReadOllamaChat(body, plain);
  ASSERT_FALSE(request.ok());
  EXPECT_EQ(request.status().message(), "\"plain\" does not support thinking");
}

TEST_F(OllamaTest, ASchemaShapesTheAnswer) {
  const TestReply reply = Chat(
      R"({"model":"tiny","stream":false,"think":false,"options":{"seed":2},
        "messages":[{"role":"user","content":"x"}],"format":{"type":"object",
        "properties":{"ok":{"type":"boolean"}},"required":["ok"]}})");
  const auto value =
      Json::Parse(At(reply.json(), "message.content").as_string());
  ASSERT_TRUE(value.ok()) << reply.body;
  EXPECT_TRUE(value->Find("ok")->is_bool());
}

TEST_F(OllamaTest, LogprobsCarryBytes) {
  const TestReply reply =
      Chat(std::string(kHello) + R"(,"stream":false,"logprobs":true,)"
                                 R"("top_logprobs":2})");
  const Json logprobs = At(reply.json(), "logprobs");
  ASSERT_TRUE(logprobs.is_array()) << reply.body;
  EXPECT_EQ(At(logprobs, "0.top_logprobs").as_array().size(), 2u);
  EXPECT_TRUE(At(logprobs, "0.bytes.0").is_int());
}

TEST_F(OllamaTest, ToolResultsFollowTheirCallsInThePrompt) {
  const TestReply reply = Chat(
      R"({"model":"tiny","_debug_render_only":true,"think":false,"messages":[
        {"role":"user","content":"x"},
        {"role":"assistant","content":"","tool_calls":[
          {"function":{"name":"f","arguments":{"a":1}}}]},
        {"role":"tool","tool_name":"f","content":"nine"}],
        "tools":[{"type":"function","function":{"name":"f",
          "description":"d","parameters":{"type":"object","properties":
          {"a":{"type":"integer"}}}}}]})");
  const Json text = At(reply.json(), "_debug_info.rendered_template");
  ASSERT_TRUE(text.is_string()) << reply.body;
  EXPECT_NE(text.as_string().find("call:f{a:1}"), std::string::npos);
  EXPECT_NE(text.as_string().find("nine"), std::string::npos);
}

TEST_F(OllamaTest, AnAnswerThatHasBegunIsContinued) {
  for (const char* think : {"", R"("think":true,)", R"("think":false,)"}) {
    const std::string body = std::string(R"({"model":"tiny","stream":false,)") +
                             think +
                             R"("options":{"num_predict":2},"messages":[
          {"role":"user","content":"x"},
          {"role":"assistant","content":"It begins"}])";
    const TestReply reply = Chat(body + "}");
    EXPECT_EQ(reply.status, 200) << reply.body;
    const Json text = At(Chat(body + R"(,"_debug_render_only":true})").json(),
                         "_debug_info.rendered_template");
    ASSERT_TRUE(text.is_string());
    EXPECT_TRUE(text.as_string().ends_with("It begins")) << text.as_string();
  }
}

TEST_F(OllamaTest, GenerateGoesOnFromItsContext) {
  const Json first = Call(Post("/api/generate",
                               R"({"model":"tiny","prompt":"one","stream":false,
                  "system":"be brief","think":false,
                  "options":{"num_predict":4,"seed":1}})"))
                         .json();
  ASSERT_TRUE(At(first, "response").is_string());
  Json second = *Json::Parse(
      R"({"model":"tiny","prompt":"two","think":false,
        "_debug_render_only":true})");
  second.Set("context", At(first, "context"));
  const Json text = At(Call(Post("/api/generate", second.Dump())).json(),
                       "_debug_info.rendered_template");
  ASSERT_TRUE(text.is_string());
  for (const char* part : {"be brief", "one", "two"}) {
    EXPECT_NE(text.as_string().find(part), std::string::npos) << part;
  }
}

TEST_F(OllamaTest, ARawPromptIsTakenAsItIs) {
  const Json body =
      Call(Post("/api/generate",
                R"({"model":"tiny","prompt":"abc","raw":true,"stream":false,
                  "options":{"num_predict":3,"seed":1}})"))
          .json();
  EXPECT_TRUE(At(body, "response").is_string());
  EXPECT_TRUE(At(body, "context").is_null());
  const auto tokens = host()->engine()->tokenizer().Encode("abc");
  EXPECT_EQ(At(body, "prompt_eval_count").as_int(),
            static_cast<int64_t>(tokens.size()) + 1);  // BOS
}

TEST_F(OllamaTest, EmptyRequestsLoadAndUnload) {
  const Json load = Chat(R"({"model":"tiny","keep_alive":"5m"})").json();
  EXPECT_EQ(At(load, "done_reason"), Json("load"));
  EXPECT_EQ(host()->last_keep_alive_s, std::optional<int64_t>(300));
  const Json unload =
      Call(Post("/api/generate", R"({"model":"tiny","keep_alive":0})")).json();
  EXPECT_EQ(At(unload, "done_reason"), Json("unload"));
  EXPECT_EQ(host()->unloaded, std::vector<std::string>{"tiny"});
}

TEST_F(OllamaTest, KeepAliveTakesNumbersAndDurations) {
  const std::pair<const char*, int64_t> kCases[] = {
      {"0", 0},        {"30", 30},   {"-1", -1},          {"\"5m\"", 300},
      {"\"-1m\"", -1}, {"\"0\"", 0}, {"\"1h30m\"", 5400}, {"\"100ms\"", 1}};
  for (const auto& [text, seconds] : kCases) {
    const Json value = *Json::Parse(text);
    const auto read = ReadKeepAlive(&value);
    ASSERT_TRUE(read.ok()) << text;
    EXPECT_EQ(*read, std::optional<int64_t>(seconds)) << text;
  }
  for (const char* text : {"\"5x\"", "\"\"", "true", "\"m\""}) {
    const Json value = *Json::Parse(text);
    EXPECT_FALSE(ReadKeepAlive(&value).ok()) << text;
  }
}

TEST_F(OllamaTest, ModelsAreListedShownAndRunning) {
  const Json tags = Call(Get("/api/tags")).json();
  EXPECT_EQ(At(tags, "models.0.name"), Json("tiny"));
  EXPECT_EQ(At(tags, "models.0.modified_at"), Json("2023-11-14T22:13:20Z"));
  const Json ps = Call(Get("/api/ps")).json();
  EXPECT_EQ(At(ps, "models.0.context_length"), Json(8192));
  const Json show = Call(Post("/api/show", R"({"model":"tiny"})")).json();
  EXPECT_EQ(At(show, "capabilities"),
            *Json::Parse(R"(["completion","tools","thinking"])"));
  EXPECT_EQ(At(show, "details.family"), Json("gemma4"));
  EXPECT_TRUE(show.Find("model_info")->Find("gemma4.context_length"));
  EXPECT_EQ(At(Call(Get("/api/version")).json(), "version"), Json("0.33.0"));
  EXPECT_EQ(Call(Get("/")).body, "Ollama is running");
}

TEST_F(OllamaTest, PullsReportProgressAndEndWithSuccess) {
  const TestReply reply = Call(Post("/api/pull", R"({"name":"tiny"})"));
  const std::vector<Json> lines = Lines(reply.body);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(At(lines[0], "status"), Json("pulling manifest"));
  EXPECT_EQ(At(lines[1], "status"), Json("pulling aaaaaaaaaaaa"));
  EXPECT_EQ(At(lines[1], "completed"), Json(5));
  EXPECT_EQ(At(lines[2], "status"), Json("success"));
  EXPECT_EQ(Call(Post("/api/pull", R"({"model":"nope"})")).status, 404);
}

TEST_F(OllamaTest, BlobsBecomeModels) {
  const std::string digest(64, 'b');
  HttpRequest head = Get("/api/blobs/sha256:" + digest);
  head.method = "HEAD";
  EXPECT_EQ(Call(head).status, 404);
  const std::string path = "/api/blobs/sha256:" + digest;
  EXPECT_EQ(Call(Post(path, "bytes")).status, 201);
  EXPECT_EQ(Call(Post(path, "bytes")).status, 200);
  EXPECT_EQ(Call(head).status, 200);
  const TestReply made =
      Call(Post("/api/create", R"({"model":"mine","stream":false,
        "files":{"m.gguf":"sha256:)" +
                                   digest + R"("}})"));
  EXPECT_EQ(made.status, 200) << made.body;
  EXPECT_EQ(host()->copies.back(), "mine");
  EXPECT_EQ(Call(Post("/api/blobs/sha256:../../etc", "x")).status, 400);
}

TEST_F(OllamaTest, ErrorsAreOneSentenceUnderError) {
  struct Case {
    const char* path;
    const char* body;
    int status;
    const char* part;
  };
  const Case kCases[] = {
      {"/api/chat", "", 400, "no body"},
      {"/api/chat", "{}", 400, "'model' is required"},
      {"/api/chat", R"({"model":"nope","messages":[{"role":"user"}]})", 404,
       "model 'nope' not found"},
      {"/api/chat", R"({"model":"tiny","messages":[{"role":"x"}]})", 400,
       "messages[0].role"},
      {"/api/chat", R"({"model":"tiny","messages":"x"})", 400, "'messages'"},
      {"/api/chat",
       R"({"model":"tiny","messages":[{"role":"user","images":["aGk="]}]})",
       400, "messages[0].images[0]"},
      {"/api/chat",
       R"({"model":"tiny","messages":[{"role":"user"}],"think":"lots"})", 400,
       "'think'"},
      {"/api/chat",
       R"({"model":"tiny","messages":[{"role":"user"}],
         "options":{"top_k":"many"}})",
       400, "options.top_k"},
      {"/api/chat",
       R"({"model":"tiny","messages":[{"role":"user"}],"format":3})", 400,
       "'format'"},
      {"/api/generate", R"({"model":"tiny","prompt":"x","suffix":"y"})", 400,
       "suffix"},
      {"/api/generate", R"({"model":"tiny","prompt":"x","template":"y"})", 400,
       "template"},
      {"/api/generate", R"({"model":"tiny","prompt":"x","context":[1,2]})", 400,
       "context"},
      {"/api/embed", R"({"model":"tiny","input":"x"})", 400, "embeddings"},
      {"/api/push", R"({"model":"tiny"})", 400, "upload"},
      {"/api/show", R"({"model":"nope"})", 404, "not found"},
      {"/api/create", R"({"model":"m"})", 400, "from"},
      {"/api/create", R"({"model":"m","from":"tiny","system":"s"})", 400,
       "system"},
      {"/api/nothing", "{}", 404, "nothing"}};
  for (const Case& test : kCases) {
    const TestReply reply = Call(Post(test.path, test.body));
    EXPECT_EQ(reply.status, test.status) << test.body << reply.body;
    const Json error = At(reply.json(), "error");
    ASSERT_TRUE(error.is_string()) << reply.body;
    EXPECT_NE(error.as_string().find(test.part), std::string::npos)
        << error.as_string();
  }
}

TEST(PackedConversationTest, ComesBackAsItWentIn) {
  const std::vector<Message> messages = {Message(Role::kSystem, "a"),
                                         Message(Role::kUser, "b\"\n"),
                                         Message(Role::kAssistant, "c")};
  const Json packed = PackConversation(messages);
  const auto back = UnpackConversation(packed);
  ASSERT_TRUE(back.ok()) << back.status().message();
  EXPECT_EQ(*back, messages);
  for (const char* foreign : {"[]", "[1,2,3]", "[8168103,900,1]", "3",
                              "[8168103,-1,1]", "[8168103,2,\"a\"]"}) {
    EXPECT_FALSE(UnpackConversation(*Json::Parse(foreign)).ok()) << foreign;
  }
}

}  // namespace
}  // namespace carat
