#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "chat/chat_format.h"
#include "chat/fake_tokenizer.h"

namespace carat {
namespace {

std::unique_ptr<ChatFormat> Format(std::string_view name) {
  return std::move(MakeChatFormat(name)).value();
}

std::string Render(std::string_view format,
                   const std::vector<Message>& messages,
                   const RenderOptions& options = {}) {
  const Result<RenderedPrompt> prompt =
      Format(format)->Render(messages, options);
  if (!prompt.ok()) return "error: " + prompt.status().message();
  return SegmentsToString(prompt->segments);
}

Message Called(std::string id, std::string name, std::string arguments) {
  return Message(Role::kAssistant, {ToolCall{std::move(id), std::move(name),
                                             std::move(arguments)}});
}

Message Answered(std::string id, std::string content) {
  ToolResult result;
  result.call_id = std::move(id);
  result.content = std::move(content);
  return Message(Role::kTool, {Part(std::move(result))});
}

TEST(Gemma4Format, ContinuesInsideTheLastAssistantMessage) {
  RenderOptions options{.ending = PromptEnding::kPrefill};
  EXPECT_EQ(Render("gemma4-large",
                   {Message(Role::kUser, "Hi"),
                    Message(Role::kAssistant, "I think ")},
                   options),
            "<bos><|turn>user\nHi<turn|>\n<|turn>model\nI think");
  EXPECT_EQ(Render("gemma4-small", {Message(Role::kUser, "Hi")}, options),
            "error: To go on inside the last message it must be the "
            "assistant's and hold no tool calls.");
}

TEST(Gemma4Format, PrefilledThoughtStaysOpen) {
  const std::vector<Message> messages = {
      Message(Role::kUser, "Hi"),
      Message(Role::kAssistant, std::vector<Part>{Thought{"First,"}})};
  const Result<RenderedPrompt> prompt =
      Format("gemma4-small")
          ->Render(messages, {.think = true, .ending = PromptEnding::kPrefill});
  ASSERT_TRUE(prompt.ok());
  EXPECT_EQ(prompt->state, OutputState::kThought);
  EXPECT_TRUE(SegmentsToString(prompt->segments)
                  .ends_with("<|turn>model\n<|channel>thought\nFirst,"));
}

TEST(Gemma4Format, PrimedThoughtIsReportedAsTheOpenState) {
  const std::vector<Message> messages = {Message(Role::kUser, "Oslo?"),
                                         Called("1", "f", "{}"),
                                         Answered("1", "5C")};
  const Result<RenderedPrompt> thinking =
      Format("gemma4-small")->Render(messages, {.think = true});
  EXPECT_EQ(thinking->state, OutputState::kThought);
  const Result<RenderedPrompt> plain =
      Format("gemma4-small")->Render(messages, {});
  EXPECT_EQ(plain->state, OutputState::kContent);
}

TEST(Gemma4Format, InterruptedCallClosesItsTurn) {
  EXPECT_EQ(
      Render("gemma4-small", {Message(Role::kUser, "a"), Called("1", "f", ""),
                              Message(Role::kUser, "b")}),
      "<bos><|turn>user\na<turn|>\n<|turn>model\n<|tool_call>call:f{}"
      "<tool_call|><turn|>\n<|turn>user\nb<turn|>\n<|turn>model\n");
}

TEST(Gemma4Format, TextStaysBeforeTheCallsItIntroduced) {
  const std::string text = Render(
      "gemma4-small",
      {Message(Role::kUser, "a"),
       Message(Role::kAssistant, {Text{"Let me see."}, ToolCall{"1", "f", ""}}),
       Answered("1", "r"), Message(Role::kAssistant, "Done."),
       Message(Role::kUser, "b")});
  EXPECT_NE(text.find("<|turn>model\nLet me see.<|tool_call>call:f{}"
                      "<tool_call|><|tool_response>response:f{value:<|\"|>r"
                      "<|\"|>}<tool_response|>Done.<turn|>\n<|turn>user\nb"),
            std::string::npos)
      << text;
}

TEST(Gemma4Format, ResultsWithoutIdsAnswerTheCallsInOrder) {
  const std::string text = Render(
      "gemma4-small", {Message(Role::kAssistant,
                               {ToolCall{"", "f", ""}, ToolCall{"", "g", ""}}),
                       Answered("", "one"), Answered("", "two")});
  EXPECT_NE(text.find("response:f{value:<|\"|>one"), std::string::npos);
  EXPECT_NE(text.find("response:g{value:<|\"|>two"), std::string::npos);
}

TEST(Gemma4Format, ObjectResultsAreShownAsObjectsWhenAskedFor) {
  const std::vector<Message> messages = {Called("1", "f", ""),
                                         Answered("1", R"({"b":1,"A":[2.0]})")};
  EXPECT_NE(Render("gemma4-small", messages, {.parse_json_results = true})
                .find("response:f{A:[2.0],b:1}"),
            std::string::npos);
  EXPECT_NE(Render("gemma4-small", messages)
                .find("response:f{value:<|\"|>{\"b\":1,\"A\":[2.0]}<|\"|>}"),
            std::string::npos);
}

TEST(Gemma4Format, MisplacedPartsAreErrors) {
  EXPECT_EQ(Render("gemma4-small", {Answered("1", "x")}).substr(0, 38),
            "error: A tool result answers no call: ");
  EXPECT_EQ(Render("gemma4-small", {Called("a", "f", ""), Answered("b", "x")})
                .substr(0, 42),
            "error: A tool result answers the call \"b\",");
  EXPECT_EQ(
      Render("gemma4-small", {Message(Role::kUser, {ToolCall{"", "f", ""}})}),
      "error: A message of role user holds a tool call; only the "
      "assistant calls tools.");
  EXPECT_EQ(Render("gemma4-small", {Called("1", "f", "[1]")}),
            "error: The arguments of the call of \"f\" must be a JSON object, "
            "but they are of type array.");
  RenderOptions bad;
  bad.tools = {
      {.name = "f", .description = "", .parameters = "{\"a\"", .response = ""}};
  EXPECT_TRUE(
      Render("gemma4-small", {}, bad)
          .starts_with("error: The parameter schema of the tool \"f\" is "));
}

TEST(Gemma3Format, MergesNeighboursAndPutsInstructionsInFront) {
  EXPECT_EQ(Render("gemma3",
                   {Message(Role::kSystem, " S "), Message(Role::kUser, " a "),
                    Message(Role::kUser, "b"), Message(Role::kAssistant, "c"),
                    Message(Role::kSystem, "T"), Message(Role::kUser, "d")}),
            "<bos><start_of_turn>user\n S \n\na\n\nb<end_of_turn>\n"
            "<start_of_turn>model\nc<end_of_turn>\n<start_of_turn>user\nT\n\nd"
            "<end_of_turn>\n<start_of_turn>model\n");
}

TEST(Gemma3Format, RefusesWhatItHasNoNotationFor) {
  RenderOptions options;
  options.tools = {
      {.name = "f", .description = "", .parameters = "", .response = ""}};
  EXPECT_EQ(Render("gemma3", {Message(Role::kUser, "a")}, options).substr(0, 6),
            "error:");
  EXPECT_EQ(Render("gemma3", {Called("1", "f", "")}).substr(0, 6), "error:");
  EXPECT_EQ(Render("gemma3", {Message(Role::kUser, "a")}, {.think = true})
                .substr(0, 6),
            "error:");
}

TEST(FunctionGemmaFormat, RendersThePublishedTranscript) {
  RenderOptions options;
  options.tools = {
      {.name = "get_current_weather",
       .description = "Gets the weather",
       .parameters =
           R"({"type":"object","properties":{"unit":{"type":"string",
           "description":"U","enum":["c","f"]},"location":{"type":"string",
           "description":"L"}},"required":["location"]})",
       .response = ""}};
  const std::string declared =
      "<bos><start_of_turn>developer\nYou are a model that can do function "
      "calling with the following functions<start_function_declaration>"
      "declaration:get_current_weather{description:<escape>Gets the weather"
      "<escape>,parameters:{properties:{location:{description:<escape>L"
      "<escape>,type:<escape>STRING<escape>},unit:{description:<escape>U"
      "<escape>,enum:[<escape>c<escape>,<escape>f<escape>],type:<escape>STRING"
      "<escape>}},required:[<escape>location<escape>],type:<escape>OBJECT"
      "<escape>}}<end_function_declaration><end_of_turn>\n"
      "<start_of_turn>user\nTokyo?<end_of_turn>\n<start_of_turn>model\n";
  std::vector<Message> messages = {Message(Role::kUser, "Tokyo?")};
  EXPECT_EQ(Render("functiongemma", messages, options), declared);
  messages.push_back(
      Called("1", "get_current_weather", R"({"location":"Tokyo, Japan"})"));
  const std::string called =
      declared +
      "<start_function_call>call:get_current_weather{location:<escape>Tokyo, "
      "Japan<escape>}<end_function_call><start_function_response>";
  EXPECT_EQ(Render("functiongemma", messages, options), called);
  messages.push_back(Answered("1", R"({"weather":"sunny","temperature":15})"));
  EXPECT_EQ(Render("functiongemma", messages, options),
            called +
                "response:get_current_weather{temperature:15,weather:<escape>"
                "sunny<escape>}<end_function_response>");
  messages.emplace_back(Role::kAssistant, "Sunny.");
  messages.emplace_back(Role::kUser, "Thanks");
  EXPECT_TRUE(Render("functiongemma", messages, options)
                  .ends_with("<end_function_response>Sunny.<end_of_turn>\n"
                             "<start_of_turn>user\nThanks<end_of_turn>\n"
                             "<start_of_turn>model\n"));
}

TEST(PlainFormat, IsTextAndNothingElse) {
  EXPECT_EQ(Render("none", {Message(Role::kUser, " Once upon a time ")}),
            "<bos> Once upon a time ");
  EXPECT_EQ(Render("none", {Called("1", "f", "")}).substr(0, 6), "error:");
}

std::string Detected(const FormatHints& hints, std::string_view forced = {}) {
  const Result<std::unique_ptr<ChatFormat>> format =
      DetectChatFormat(hints, forced);
  return format.ok() ? std::string((*format)->name())
                     : "error: " + format.status().message();
}

TEST(DetectChatFormat, RecognisesFamiliesByTheMarksInTheirTemplates) {
  EXPECT_EQ(Detected({.chat_template = "{{ '<start_of_turn>' + role }}"}),
            "gemma3");
  EXPECT_EQ(
      Detected({.chat_template = "'<|turn>' '<|tool_call>call:' tool_call_id"}),
      "gemma4-small");
  EXPECT_EQ(
      Detected({.chat_template = "'<|turn>' '<|channel>thought\\n<channel|>'"}),
      "gemma4-large");
  EXPECT_EQ(Detected({.chat_template =
                          "<start_of_turn> <start_function_declaration>"}),
            "functiongemma");
  EXPECT_EQ(Detected({}), "none");
}

TEST(DetectChatFormat, LaunchTemplateTakesItsSizeFromTheModel) {
  FormatHints hints{.chat_template = "'<|turn>' '<|tool_call>call:'"};
  EXPECT_EQ(Detected(hints), "gemma4-large");
  hints.per_layer_embeddings = true;
  EXPECT_EQ(Detected(hints), "gemma4-small");
}

TEST(DetectChatFormat, ForeignTemplateIsRefusedWithWhatWasFound) {
  const std::string error = Detected(
      {.chat_template = "{{'<|im_start|>' + role}}", .architecture = "gemma3"});
  EXPECT_NE(error.find("ChatML"), std::string::npos) << error;
  EXPECT_NE(error.find("--chat-format"), std::string::npos) << error;
  EXPECT_NE(error.find("gemma4-small"), std::string::npos) << error;
  EXPECT_EQ(Detected({.chat_template = "{{'<|im_start|>'}}"}, "gemma3"),
            "gemma3");
  EXPECT_NE(Detected({.chat_template = "<start_of_turn> source_lang_code"})
                .find("TranslateGemma"),
            std::string::npos);
}

TEST(DetectChatFormat, UsesTheVocabulary) {
  const FakeTokenizer functions({"<start_function_call>", "<end_of_turn>"});
  EXPECT_EQ(Detected({.tokenizer = &functions}), "functiongemma");
  const FakeTokenizer bare({});
  EXPECT_NE(Detected({.chat_template = "<start_of_turn>", .tokenizer = &bare})
                .find("vocabulary"),
            std::string::npos);
  EXPECT_EQ(Detected({}, "gemma5").substr(0, 35),
            "error: There is no chat format \"gem");
}

TEST(MakeChatFormat, EveryListedNameExists) {
  for (const std::string_view name : ChatFormatNames()) {
    const Result<std::unique_ptr<ChatFormat>> format = MakeChatFormat(name);
    ASSERT_TRUE(format.ok()) << name;
    EXPECT_EQ((*format)->name(), name);
  }
}

}  // namespace
}  // namespace carat
