// Rendered prompts against recorded ones: the worked examples, and a set made
// with the official templates by tools/reference/chat_fuzz.py.
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "base/hash.h"
#include "chat/chat_format.h"
#include "chat/exact_json.h"
#include "chat/messages_json.h"

namespace carat {
namespace {

std::vector<std::string> Lines(const std::string& name) {
  std::ifstream file(std::string(CARAT_TEST_DATA) + "/chat/" + name);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::string RenderLine(const std::string& line, TemplateFaults faults) {
  const Result<ExactJson> root = ExactJson::Parse(line);
  const Result<Conversation> conversation = ConversationFromJson(line);
  if (!root.ok() || !conversation.ok()) {
    return "unreadable: " + conversation.status().message();
  }
  Result<std::unique_ptr<ChatFormat>> format =
      MakeChatFormat(root->StringAt("format"));
  RenderOptions options;
  options.tools = conversation->tools;
  options.think = conversation->think.value_or(false);
  options.preserve_thinking = conversation->preserve_thinking.value_or(false);
  options.ending = conversation->generate.value_or(true)
                       ? PromptEnding::kGenerate
                       : PromptEnding::kNone;
  options.faults = faults;
  const Result<RenderedPrompt> prompt =
      (*format)->Render(conversation->messages, options);
  if (!prompt.ok()) return "error: " + prompt.status().message();
  return SegmentsToString(prompt->segments);
}

TEST(RenderExamples, WorkedExamplesComeOutByteForByte) {
  const std::vector<std::string> lines = Lines("examples.jsonl");
  ASSERT_GE(lines.size(), 47u);
  for (const std::string& line : lines) {
    const ExactJson example = *ExactJson::Parse(line);
    EXPECT_EQ(RenderLine(line, TemplateFaults::kKeep), example.StringAt("text"))
        << example.StringAt("name") << " " << example.StringAt("format");
  }
}

TEST(RenderExamples, RepairsChangeTheExamplesTheyAreMeantFor) {
  int repaired = 0;
  for (const std::string& line : Lines("examples.jsonl")) {
    const ExactJson example = *ExactJson::Parse(line);
    const ExactJson* changed = example.Find("repaired");
    EXPECT_EQ(RenderLine(line, TemplateFaults::kRepair),
              changed != nullptr ? changed->text : example.StringAt("text"))
        << example.StringAt("name") << " " << example.StringAt("format");
    if (changed != nullptr) ++repaired;
  }
  EXPECT_EQ(repaired, 6);
}

TEST(RenderRecorded, OfficialTemplatesRenderingsAreReproduced) {
  const std::vector<std::string> lines = Lines("rendered.jsonl");
  ASSERT_GE(lines.size(), 300u);
  for (const std::string& line : lines) {
    const ExactJson recorded = *ExactJson::Parse(line);
    const bool keep = recorded.Find("keep_faults")->truthy();
    const std::string text = RenderLine(
        line, keep ? TemplateFaults::kKeep : TemplateFaults::kRepair);
    EXPECT_EQ(Sha256Hex(text).substr(0, 32), recorded.StringAt("sha256"))
        << text << "\n"
        << line;
  }
}

}  // namespace
}  // namespace carat
