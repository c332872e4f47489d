// /v1/responses over a real engine, and its store.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "api/openai/read_responses.h"
#include "api/openai/response_store.h"
#include "api/router.h"
#include "api/test_host.h"

namespace carat {
namespace {

class OpenAiResponsesTest : public testing::Test {
 protected:
  TestReply Send(const std::string& body, const std::string& caller = "") {
    HttpRequest request = Post("/v1/responses", body);
    request.caller = caller;
    TestReply reply;
    api_.Handle(request, &reply);
    return reply;
  }
  TestReply Ask(const std::string& members) {
    return Send(R"({"model":"tiny","input":"hi","seed":1,)"
                R"("max_output_tokens":20)" +
                (members.empty() ? "" : "," + members) + "}");
  }

  TestHost host_;
  Api api_{&host_, ApiOptions{}};
};

constexpr const char* kForcedDim =
    R"("tools":[{"type":"function","name":"dim","parameters":{"type":"object",
        "properties":{"level":{"type":"integer","minimum":0,"maximum":9}},
        "required":["level"]}},{"type":"web_search"}],
        "tool_choice":{"type":"function","name":"dim"},
        "parallel_tool_calls":false,"max_output_tokens":200)";

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
    out.push_back(*Json::Parse(event.substr(line + 7)));
    EXPECT_EQ(At(out.back(), "type"), Json(event.substr(7, line - 7)));
    EXPECT_EQ(At(out.back(), "sequence_number"),
              Json(static_cast<int64_t>(out.size() - 1)));
  }
  return out;
}

TEST_F(OpenAiResponsesTest, AnAnswerHasTheShapeOfAResponse) {
  const TestReply reply = Ask(R"("metadata":{"a":"b"})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const Json body = reply.json();
  EXPECT_EQ(At(body, "object"), Json("response"));
  EXPECT_EQ(At(body, "status"), Json("incomplete"));
  EXPECT_EQ(At(body, "incomplete_details.reason"), Json("max_output_tokens"));
  EXPECT_EQ(At(body, "metadata.a"), Json("b"));
  EXPECT_EQ(At(body, "output.0.type"), Json("message"));
  EXPECT_EQ(At(body, "output.0.content.0.type"), Json("output_text"));
  EXPECT_EQ(At(body, "output.0.content.0.annotations").Dump(), "[]");
  EXPECT_EQ(At(body, "usage.output_tokens"), Json(20));
  EXPECT_EQ(At(body, "usage.total_tokens").as_int(),
            At(body, "usage.input_tokens").as_int() + 20);
}

TEST_F(OpenAiResponsesTest, AStreamAnnouncesTheSameItemsInOrder) {
  const Json whole = Ask("").json();
  const std::vector<Json> events = Events(Ask(R"("stream":true)").body);
  std::vector<std::string> order;
  std::string text;
  for (const Json& event : events) {
    const std::string type = At(event, "type").as_string();
    if (order.empty() || order.back() != type) order.push_back(type);
    if (type == "response.output_text.delta") {
      text += At(event, "delta").as_string();
    }
  }
  const std::vector<std::string> expected = {
      "response.created",           "response.in_progress",
      "response.output_item.added", "response.content_part.added",
      "response.output_text.delta", "response.output_text.done",
      "response.content_part.done", "response.output_item.done",
      "response.incomplete"};
  EXPECT_EQ(order, expected);
  EXPECT_EQ(Json(text), At(whole, "output.0.content.0.text"));
  EXPECT_EQ(At(events.back(), "response.output.0.content.0.text"), Json(text));
}

TEST_F(OpenAiResponsesTest, ACallIsAnItemAndHostedToolsAreLeftOut) {
  const Json body = Ask(kForcedDim).json();
  EXPECT_EQ(At(body, "status"), Json("completed"));
  const Json call = At(body, "output.0");
  EXPECT_EQ(At(call, "type"), Json("function_call"));
  EXPECT_EQ(At(call, "name"), Json("dim"));
  EXPECT_FALSE(At(call, "call_id").as_string().empty());
  EXPECT_TRUE(Json::Parse(At(call, "arguments").as_string()).ok());
  std::string arguments;
  bool done = false;
  for (const Json& event :
       Events(Ask(std::string(kForcedDim) + R"(,"stream":true)").body)) {
    const std::string type = At(event, "type").as_string();
    if (type == "response.function_call_arguments.delta") {
      arguments += At(event, "delta").as_string();
    } else if (type == "response.function_call_arguments.done") {
      done = true;
      EXPECT_EQ(At(event, "name"), Json("dim"));
      EXPECT_EQ(At(event, "arguments"), Json(arguments));
    }
  }
  EXPECT_TRUE(done);
}

TEST_F(OpenAiResponsesTest, AToolOfANamespaceIsCalledBackInIt) {
  const Json body = Ask(R"("tools":[{"type":"namespace","name":"mcp","tools":[
          {"type":"function","name":"go","parameters":{"type":"object"}}]}],
          "tool_choice":"required","parallel_tool_calls":false,
          "max_output_tokens":200)")
                        .json();
  EXPECT_EQ(At(body, "output.0.name"), Json("go")) << body.Dump();
  EXPECT_EQ(At(body, "output.0.namespace"), Json("mcp"));
}

TEST_F(OpenAiResponsesTest, ACustomToolGetsFreeText) {
  const Json body = Ask(R"("tools":[{"type":"custom","name":"patch"}],
      "tool_choice":{"type":"custom","name":"patch"},
      "parallel_tool_calls":false,"max_output_tokens":400)")
                        .json();
  EXPECT_EQ(At(body, "output.0.type"), Json("custom_tool_call")) << body.Dump();
  EXPECT_EQ(At(body, "output.0.name"), Json("patch"));
  EXPECT_TRUE(At(body, "output.0.input").is_string());
}

TEST_F(OpenAiResponsesTest, AConversationGoesOnFromAStoredAnswer) {
  const Json first = Ask("").json();
  const std::string id = At(first, "id").as_string();
  const Json second =
      Send(R"({"input":"and","max_output_tokens":4,"previous_response_id":")" +
           id + "\"}")
          .json();
  EXPECT_GT(At(second, "usage.input_tokens").as_int(),
            At(first, "usage.input_tokens").as_int());
  EXPECT_EQ(At(second, "previous_response_id"), Json(id));

  TestReply fetched;
  api_.Handle(Get("/v1/responses/" + id), &fetched);
  EXPECT_EQ(fetched.json(), first);
  HttpRequest remove = Get("/v1/responses/" + id);
  remove.method = "DELETE";
  TestReply removed;
  api_.Handle(remove, &removed);
  EXPECT_EQ(At(removed.json(), "deleted"), Json(true));
  const TestReply gone =
      Send(R"({"input":"x","previous_response_id":")" + id + "\"}");
  EXPECT_EQ(gone.status, 404);
  EXPECT_EQ(At(gone.json(), "error.code"), Json("previous_response_not_found"));
}

TEST_F(OpenAiResponsesTest, AnotherCallerDoesNotSeeAnAnswer) {
  const Json mine = Send(R"({"input":"hi","max_output_tokens":2})", "a").json();
  const std::string id = At(mine, "id").as_string();
  EXPECT_EQ(
      Send(R"({"input":"x","previous_response_id":")" + id + "\"}", "b").status,
      404);
  EXPECT_EQ(Send(R"({"input":"x","max_output_tokens":2,
                     "previous_response_id":")" +
                     id + "\"}",
                 "a")
                .status,
            200);
}

TEST_F(OpenAiResponsesTest, AnItemCanBeNamedInsteadOfSent) {
  const Json first = Ask("").json();
  const std::string item = At(first, "output.0.id").as_string();
  const std::string body = R"({"input":[{"role":"user","content":"hi"},)"
                           R"({"type":"item_reference","id":")" +
                           item +
                           R"("},{"role":"user","content":[{"type":"input_text",
      "text":"more"}]}],"max_output_tokens":2})";
  EXPECT_EQ(Send(body).status, 200);
  EXPECT_EQ(Send(body, "other").status, 400);
}

TEST_F(OpenAiResponsesTest, NothingIsKeptWithStoreFalse) {
  const Json body = Ask(R"("store":false)").json();
  TestReply reply;
  api_.Handle(Get("/v1/responses/" + At(body, "id").as_string()), &reply);
  EXPECT_EQ(reply.status, 404);
}

TEST_F(OpenAiResponsesTest, TokensAreCounted) {
  TestReply reply;
  api_.Handle(Post("/v1/responses/input_tokens", R"({"input":"hi"})"), &reply);
  EXPECT_EQ(At(reply.json(), "input_tokens"),
            At(Ask("").json(), "usage.input_tokens"));
}

ResponsesRequest Read(const std::string& body) {
  auto request =
      ReadResponsesRequest(*Json::Parse(body), ThinkDefault::kOff,
                           [](const std::string&) { return std::nullopt; });
  EXPECT_TRUE(request.ok()) << request.status().message();
  return request.ok() ? *request : ResponsesRequest();
}

TEST(OpenAiResponsesReadTest, ItemsOfOneTurnBecomeOneMessage) {
  const auto request = Read(R"({"instructions":"Be brief.","input":[
      {"role":"user","content":"hi"},
      {"type":"reasoning","id":"r","summary":[
        {"type":"summary_text","text":"hm"}],"encrypted_content":"x"},
      {"type":"web_search_call","id":"w"},
      {"type":"function_call","call_id":"c","namespace":"n","name":"f",
       "arguments":"{\"x\":1}"},
      {"type":"custom_tool_call","call_id":"d","name":"g","input":"a b"},
      {"type":"function_call_output","call_id":"c","output":[
        {"type":"input_text","text":"one"}]},
      {"type":"custom_tool_call_output","call_id":"d","output":"two"}],
      "reasoning":{"effort":"high"},
      "text":{"format":{"type":"json_schema","name":"s",
        "schema":{"type":"object"}}}})");
  const auto& messages = request.generate.messages;
  ASSERT_EQ(messages.size(), 4u);
  EXPECT_EQ(messages[0], Message(Role::kDeveloper, "Be brief."));
  ASSERT_EQ(messages[2].parts.size(), 3u);
  EXPECT_EQ(std::get<Thought>(messages[2].parts[0]).text, "hm");
  EXPECT_EQ(std::get<ToolCall>(messages[2].parts[1]).name, "n.f");
  EXPECT_EQ(std::get<ToolCall>(messages[2].parts[2]).arguments,
            R"({"input":"a b"})");
  ASSERT_EQ(messages[3].parts.size(), 2u);
  EXPECT_EQ(std::get<ToolResult>(messages[3].parts[0]).content, "one");
  EXPECT_TRUE(request.generate.think);
  EXPECT_EQ(request.generate.constraint.kind,
            OutputConstraint::Kind::kJsonSchema);
  EXPECT_EQ(request.instruction_messages, 1u);
}

TEST_F(OpenAiResponsesTest, MalformedRequestsAreNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {"{}", "'input'"},
      {R"({"input":[]})", "'input'"},
      {R"({"input":7})", "'input'"},
      {R"({"input":[7]})", "input[0] must be"},
      {R"({"input":[{"role":"tool","content":"x"}]})", "'input[0].role'"},
      {R"({"input":[{"role":"user"}]})", "'input[0].content'"},
      {R"({"input":[{"role":"user","content":[{"type":"input_image",
          "image_url":"data:"}]}]})",
       "is an image"},
      {R"({"input":[{"type":"function_call"}]})", "'input[0].name'"},
      {R"({"input":[{"type":"function_call_output"}]})", "'input[0].output'"},
      {R"({"input":[{"type":"item_reference","id":"x"}]})", "not stored"},
      {R"({"input":[{"type":"hat"}]})", "\"hat\""},
      {R"({"input":"x","background":true})", "'background'"},
      {R"({"input":"x","conversation":"c"})", "'conversation'"},
      {R"({"input":"x","text":{"format":{"type":"xml"}}})",
       "'text.format.type'"},
      {R"({"input":"x","tools":[{"type":"function"}]})", "'tools[0].name'"},
      {R"({"input":"x","tools":[{"type":"namespace"}]})", "'tools[0].name'"},
      {R"({"input":"x","tools":[5]})", "tools[0] must be"},
      {R"({"input":"x","top_logprobs":50})", "'top_logprobs'"},
      {R"({"input":"x","reasoning":{"effort":"some"}})", "'reasoning.effort'"},
  };
  for (const auto& [body, part] : cases) {
    const TestReply reply = Send(body);
    EXPECT_EQ(reply.status, 400) << body << reply.body;
    const std::string message = At(reply.json(), "error.message").as_string();
    EXPECT_NE(message.find(part), std::string::npos)
        << body << "\n  gave: " << message;
  }
}

StoredResponse Entry(const std::string& id, size_t bytes = 10) {
  Json item = Json::Object{{"id", "item-" + id}};
  Json output = Json::MakeArray();
  output.Append(std::move(item));
  return {.id = id,
          .caller = "",
          .response = Json::Object{{"output", std::move(output)},
                                   {"pad", std::string(bytes, 'x')}},
          .messages = {}};
}

TEST(ResponseStoreTest, TheOldestGoWhenThereAreTooMany) {
  ResponseStore store({.bytes = 1 << 20, .entries = 2});
  for (const char* id : {"a", "b", "c"}) store.Put(Entry(id));
  EXPECT_FALSE(store.Get("a", ""));
  EXPECT_FALSE(store.GetItem("item-a", ""));
  EXPECT_TRUE(store.Get("c", ""));
  EXPECT_TRUE(store.GetItem("item-c", ""));
}

TEST(ResponseStoreTest, TheOldestGoWhenTheyAreTooLarge) {
  ResponseStore store({.bytes = 3000, .entries = 100});
  for (const char* id : {"a", "b", "c"}) store.Put(Entry(id, 1200));
  EXPECT_FALSE(store.Get("a", ""));
  EXPECT_TRUE(store.Get("b", ""));
  EXPECT_LE(store.bytes(), 3000u);
  store.Put(Entry("huge", 5000));
  EXPECT_FALSE(store.Get("huge", ""));
  EXPECT_TRUE(store.Get("c", ""));
}

TEST(ResponseStoreTest, AnswersAreForgottenWithAge) {
  ResponseStore store;
  const auto start = ResponseStore::Clock::now();
  store.Put(Entry("a"), start);
  EXPECT_TRUE(store.Get("a", "", start + std::chrono::minutes(29)));
  EXPECT_FALSE(store.Get("a", "", start + std::chrono::minutes(31)));
  EXPECT_EQ(store.bytes(), 0u);
}

}  // namespace
}  // namespace carat
