// /v1/messages as bytes, over a real engine on a tiny model.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "api/anthropic/read_request.h"
#include "api/router.h"
#include "api/test_host.h"

namespace carat {
namespace {

class AnthropicTest : public testing::Test {
 protected:
  TestReply Send(const std::string& body,
                 const std::string& path = "/v1/messages") {
    TestReply reply;
    api_.Handle(Post(path, body), &reply);
    return reply;
  }
  TestReply Ask(const std::string& members) {
    return Send(
        R"({"model":"tiny","messages":[{"role":"user","content":"hi"}],)"
        R"("seed":1,"max_tokens":20)" +
        (members.empty() ? "" : "," + members) + "}");
  }

  TestHost host_;
  Api api_{&host_, ApiOptions{}};
};

constexpr const char* kForcedDim =
    R"("tools":[{"name":"dim","description":"Dims","input_schema":{
        "type":"object","properties":{"level":{"type":"integer","minimum":0,
        "maximum":9}},"required":["level"]},"cache_control":{
        "type":"ephemeral"}}],"max_tokens":200,"tool_choice":{"type":"tool",
        "name":"dim","disable_parallel_tool_use":true})";

// A conversation whose prompt opens a thought itself.
constexpr const char* kThinking = R"({"messages":[
    {"role":"user","content":"hi"},
    {"role":"assistant","content":[
      {"type":"thinking","thinking":"hm","signature":"x"},
      {"type":"tool_use","id":"t1","name":"dim","input":{"level":2}}]},
    {"role":"user","content":[
      {"type":"tool_result","tool_use_id":"t1","content":[
        {"type":"text","text":"done"}]}]}],
    "tools":[{"name":"dim","input_schema":{"type":"object"}}],
    "tool_choice":{"type":"none"},"seed":3,"max_tokens":60,
    "thinking":{"type":"enabled","budget_tokens":20}%s})";

std::string Thinking(const std::string& more) {
  std::string text = kThinking;
  return text.replace(text.find("%s"), 2, more);
}

// Each event's JSON; checks that every event has its type as its name.
std::vector<Json> Events(const std::string& body) {
  std::vector<Json> out;
  size_t at = 0;
  while (at < body.size()) {
    const size_t end = body.find("\n\n", at);
    EXPECT_NE(end, std::string::npos) << "the last event is not closed";
    if (end == std::string::npos) break;
    const std::string event = body.substr(at, end - at);
    at = end + 2;
    const size_t line = event.find('\n');
    EXPECT_EQ(event.substr(0, 7), "event: ") << event;
    EXPECT_EQ(event.substr(line + 1, 6), "data: ") << event;
    out.push_back(*Json::Parse(event.substr(line + 7)));
    EXPECT_EQ(At(out.back(), "type"), Json(event.substr(7, line - 7)));
  }
  return out;
}

TEST_F(AnthropicTest, AnAnswerHasAnthropicsShape) {
  const TestReply reply = Ask("");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const Json body = reply.json();
  EXPECT_EQ(At(body, "id").as_string().substr(0, 4), "msg_");
  EXPECT_EQ(At(body, "type"), Json("message"));
  EXPECT_EQ(At(body, "role"), Json("assistant"));
  EXPECT_EQ(At(body, "content.0.type"), Json("text"));
  EXPECT_EQ(At(body, "stop_reason"), Json("max_tokens"));
  EXPECT_TRUE(body.Find("stop_sequence")->is_null());
  EXPECT_EQ(At(body, "usage.output_tokens"), Json(20));
  EXPECT_GT(At(body, "usage.input_tokens").as_int(), 0);
  EXPECT_EQ(reply.Header("request-id").substr(0, 4), "req_");
}

TEST_F(AnthropicTest, AStreamSpellsTheSameAnswerInOrder) {
  const Json whole = Ask("").json();
  const std::vector<Json> events = Events(Ask(R"("stream":true)").body);
  ASSERT_GE(events.size(), 7u);
  EXPECT_EQ(At(events[0], "type"), Json("message_start"));
  EXPECT_EQ(At(events[0], "message.content").Dump(), "[]");
  EXPECT_GT(At(events[0], "message.usage.input_tokens").as_int() +
                At(events[0], "message.usage.cache_read_input_tokens").as_int(),
            0);
  EXPECT_EQ(events[1].Dump(), R"({"type":"ping"})");
  EXPECT_EQ(events[2].Dump(), R"({"type":"content_block_start","index":0,)"
                              R"("content_block":{"type":"text","text":""}})");
  std::string text;
  for (const Json& event : events) {
    if (At(event, "delta.type") == Json("text_delta")) {
      text += At(event, "delta.text").as_string();
    }
  }
  EXPECT_EQ(Json(text), At(whole, "content.0.text"));
  const size_t n = events.size();
  EXPECT_EQ(events[n - 3].Dump(), R"({"type":"content_block_stop","index":0})");
  EXPECT_EQ(At(events[n - 2], "type"), Json("message_delta"));
  EXPECT_EQ(At(events[n - 2], "delta.stop_reason"), Json("max_tokens"));
  EXPECT_EQ(At(events[n - 2], "usage.output_tokens"), Json(20));
  EXPECT_EQ(events[n - 1].Dump(), R"({"type":"message_stop"})");
}

TEST_F(AnthropicTest, AForcedToolIsCalledOnceWithItsTypes) {
  const Json body = Ask(kForcedDim).json();
  EXPECT_EQ(At(body, "stop_reason"), Json("tool_use"));
  EXPECT_EQ(At(body, "content").as_array().size(), 1u);
  EXPECT_EQ(At(body, "content.0.type"), Json("tool_use"));
  EXPECT_EQ(At(body, "content.0.name"), Json("dim"));
  EXPECT_FALSE(At(body, "content.0.id").as_string().empty());
  EXPECT_TRUE(At(body, "content.0.input.level").is_int());
}

TEST_F(AnthropicTest, AStreamedCallArrivesAsFragmentsOfItsInput) {
  const Json whole = Ask(kForcedDim).json();
  std::string input;
  for (const Json& event :
       Events(Ask(std::string(kForcedDim) + R"(,"stream":true)").body)) {
    if (At(event, "content_block.type") == Json("tool_use")) {
      EXPECT_EQ(At(event, "content_block.input").Dump(), "{}");
    }
    const Json piece = At(event, "delta.partial_json");
    if (piece.is_string()) input += piece.as_string();
  }
  const auto parsed = Json::Parse(input);
  ASSERT_TRUE(parsed.ok()) << input;
  EXPECT_EQ(*parsed, At(whole, "content.0.input"));
}

TEST_F(AnthropicTest, ThoughtsAreBlocksWithASignature) {
  const Json body = Send(Thinking("")).json();
  ASSERT_EQ(At(body, "content.0.type"), Json("thinking")) << body.Dump();
  EXPECT_FALSE(At(body, "content.0.thinking").as_string().empty());
  EXPECT_FALSE(At(body, "content.0.signature").as_string().empty());
  EXPECT_GT(At(body, "usage.output_tokens_details.thinking_tokens").as_int(),
            0);
  std::string thought, signature;
  for (const Json& event : Events(Send(Thinking(R"(,"stream":true)")).body)) {
    const Json more = At(event, "delta.thinking");
    if (more.is_string()) thought += more.as_string();
    const Json mark = At(event, "delta.signature");
    if (mark.is_string()) signature = mark.as_string();
  }
  EXPECT_EQ(Json(thought), At(body, "content.0.thinking"));
  EXPECT_EQ(Json(signature), At(body, "content.0.signature"));
}

TEST_F(AnthropicTest, OmittedThoughtsKeepTheirBlockWithoutText) {
  std::string body = Thinking("");
  const size_t at = body.find("\"budget_tokens\"");
  body.insert(at, R"("display":"omitted",)");
  const Json answer = Send(body).json();
  EXPECT_EQ(At(answer, "content.0.type"), Json("thinking"));
  EXPECT_EQ(At(answer, "content.0.thinking"), Json(""));
  EXPECT_FALSE(At(answer, "content.0.signature").as_string().empty());
}

TEST_F(AnthropicTest, AStopSequenceIsReported) {
  const std::string text = At(Ask("").json(), "content.0.text").as_string();
  const size_t at = text.find_first_of("abcdefghijklmnopqrstuvwxyz", 1);
  ASSERT_NE(at, std::string::npos) << text;
  const std::string stop = text.substr(at, 1);
  const Json body = Ask(fmt::format(R"("stop_sequences":["{}"])", stop)).json();
  EXPECT_EQ(At(body, "stop_reason"), Json("stop_sequence"));
  EXPECT_EQ(At(body, "stop_sequence"), Json(stop));
}

TEST_F(AnthropicTest, ASchemaIsKept) {
  const Json body = Ask(R"("output_config":{"format":{"type":"json_schema",
      "schema":{"enum":["yes","no"]}}})")
                        .json();
  const Json text = At(body, "content.0.text");
  EXPECT_TRUE(text == Json("\"yes\"") || text == Json("\"no\""));
}

TEST_F(AnthropicTest, TokensAreCountedAsMessagesCountsThem) {
  const TestReply counted =
      Send(R"({"model":"tiny","messages":[{"role":"user","content":"hi"}]})",
           "/v1/messages/count_tokens");
  ASSERT_EQ(counted.status, 200) << counted.body;
  const Json usage = At(Ask("").json(), "usage");
  EXPECT_EQ(At(counted.json(), "input_tokens").as_int(),
            At(usage, "input_tokens").as_int() +
                At(usage, "cache_read_input_tokens").as_int());
}

TEST_F(AnthropicTest, ReadPromptsAreReportedAsCacheReads) {
  const std::string body = R"({"messages":[{"role":"user","content":")" +
                           std::string(600, 'a') +
                           R"("}],"max_tokens":2,"seed":1})";
  EXPECT_EQ(At(Send(body).json(), "usage.cache_read_input_tokens"), Json(0));
  EXPECT_GT(At(Send(body).json(), "usage.cache_read_input_tokens").as_int(), 0);
}

MessagesRequest Read(const std::string& body) {
  auto request = ReadMessagesRequest(*Json::Parse(body));
  EXPECT_TRUE(request.ok()) << request.status().message();
  return request.ok() ? *request : MessagesRequest();
}

TEST(AnthropicReadTest, TheVolatileSystemBlockIsDropped) {
  const auto request = Read(R"({"system":[
      {"type":"text","text":"x-anthropic-billing-header: cc_version=1; cch=2;"},
      {"type":"text","text":"You help.","cache_control":{"type":"ephemeral"}},
      {"type":"text","text":"Be kind."}],
      "messages":[{"role":"user","content":"hi"}]})");
  ASSERT_EQ(request.generate.messages.size(), 2u);
  EXPECT_EQ(request.generate.messages[0],
            Message(Role::kSystem, "You help.\nBe kind."));
}

TEST(AnthropicReadTest, ToolResultsStandAheadOfTheUsersText) {
  const auto request = Read(R"({"messages":[
      {"role":"user","content":"hi"},
      {"role":"assistant","content":[
        {"type":"tool_use","id":"a","name":"f","input":{"x":1}}]},
      {"role":"user","content":[
        {"type":"text","text":"and now?"},
        {"type":"tool_result","tool_use_id":"a","is_error":true,
         "content":"gone"}]}],"thinking":{"type":"adaptive"},
      "output_config":{"effort":"low"},
      "tool_choice":{"type":"any","disable_parallel_tool_use":true}})");
  ASSERT_EQ(request.generate.messages.size(), 4u);
  const Message& results = request.generate.messages[2];
  EXPECT_EQ(results.role, Role::kTool);
  const auto& result = std::get<ToolResult>(results.parts.at(0));
  EXPECT_EQ(result.content, "gone");
  EXPECT_TRUE(result.is_error);
  EXPECT_EQ(request.generate.messages[3].text(), "and now?");
  EXPECT_TRUE(request.generate.think);
  EXPECT_EQ(request.generate.max_thought_tokens, 1024);
  EXPECT_EQ(request.generate.tool_choice.mode, ToolChoice::Mode::kRequired);
  EXPECT_FALSE(request.generate.tool_choice.allow_parallel);
}

TEST(AnthropicReadTest, ALastAssistantMessageIsContinued) {
  EXPECT_TRUE(Read(R"({"messages":[{"role":"user","content":"hi"},
                      {"role":"assistant","content":"So"}]})")
                  .generate.continue_last_message);
}

TEST(AnthropicReadTest, ThinkingIsOffUnlessAskedFor) {
  EXPECT_FALSE(
      Read(R"({"messages":[{"role":"user","content":"hi"}]})").generate.think);
}

TEST_F(AnthropicTest, MalformedRequestsAreNamedInAnthropicsErrorShape) {
  const std::string user = R"("messages":[{"role":"user","content":"x"}])";
  const auto block = [](const std::string& json) {
    return R"({"messages":[{"role":"user","content":[)" + json + "]}]}";
  };
  const std::pair<std::string, std::string> cases[] = {
      {"", "no body"},
      {"7", "must be a JSON object"},
      {"{}", "'messages'"},
      {R"({"messages":[null]})", "messages[0] must be"},
      {R"({"messages":[{"role":"tool","content":"x"}]})", "'messages[0].role'"},
      {R"({"messages":[{"role":"user"}]})", "'messages[0].content'"},
      {block("5"), "messages[0].content[0] must be"},
      {block("{}"), "'messages[0].content[0].type'"},
      {block(R"({"type":"text"})"), "'messages[0].content[0].text'"},
      {block(R"({"type":"image","source":{}})"), "is an image"},
      {block(R"({"type":"document","source":{"type":"base64"}})"),
       "is a document"},
      {block(R"({"type":"tool_use","name":"x"})"), "tool_use"},
      {block(R"({"type":"tool_result"})"), "tool_use_id"},
      {block(R"({"type":"tool_result","tool_use_id":"x","content":3})"),
       "content[0].content"},
      {"{" + user + R"(,"system":4})", "'system'"},
      {"{" + user + R"(,"max_tokens":0})", "'max_tokens'"},
      {"{" + user + R"(,"tools":[{"name":""}]})", "'tools[0].name'"},
      {"{" + user + R"(,"tools":[{"type":"bash_20250124","name":"bash"}]})",
       "'tools[0].type'"},
      {"{" + user + R"(,"tool_choice":{"type":"tool"}})", "'tool_choice.name'"},
      {"{" + user + R"(,"tool_choice":{"type":"any"}})", "no tools"},
      {"{" + user + R"(,"thinking":{"type":"much"}})", "'thinking.type'"},
      {"{" + user + R"(,"thinking":{"type":"enabled","budget_tokens":0}})",
       "'thinking.budget_tokens'"},
      {"{" + user + R"(,"output_config":{"effort":"all"}})",
       "'output_config.effort'"},
      {"{" + user + R"(,"output_config":{"format":{"type":"xml"}}})",
       "'output_config.format.type'"},
      {"{" + user + R"(,"mcp_servers":[{}]})", "'mcp_servers'"},
      {"{" + user + R"(,"temperature":9000000000})", "temperature"},
  };
  for (const auto& [body, part] : cases) {
    const TestReply reply = Send(body);
    EXPECT_EQ(reply.status, 400) << body << reply.body;
    const Json error = reply.json();
    EXPECT_EQ(At(error, "type"), Json("error"));
    EXPECT_EQ(At(error, "error.type"), Json("invalid_request_error"));
    EXPECT_EQ(At(error, "request_id"), Json(reply.Header("request-id")));
    const std::string message = At(error, "error.message").as_string();
    EXPECT_NE(message.find(part), std::string::npos)
        << body << "\n  gave: " << message;
  }
}

TEST_F(AnthropicTest, UnknownModelsAndMethodsHaveTheirCodes) {
  const TestReply model =
      Send(R"({"model":"no","messages":[{"role":"user","content":"x"}]})");
  EXPECT_EQ(model.status, 404);
  EXPECT_EQ(At(model.json(), "error.type"), Json("not_found_error"));
  TestReply method;
  api_.Handle(Get("/v1/messages"), &method);
  EXPECT_EQ(method.status, 405);
}

}  // namespace
}  // namespace carat
