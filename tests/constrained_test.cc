// The whole path from a declared shape to events, on a tiny model that emits
// noise: whatever it prefers, what comes out has the shape.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/json.h"
#include "runtime/engine.h"
#include "runtime/output_pipeline.h"

namespace carat {
namespace {

std::unique_ptr<Engine> LoadTiny() {
  auto engine = Engine::Load(
      {.model_path = std::string(CARAT_TEST_DATA) + "/tiny/gemma4-e",
       .threads = 1,
       .chat_format = "gemma4-small"});
  EXPECT_TRUE(engine.ok()) << engine.status().message();
  return engine.ok() ? std::move(engine).value() : nullptr;
}

struct Output {
  std::string text, thought;
  std::vector<ToolCall> calls;
  std::vector<std::string> streamed;  // arguments as they came, per call
  Done done;
};

Output Collect(Engine& engine, const GenerateRequest& request) {
  Output out;
  const auto done = engine.Generate(request, [&](const GenerateEvent& event) {
    if (const auto* text = std::get_if<TextDelta>(&event)) {
      out.text += text->text;
    } else if (const auto* thought = std::get_if<ThoughtDelta>(&event)) {
      out.thought += thought->text;
    } else if (std::get_if<ToolCallStart>(&event)) {
      out.streamed.emplace_back();
    } else if (const auto* delta = std::get_if<ToolCallDelta>(&event)) {
      out.streamed[delta->index] += delta->arguments;
    } else if (const auto* call = std::get_if<ToolCallDone>(&event)) {
      out.calls.push_back(call->call);
    }
    return true;
  });
  EXPECT_TRUE(done.ok()) << done.status().message();
  if (done.ok()) out.done = *done;
  return out;
}

GenerateRequest Ask(uint64_t seed) {
  GenerateRequest request;
  request.messages.emplace_back(Role::kUser, "hello");
  request.sampling.seed = seed;
  request.max_tokens = 300;
  return request;
}

TEST(ConstrainedTest, NoiseUnderASchemaIsJsonOfThatShape) {
  auto engine = LoadTiny();
  ASSERT_NE(engine, nullptr);
  int finished = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    GenerateRequest request = Ask(seed);
    request.constraint = {OutputConstraint::Kind::kJsonSchema,
                          R"({"type":"object","properties":{
              "ok":{"type":"boolean"},
              "n":{"type":"integer","minimum":3,"maximum":17},
              "kind":{"enum":["a","bc"]},
              "tags":{"type":"array","items":{"type":"boolean"},
                      "maxItems":2}},
            "required":["ok","n","kind","tags"]})"};
    const Output out = Collect(*engine, request);
    if (out.done.reason != FinishReason::kStop) continue;
    ++finished;
    const auto json = Json::Parse(out.text);
    ASSERT_TRUE(json.ok()) << out.text;
    EXPECT_TRUE(json->Find("ok")->is_bool());
    const int64_t n = json->Find("n")->as_int();
    EXPECT_TRUE(3 <= n && n <= 17) << n;
    const std::string& kind = json->Find("kind")->as_string();
    EXPECT_TRUE(kind == "a" || kind == "bc") << kind;
    EXPECT_LE(json->Find("tags")->as_array().size(), 2u);
    EXPECT_EQ(json->as_object().size(), 4u);
  }
  EXPECT_EQ(finished, 20);
}

TEST(ConstrainedTest, ARequiredCallIsOfADeclaredToolWithItsTypes) {
  auto engine = LoadTiny();
  ASSERT_NE(engine, nullptr);
  int finished = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    GenerateRequest request = Ask(seed);
    request.tools = {{.name = "dim",
                      .description = "Dims a lamp",
                      .parameters = R"({"type":"object","properties":{
                            "level":{"type":"integer","minimum":0,
                                     "maximum":9},
                            "lamp":{"enum":["desk","hall"]}},
                          "required":["level","lamp"]})"},
                     {.name = "off", .description = "All off"}};
    request.tool_choice.mode = ToolChoice::Mode::kRequired;
    request.tool_choice.names = {"dim"};
    request.tool_choice.allow_parallel = false;
    const Output out = Collect(*engine, request);
    if (out.done.reason != FinishReason::kToolCalls) continue;
    ++finished;
    ASSERT_EQ(out.calls.size(), 1u);
    EXPECT_EQ(out.calls[0].name, "dim");
    EXPECT_FALSE(out.calls[0].id.empty());
    EXPECT_EQ(out.streamed[0], out.calls[0].arguments);
    const auto json = Json::Parse(out.calls[0].arguments);
    ASSERT_TRUE(json.ok()) << out.calls[0].arguments;
    EXPECT_TRUE(json->Find("level")->is_int());
    EXPECT_TRUE(json->Find("lamp")->is_string());
    EXPECT_EQ(out.text, "");
  }
  EXPECT_EQ(finished, 20);
}

TEST(ConstrainedTest, ToolsAndASchemaTogetherGiveCallsOrSuchAnAnswer) {
  auto engine = LoadTiny();
  ASSERT_NE(engine, nullptr);
  const TokenId open = *engine->tokenizer().Find("<|tool_call>");
  int answers = 0, calls = 0;
  for (uint64_t seed = 0; seed < 30; ++seed) {
    GenerateRequest request = Ask(seed);
    if (seed % 3 == 0) request.sampling.logit_bias = {{open, 20.0f}};
    request.tool_choice.allow_parallel = false;
    request.think = seed % 2 == 1;
    request.tools = {{.name = "off", .description = "All off"}};
    request.constraint = {OutputConstraint::Kind::kJsonSchema,
                          R"({"enum":[1,"a",true]})"};
    const Output out = Collect(*engine, request);
    if (!out.calls.empty()) {
      ++calls;
      EXPECT_EQ(out.done.reason, FinishReason::kToolCalls);
      EXPECT_EQ(out.calls[0].name, "off");
      EXPECT_EQ(out.text, "");
    } else if (out.done.reason == FinishReason::kStop) {
      ++answers;
      EXPECT_TRUE(out.text == "1" || out.text == "\"a\"" || out.text == "true")
          << out.text;
    } else {
      ADD_FAILURE() << FinishReasonName(out.done.reason);
    }
  }
  EXPECT_GT(answers, 0);
  EXPECT_GT(calls, 0);
}

TEST(ConstrainedTest, TheShapeHoldsBehindAThoughtOfAnyKind) {
  auto engine = LoadTiny();
  ASSERT_NE(engine, nullptr);
  using Kind = OutputConstraint::Kind;
  bool thought = false;
  for (const OutputConstraint& constraint :
       {OutputConstraint{Kind::kJsonSchema, R"({"const":"ab"})"},
        OutputConstraint{Kind::kRegex, "\"ab\""},
        OutputConstraint{Kind::kGbnf, R"(root ::= "\"ab\"")"}}) {
    for (uint64_t seed = 0; seed < 10; ++seed) {
      GenerateRequest request = Ask(seed);
      request.think = true;
      request.max_thought_tokens = 12;
      request.constraint = constraint;
      const Output out = Collect(*engine, request);
      EXPECT_EQ(out.text, "\"ab\"");
      EXPECT_EQ(out.done.reason, FinishReason::kStop);
      thought |= !out.thought.empty();
    }
  }
  EXPECT_TRUE(thought);
}

// What comes out token by token, and how likely it was held to be.
std::vector<std::pair<int32_t, float>> Stream(Engine& engine,
                                              GenerateRequest request) {
  request.sampling.logprobs = 0;
  std::vector<std::pair<int32_t, float>> out;
  const auto done = engine.Generate(request, [&](const GenerateEvent& event) {
    if (const auto* token = std::get_if<TokenProbability>(&event)) {
      out.emplace_back(token->id, token->logprob);
    }
    return true;
  });
  EXPECT_TRUE(done.ok()) << done.status().message();
  return out;
}

TEST(ConstrainedTest, WhereNothingIsConstrainedTheStreamIsTheSameToTheBit) {
  auto engine = LoadTiny();
  ASSERT_NE(engine, nullptr);
  const TokenId open = *engine->tokenizer().Find("<|tool_call>");
  for (uint64_t seed = 0; seed < 10; ++seed) {
    GenerateRequest request;
    request.prompt_tokens = *engine->PromptTokens(Ask(seed));
    request.sampling.seed = seed;
    request.max_tokens = 200;
    const auto plain = Stream(*engine, request);
    // Calls are constrained from their opening token on, free text is not.
    request.tools = {{.name = "off", .description = "All off"}};
    const auto lazy = Stream(*engine, request);
    size_t same = 0;
    while (same < plain.size() && plain[same].first != open) ++same;
    ASSERT_GE(lazy.size(), same);
    for (size_t i = 0; i < same; ++i) EXPECT_EQ(plain[i], lazy[i]);
  }
}

TEST(ConstrainedTest, ForbiddenCallsNeverBegin) {
  auto engine = LoadTiny();
  ASSERT_NE(engine, nullptr);
  for (uint64_t seed = 0; seed < 10; ++seed) {
    GenerateRequest request = Ask(seed);
    request.max_tokens = 60;
    request.tools = {{.name = "off", .description = "All off"}};
    request.tool_choice.mode = ToolChoice::Mode::kNone;
    const Output out = Collect(*engine, request);
    EXPECT_TRUE(out.calls.empty());
    EXPECT_NE(out.done.reason, FinishReason::kToolCalls);
  }
}

TEST(ConstrainedTest, AThoughtEndsAtItsBudget) {
  auto engine = LoadTiny();
  ASSERT_NE(engine, nullptr);
  // After a tool result with thinking on the prompt opens the thought itself.
  GenerateRequest request = Ask(1);
  request.think = true;
  request.tools = {{.name = "off", .description = "All off"}};
  request.messages.emplace_back(Role::kAssistant,
                                std::vector<Part>{ToolCall{"c1", "off", "{}"}});
  request.messages.emplace_back(
      Role::kTool, std::vector<Part>{ToolResult{
                       .call_id = "c1", .name = "off", .content = "done"}});
  request.max_tokens = 200;
  request.max_thought_tokens = 10;
  const Output out = Collect(*engine, request);
  EXPECT_GE(out.done.usage.thought_tokens, 1);
  EXPECT_LE(out.done.usage.thought_tokens, 11);
  EXPECT_GT(out.done.usage.output_tokens, out.done.usage.thought_tokens);
}

TEST(ConstrainedTest, ContradictionsAndUnknownNamesAreErrors) {
  auto engine = LoadTiny();
  ASSERT_NE(engine, nullptr);
  const auto error = [&](const GenerateRequest& request) {
    const auto handle = engine->Submit(request);
    EXPECT_FALSE(handle.ok());
    return handle.ok() ? std::string() : handle.status().message();
  };
  GenerateRequest request = Ask(0);
  request.tool_choice.mode = ToolChoice::Mode::kRequired;
  EXPECT_NE(error(request).find("no tools are declared"), std::string::npos);
  request.tools = {{.name = "off", .description = ""}};
  request.tool_choice.names = {"on"};
  EXPECT_NE(error(request).find("'on'"), std::string::npos);
  request = Ask(0);
  request.constraint = {OutputConstraint::Kind::kJsonSchema, "{\"type\":"};
  EXPECT_NE(error(request).find("schema"), std::string::npos);
  request.constraint = {OutputConstraint::Kind::kJsonSchema,
                        R"({"type":"object","unevaluatedItems":false})"};
  EXPECT_FALSE(error(request).empty());
}

TEST(ConstrainedTest, EndlessRepetitionIsNoticed) {
  RepetitionDetector detector;
  for (int i = 0; i < 5000; ++i) {
    ASSERT_FALSE(detector.Add(static_cast<TokenId>(i * 7919 % 1009)));
  }
  int until = 0;
  while (!detector.Add(until % 3) && until < 2000) ++until;
  EXPECT_GE(until, RepetitionDetector::kMinTokens);
  EXPECT_LT(until, RepetitionDetector::kMinTokens + 10);
}

}  // namespace
}  // namespace carat
