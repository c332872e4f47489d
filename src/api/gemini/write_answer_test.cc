// Gemini's framing to the byte, from given events.
#include "api/gemini/write_answer.h"

#include <gtest/gtest.h>

#include <string>

#include "api/gemini/write_interaction.h"
#include "api/ollama/write_answer.h"

namespace carat {
namespace {

// Replaces the value of a member that differs each time.
std::string Without(std::string text, const std::string& member) {
  const std::string key = "\"" + member + "\":\"";
  for (size_t at = 0; (at = text.find(key, at)) != text.npos;) {
    at += key.size();
    text.replace(at, text.find('"', at) - at, "*");
  }
  return text;
}

std::string Gemini(GeminiWriter* writer, const GenerateEvent& event) {
  std::string out;
  writer->Add(0, event, &out);
  return Without(out, "responseId");
}

Done Finished(FinishReason reason) {
  Done done;
  done.reason = reason;
  done.usage = {.prompt_tokens = 7,
                .cached_tokens = 0,
                .output_tokens = 5,
                .thought_tokens = 2};
  return done;
}

TEST(GeminiWriterTest, EventsAreDataLinesWithAPartEach) {
  GeminiWriter writer({.body = GeminiBody::kEvents, .model = "m"}, nullptr);
  EXPECT_EQ(Gemini(&writer, TextDelta{"a\nb"}),
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":"
            "\"a\\nb\"}],\"role\":\"model\"},\"index\":0}],"
            "\"modelVersion\":\"m\",\"responseId\":\"*\"}\n\n");
  // Hidden thoughts and the pieces of a call say nothing yet.
  EXPECT_EQ(Gemini(&writer, ThoughtDelta{"t"}), "");
  EXPECT_EQ(Gemini(&writer, PromptDone{}), "");
  EXPECT_EQ(Gemini(&writer, ToolCallDelta{0, "{"}), "");
  EXPECT_EQ(Gemini(&writer, ToolCallDone{0, {"i", "f", "{\"a\":1}"}}),
            "data: {\"candidates\":[{\"content\":{\"parts\":[{"
            "\"functionCall\":{\"id\":\"i\",\"name\":\"f\",\"args\":{\"a\":1}}}"
            "],\"role\":\"model\"},\"index\":0}],\"modelVersion\":\"m\","
            "\"responseId\":\"*\"}\n\n");
  EXPECT_EQ(Gemini(&writer, Finished(FinishReason::kToolCalls)),
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],"
            "\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}],"
            "\"usageMetadata\":{\"promptTokenCount\":7,"
            "\"candidatesTokenCount\":3,\"thoughtsTokenCount\":2,"
            "\"totalTokenCount\":12,\"promptTokensDetails\":[{\"modality\":"
            "\"TEXT\",\"tokenCount\":7}]},\"modelVersion\":\"m\","
            "\"responseId\":\"*\"}\n\n");
  std::string end;
  writer.End(&end);
  EXPECT_EQ(end, "");  // no [DONE]: official clients fail on it
}

TEST(GeminiWriterTest, AKeepAliveIsAChunkWithAnEmptyText) {
  GeminiWriter events({.body = GeminiBody::kEvents, .model = "m"}, nullptr);
  EXPECT_EQ(Without(events.KeepAlive(), "responseId"),
            "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],"
            "\"role\":\"model\"},\"index\":0}],\"modelVersion\":\"m\","
            "\"responseId\":\"*\"}\n\n");
  GeminiWriter whole({.model = "m"}, nullptr);
  EXPECT_EQ(whole.KeepAlive(), " ");
}

TEST(GeminiWriterTest, AnErrorMidStreamIsAnEventOfItsOwn) {
  GeminiWriter writer({.body = GeminiBody::kEvents, .model = "m"}, nullptr);
  Gemini(&writer, TextDelta{"a"});
  Done done = Finished(FinishReason::kError);
  done.error = "It broke.";
  EXPECT_EQ(Gemini(&writer, done),
            "data: {\"error\":{\"code\":500,\"message\":\"It broke.\","
            "\"status\":\"INTERNAL\"}}\n\n");
}

TEST(GeminiWriterTest, FinishReasonsAreThoseOfTheProtocol) {
  EXPECT_STREQ(GeminiFinishReason(FinishReason::kStopString), "STOP");
  EXPECT_STREQ(GeminiFinishReason(FinishReason::kContextFull), "MAX_TOKENS");
  EXPECT_STREQ(GeminiFinishReason(FinishReason::kMalformedCall),
               "MALFORMED_FUNCTION_CALL");
  EXPECT_STREQ(GeminiFinishReason(FinishReason::kRepetition), "OTHER");
}

TEST(InteractionWriterTest, StepsOpenAndCloseAroundTheirDeltas) {
  InteractionWriter writer({.id = "i", .model = "m", .stream = true});
  std::string out;
  writer.Add(0, TextDelta{"a"}, &out);
  out.clear();
  writer.Add(0, ToolCallStart{0, "c", "f"}, &out);
  EXPECT_EQ(Without(out, "event_id"),
            "event: step.stop\ndata: {\"index\":0,\"event_type\":"
            "\"step.stop\",\"event_id\":\"*\"}\n\n"
            "event: step.start\ndata: {\"index\":1,\"step\":{\"type\":"
            "\"function_call\",\"id\":\"c\",\"name\":\"f\",\"arguments\":{}},"
            "\"event_type\":\"step.start\",\"event_id\":\"*\"}\n\n");
  EXPECT_EQ(writer.KeepAlive(), ": keep-alive\n\n");
}

TEST(OllamaWriterTest, LinesAndKeepAlivesAreObjects) {
  OllamaWriter writer({.chat = true, .stream = true, .model = "m"}, nullptr);
  std::string out;
  writer.Add(0, TextDelta{"a"}, &out);
  EXPECT_EQ(Without(out, "created_at"),
            "{\"model\":\"m\",\"created_at\":\"*\",\"message\":{\"role\":"
            "\"assistant\",\"content\":\"a\"},\"done\":false}\n");
  EXPECT_EQ(Without(writer.KeepAlive(), "created_at"),
            "{\"model\":\"m\",\"created_at\":\"*\",\"message\":{\"role\":"
            "\"assistant\",\"content\":\"\"},\"done\":false}\n");
  out.clear();
  Done done = Finished(FinishReason::kError);
  done.error = "It broke.";
  writer.Add(0, done, &out);
  EXPECT_EQ(out, "{\"error\":\"It broke.\"}\n");

  OllamaWriter generate({.chat = false, .stream = true, .model = "m"}, nullptr);
  out.clear();
  generate.Add(0, ThoughtDelta{"t"}, &out);
  EXPECT_EQ(Without(out, "created_at"),
            "{\"model\":\"m\",\"created_at\":\"*\",\"response\":\"\","
            "\"thinking\":\"t\",\"done\":false}\n");
}

}  // namespace
}  // namespace carat
