#include "chat/messages_json.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace carat {
namespace {

std::string ErrorOf(std::string_view text) {
  const Result<Conversation> result = ConversationFromJson(text);
  return result.ok() ? "no error" : result.status().message();
}

TEST(ConversationFromJson, ReadsTheOpenAiShape) {
  const Result<Conversation> result = ConversationFromJson(R"({
    "messages": [
      {"role": "developer", "content": "Rules"},
      {"role": "user", "content": [{"type": "text", "text": "What?"},
        {"type": "image_url", "image_url": {"url": "file.png"}},
        {"type": "input_audio", "input_audio": {"data": "AA==",
                                                "format": "mp3"}}]},
      {"role": "assistant", "content": null, "reasoning_content": "Hm",
       "tool_calls": [{"id": "c1", "type": "function", "function":
         {"name": "f", "arguments": "{\"n\": 1e-07}"}}]},
      {"role": "tool", "tool_call_id": "c1", "content": "ok"}],
    "tools": [{"type": "function", "function": {"name": "f",
      "parameters": {"type": "object"}}}],
    "enable_thinking": true})");
  ASSERT_TRUE(result.ok()) << result.status().message();
  const std::vector<Message>& m = result->messages;
  ASSERT_EQ(m.size(), 4u);
  EXPECT_EQ(m[0], Message(Role::kDeveloper, "Rules"));
  EXPECT_EQ(std::get<Media>(m[1].parts[1]).uri, "file.png");
  EXPECT_EQ(std::get<Media>(m[1].parts[2]).uri, "data:audio/mp3;base64,AA==");
  EXPECT_EQ(m[2].thought(), "Hm");
  EXPECT_EQ(std::get<ToolCall>(m[2].parts[1]),
            (ToolCall{"c1", "f", "{\"n\":1e-07}"}));
  EXPECT_EQ(std::get<ToolResult>(m[3].parts[0]).call_id, "c1");
  ASSERT_EQ(result->tools.size(), 1u);
  EXPECT_EQ(result->tools[0].parameters, R"({"type":"object"})");
  EXPECT_EQ(result->think, true);
  EXPECT_FALSE(result->generate.has_value());
}

TEST(ConversationFromJson, ReadsOtherShapesToo) {
  const Result<Conversation> result = ConversationFromJson(R"([
    {"role": "model", "thinking": "T", "content": "after",
     "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}],
     "tool_responses": [{"name": "f", "response": {"b": 2}}]},
    {"role": "tool", "content": {"x": 1}},
    {"role": "tool", "content": null}])");
  ASSERT_TRUE(result.ok()) << result.status().message();
  const std::vector<Message>& m = result->messages;
  ASSERT_EQ(m.size(), 5u);
  EXPECT_TRUE(m[0].has_tool_calls());
  EXPECT_EQ(std::get<ToolResult>(m[1].parts[0]).json, R"({"b":2})");
  EXPECT_EQ(m[2], Message(Role::kAssistant, "after"));
  EXPECT_EQ(std::get<ToolResult>(m[3].parts[0]).json, R"({"x":1})");
  EXPECT_EQ(std::get<ToolResult>(m[4].parts[0]).json, "null");
}

TEST(ConversationFromJson, ErrorsNameThePlace) {
  EXPECT_EQ(ErrorOf("{}"),
            "messages must be a list of messages, but it is missing.");
  EXPECT_EQ(ErrorOf("[1]"),
            "messages[0] must be an object, but it is of type "
            "number.");
  EXPECT_EQ(ErrorOf(R"([{"role":"bot"}])").substr(0, 31),
            "messages[0].role is \"bot\"; know");
  EXPECT_EQ(
      ErrorOf(R"([{"role":"user","content":[{"type":"pdf"}]}])").substr(0, 44),
      "messages[0].content[0] has the type \"pdf\"; k");
  EXPECT_EQ(ErrorOf(R"([{"role":"assistant","tool_calls":[{"function":
                    {"name":"f","arguments":"[1]"}}]}])"),
            "messages[0].tool_calls[0].function.arguments must be the text of "
            "a JSON object, but it is of type array.");
  EXPECT_EQ(ErrorOf(R"([{"role":"assistant","tool_calls":[{"function":
                    {"arguments":"{}"}}]}])"),
            "messages[0].tool_calls[0].function.name must be a non-empty "
            "string, but it is missing.");
  EXPECT_EQ(ErrorOf("[").substr(0, 27), "The messages cannot be read");
}

TEST(MessagesToJson, ReadsBackTheSame) {
  ToolResult result;
  result.call_id = "c";
  result.json = R"({"k":[1]})";
  ToolResult shot;
  shot.name = "shot";
  shot.content = "done";
  shot.media.push_back(Media{});
  shot.media.back().uri = "a.png";
  const std::vector<Message> messages = {
      Message(Role::kSystem, "S\n\"q\""),
      Message(Role::kUser, {Text{"a"}, Text{"b"}}),
      Message(Role::kAssistant,
              {Thought{"t"}, Text{"x"}, ToolCall{"c", "f", R"({"a":1e-07})"}}),
      Message(Role::kTool, {Part(result)}),
      Message(Role::kTool, {Part(shot)}),
  };
  const Result<Conversation> back =
      ConversationFromJson(MessagesToJson(messages));
  ASSERT_TRUE(back.ok()) << back.status().message();
  EXPECT_EQ(back->messages, messages);
}

}  // namespace
}  // namespace carat
