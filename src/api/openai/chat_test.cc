// /v1/chat/completions as bytes, over a real engine on a tiny model.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "api/router.h"
#include "api/test_host.h"

namespace carat {
namespace {

class OpenAiChatTest : public testing::Test {
 protected:
  TestReply Ask(const std::string& members) {
    TestReply reply;
    api_.Handle(
        Post("/v1/chat/completions",
             R"({"model":"tiny","messages":[{"role":"user","content":"hi"}],)"
             R"("seed":1,"max_tokens":20)" +
                 (members.empty() ? "" : "," + members) + "}"),
        &reply);
    return reply;
  }
  std::string ErrorOf(const std::string& body) {
    TestReply reply;
    api_.Handle(Post("/v1/chat/completions", body), &reply);
    EXPECT_EQ(reply.status, 400) << body << reply.body;
    EXPECT_EQ(At(reply.json(), "error.type"), Json("invalid_request_error"));
    const Json message = At(reply.json(), "error.message");
    return message.is_string() ? message.as_string() : "";
  }

  TestHost host_;
  Api api_{&host_, ApiOptions{}};
};

constexpr const char* kDim =
    R"("tools":[{"type":"function","function":{"name":"dim",
        "description":"Dims","parameters":{"type":"object","properties":{
        "level":{"type":"integer","minimum":0,"maximum":9}},
        "required":["level"]}}}],"max_tokens":200)";

TEST_F(OpenAiChatTest, AnAnswerHasOpenAisShape) {
  const TestReply reply = Ask("");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.Header("content-type"), "application/json");
  const Json body = reply.json();
  EXPECT_EQ(At(body, "id").as_string().substr(0, 9), "chatcmpl-");
  EXPECT_EQ(At(body, "object"), Json("chat.completion"));
  EXPECT_EQ(At(body, "model"), Json("tiny"));
  EXPECT_EQ(At(body, "choices.0.message.role"), Json("assistant"));
  EXPECT_TRUE(At(body, "choices.0.message.content").is_string());
  EXPECT_EQ(At(body, "choices.0.finish_reason"), Json("length"));
  EXPECT_EQ(At(body, "usage.completion_tokens"), Json(20));
  EXPECT_EQ(At(body, "usage.total_tokens").as_int(),
            At(body, "usage.prompt_tokens").as_int() + 20);
}

// The data of each event; checks the framing on the way.
std::vector<std::string> Events(const std::string& body) {
  std::vector<std::string> out;
  size_t at = 0;
  while (at < body.size()) {
    const size_t end = body.find("\n\n", at);
    EXPECT_NE(end, std::string::npos) << "the last event is not closed";
    if (end == std::string::npos) break;
    const std::string event = body.substr(at, end - at);
    EXPECT_EQ(event.substr(0, 6), "data: ") << event;
    EXPECT_EQ(event.find('\n'), std::string::npos) << event;
    out.push_back(event.substr(6));
    at = end + 2;
  }
  return out;
}

TEST_F(OpenAiChatTest, AStreamSpellsTheSameAnswer) {
  const Json whole = Ask("").json();
  const TestReply reply =
      Ask(R"("stream":true,"stream_options":{"include_usage":true})");
  EXPECT_EQ(reply.Header("content-type"), "text/event-stream");
  EXPECT_EQ(reply.Header("content-length"), "");
  const std::vector<std::string> events = Events(reply.body);
  ASSERT_GE(events.size(), 5u);
  EXPECT_EQ(events.back(), "[DONE]");
  std::string text;
  for (size_t i = 0; i + 2 < events.size(); ++i) {
    const Json chunk = *Json::Parse(events[i]);
    EXPECT_EQ(At(chunk, "object"), Json("chat.completion.chunk"));
    EXPECT_NE(chunk.Find("usage"), nullptr);
    if (i == 0) {
      EXPECT_EQ(At(chunk, "choices.0.delta").Dump(),
                R"({"role":"assistant","content":""})");
    }
    const Json piece = At(chunk, "choices.0.delta.content");
    if (piece.is_string()) text += piece.as_string();
    const bool last = i + 3 == events.size();
    EXPECT_EQ(At(chunk, "choices.0.finish_reason"),
              last ? Json("length") : Json());
  }
  EXPECT_EQ(Json(text), At(whole, "choices.0.message.content"));
  const Json usage = *Json::Parse(events[events.size() - 2]);
  EXPECT_EQ(At(usage, "choices").Dump(), "[]");
  EXPECT_EQ(At(usage, "usage.completion_tokens"), Json(20));
}

TEST_F(OpenAiChatTest, ARequiredCallComesBackAsOne) {
  const Json body = Ask(std::string(kDim) + R"(,"tool_choice":"required",
          "parallel_tool_calls":false)")
                        .json();
  EXPECT_EQ(At(body, "choices.0.finish_reason"), Json("tool_calls"));
  EXPECT_TRUE(At(body, "choices.0.message.content").is_null());
  const Json call = At(body, "choices.0.message.tool_calls.0");
  EXPECT_EQ(At(call, "function.name"), Json("dim"));
  const auto arguments =
      Json::Parse(At(call, "function.arguments").as_string());
  ASSERT_TRUE(arguments.ok());
  EXPECT_TRUE(arguments->Find("level")->is_int());
}

TEST_F(OpenAiChatTest, AStreamedCallHasIndexIdAndNameFirst) {
  const TestReply reply =
      Ask(std::string(kDim) +
          R"(,"stream":true,"parallel_tool_calls":false,"tool_choice":
              {"type":"function","function":{"name":"dim"}})");
  std::string arguments;
  int heads = 0;
  for (const std::string& event : Events(reply.body)) {
    if (event == "[DONE]") continue;
    const Json call = At(*Json::Parse(event), "choices.0.delta.tool_calls.0");
    if (call.is_null()) continue;
    EXPECT_EQ(At(call, "index"), Json(0));
    if (!At(call, "id").is_null()) {
      ++heads;
      EXPECT_EQ(arguments, "");
      EXPECT_EQ(At(call, "function.name"), Json("dim"));
    }
    arguments += At(call, "function.arguments").as_string();
  }
  EXPECT_EQ(heads, 1);
  EXPECT_TRUE(Json::Parse(arguments).ok()) << arguments;
}

TEST_F(OpenAiChatTest, AllowedToolsAreTheOnlyOnesCalled) {
  for (int seed = 0; seed < 5; ++seed) {
    const Json body = Ask(fmt::format(
                              R"("seed":{},"max_tokens":200,"tools":[
        {{"type":"function","function":{{"name":"a"}}}},
        {{"type":"function","function":{{"name":"b"}}}}],
        "tool_choice":{{"type":"allowed_tools","allowed_tools":{{
          "mode":"required","tools":[
            {{"type":"function","function":{{"name":"b"}}}}]}}}},
        "parallel_tool_calls":false)",
                              seed))
                          .json();
    EXPECT_EQ(At(body, "choices.0.message.tool_calls.0.function.name"),
              Json("b"));
  }
}

TEST_F(OpenAiChatTest, ASchemaIsKeptInEverySpelling) {
  for (const char* format :
       {R"({"type":"json_schema","json_schema":{"name":"x","strict":true,
            "schema":{"enum":["yes","no"]}}})",
        R"({"type":"json_schema","schema":{"enum":["yes","no"]}})",
        R"({"type":"json_object","schema":{"enum":["yes","no"]}})"}) {
    const Json body =
        Ask(fmt::format(R"("response_format":{})", format)).json();
    const Json text = At(body, "choices.0.message.content");
    EXPECT_TRUE(text == Json("\"yes\"") || text == Json("\"no\"")) << format;
    EXPECT_EQ(At(body, "choices.0.finish_reason"), Json("stop"));
  }
}

TEST_F(OpenAiChatTest, ChoicesAreNumberedAndUsageCountsThePromptOnce) {
  const Json one = Ask("").json();
  const Json body = Ask(R"("n":3)").json();
  ASSERT_EQ(At(body, "choices").as_array().size(), 3u);
  EXPECT_EQ(At(body, "choices.2.index"), Json(2));
  EXPECT_EQ(At(body, "choices.0.message.content"),
            At(one, "choices.0.message.content"));
  EXPECT_EQ(At(body, "usage.prompt_tokens"), At(one, "usage.prompt_tokens"));
  EXPECT_EQ(At(body, "usage.completion_tokens"), Json(60));
}

TEST_F(OpenAiChatTest, LogprobsSpellTheContent) {
  const Json body = Ask(R"("logprobs":true,"top_logprobs":3)").json();
  const Json list = At(body, "choices.0.logprobs.content");
  ASSERT_TRUE(list.is_array());
  ASSERT_FALSE(list.as_array().empty());
  std::string bytes;
  for (const Json& entry : list.as_array()) {
    const Json spelled = At(entry, "bytes");
    for (const Json& byte : spelled.as_array()) {
      bytes += static_cast<char>(byte.as_int());
    }
    EXPECT_EQ(At(entry, "top_logprobs").as_array().size(), 3u);
    EXPECT_LE(At(entry, "logprob").as_double(), 0.0);
  }
  // Broken characters come out of the bytes as U+FFFD in the text.
  const std::string text = At(body, "choices.0.message.content").as_string();
  if (text.find("\xEF\xBF\xBD") == std::string::npos) {
    EXPECT_EQ(bytes.substr(0, text.size()), text);
  }
}

TEST_F(OpenAiChatTest, AStopStringEndsTheAnswer) {
  const std::string text =
      At(Ask("").json(), "choices.0.message.content").as_string();
  ASSERT_GE(text.size(), 4u);
  // A run of letters inside the noise.
  const size_t at = text.find_first_of("abcdefghijklmnopqrstuvwxyz", 1);
  ASSERT_NE(at, std::string::npos) << text;
  const std::string stop = text.substr(at, 1);
  const Json body = Ask(fmt::format(R"("stop":["{}"])", stop)).json();
  EXPECT_EQ(At(body, "choices.0.finish_reason"), Json("stop"));
  EXPECT_EQ(At(body, "choices.0.message.content").as_string().find(stop),
            std::string::npos);
}

TEST_F(OpenAiChatTest, AClientThatLeavesEndsTheStream) {
  TestReply reply;
  reply.gone_after = 2;
  api_.Handle(Post("/v1/chat/completions",
                   R"({"messages":[{"role":"user","content":"hi"}],
                       "response_format":{"type":"json_schema","json_schema":{
                           "name":"long","schema":{"type":"string",
                                                   "minLength":3000}}},
                       "stream":true,"max_tokens":4000})"),
              &reply);
  // Too long an answer to end before anybody looks whether the client is there.
  EXPECT_EQ(reply.body.find("[DONE]"), std::string::npos);
}

TEST_F(OpenAiChatTest, MalformedRequestsAreNamedInOpenAisErrorShape) {
  const std::string user = R"("messages":[{"role":"user","content":"x"}])";
  const std::pair<std::string, std::string> cases[] = {
      {"", "no body"},
      {"[1]", "must be a JSON object, found array"},
      {"{\"a\":", "invalid JSON at byte"},
      {"{}", "'messages' must be a non-empty array"},
      {R"({"messages":[]})", "'messages'"},
      {R"({"messages":{}})", "'messages'"},
      {R"({"messages":[1]})", "messages[0] must be a JSON object"},
      {R"({"messages":[{"content":"x"}]})", "'messages[0].role'"},
      {R"({"messages":[{"role":"king","content":"x"}]})", "\"king\""},
      {R"({"messages":[{"role":"user"}]})", "'messages[0].content'"},
      {R"({"messages":[{"role":"user","content":7}]})", "found integer"},
      {R"({"messages":[{"role":"user","content":[{"type":"text"}]}]})",
       "'messages[0].content[0].text'"},
      {R"({"messages":[{"role":"user","content":[{"type":"image_url",
          "image_url":{"url":"data:,"}}]}]})",
       "'messages[0].content[0]' is an image"},
      {R"({"messages":[{"role":"user","content":[{"type":"input_audio",
          "input_audio":{"data":"","format":"wav"}}]}]})",
       "is audio"},
      {R"({"messages":[{"role":"user","content":[{"type":"hat"}]}]})",
       "\"hat\""},
      {R"({"messages":[{"role":"tool","tool_call_id":"x","content":"y"}]})",
       "tool result"},
      {"{" + user + R"(,"n":0})", "'n' must be from 1 to 16"},
      {"{" + user + R"(,"temperature":"hot"})",
       "'temperature' must be a number"},
      {"{" + user + R"(,"temperature":-1})", "temperature"},
      {"{" + user + R"(,"stream":"yes"})", "'stream'"},
      {"{" + user + R"(,"top_logprobs":3})", "'top_logprobs'"},
      {"{" + user + R"(,"logprobs":true,"top_logprobs":21})", "0 to 20"},
      {"{" + user + R"(,"stop":[1]})", "'stop'"},
      {"{" + user + R"(,"max_tokens":-5})", "'max_tokens'"},
      {"{" + user + R"(,"logit_bias":{"x":1}})", "'logit_bias'"},
      {"{" + user + R"(,"reasoning_effort":"some"})", "'reasoning_effort'"},
      {"{" + user + R"(,"functions":[]})", "'functions'"},
      {"{" + user + R"(,"modalities":["audio"]})", "'modalities'"},
      {"{" + user + R"(,"tool_choice":"maybe"})", "'tool_choice'"},
      {"{" + user + R"(,"tool_choice":"required"})", "no tools"},
      {"{" + user + R"(,"tools":[{"type":"web_search"}]})", "'tools[0].type'"},
      {"{" + user + R"(,"tools":[{"type":"function","function":{}}]})",
       "'tools[0].function.name'"},
      {"{" + user + R"(,"tools":[{"type":"function","function":{"name":"a"}},
          {"type":"function","function":{"name":"a"}}]})",
       "earlier tool"},
      {"{" + user + R"(,"response_format":{"type":"xml"}})",
       "'response_format.type'"},
      {"{" + user + R"(,"response_format":{"type":"json_schema"}})",
       "'response_format.schema'"},
      {"{" + user + R"(,"continue_final_message":true})",
       "'continue_final_message'"},
  };
  for (const auto& [body, part] : cases) {
    const std::string message = ErrorOf(body);
    EXPECT_NE(message.find(part), std::string::npos)
        << body << "\n  gave: " << message;
  }
}

TEST_F(OpenAiChatTest, UnknownModelsAndPathsAndMethodsHaveTheirCodes) {
  TestReply model;
  api_.Handle(Post("/v1/chat/completions",
                   R"({"model":"no","messages":[{"role":"user",
                       "content":"x"}]})"),
              &model);
  EXPECT_EQ(model.status, 404);
  EXPECT_EQ(At(model.json(), "error.code"), Json("model_not_found"));
  TestReply path;
  api_.Handle(Get("/v1/nothing"), &path);
  EXPECT_EQ(path.status, 404);
  TestReply method;
  api_.Handle(Get("/v1/chat/completions"), &method);
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.Header("allow"), "POST");
}

TEST_F(OpenAiChatTest, ThinkingComesBackUnderBothNames) {
  // After a tool result the prompt opens the thought itself.
  TestReply reply;
  api_.Handle(Post("/v1/chat/completions", R"({"messages":[
      {"role":"user","content":"hi"},
      {"role":"assistant","content":null,"tool_calls":[{"id":"c1",
        "type":"function","function":{"name":"dim","arguments":"{}"}}]},
      {"role":"tool","tool_call_id":"c1","content":[
        {"type":"text","text":"done"}]}],
      "tools":[{"type":"function","function":{"name":"dim"}}],
      "tool_choice":"none","seed":3,"max_tokens":60,
      "reasoning_effort":"low"})"),
              &reply);
  ASSERT_EQ(reply.status, 200) << reply.body;
  const Json message = At(reply.json(), "choices.0.message");
  EXPECT_TRUE(At(message, "reasoning").is_string()) << reply.body;
  EXPECT_EQ(At(message, "reasoning"), At(message, "reasoning_content"));
  EXPECT_GT(At(reply.json(), "usage.completion_tokens_details.reasoning_tokens")
                .as_int(),
            0);
}

}  // namespace
}  // namespace carat
