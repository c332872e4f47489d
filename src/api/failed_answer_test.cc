// Generations that end without a usable answer, in every protocol: which HTTP
// status a whole answer has, and what behind a head that went out already.
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "api/router.h"
#include "api/test_host.h"

namespace carat {
namespace {

// Says what the test gives it, and nothing for `quiet_ms` before that.
class Script : public GenerationHandle {
 public:
  Script(std::vector<GenerateEvent> events, int quiet_ms)
      : events_(events.begin(), events.end()), quiet_ms_(quiet_ms) {}
  GenerateEvent Next() override {
    GenerateEvent event;
    while (!NextFor(1000, &event)) {
    }
    return event;
  }
  bool NextFor(int, GenerateEvent* event) override {
    if (quiet_ms_ > 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(quiet_ms_));
      quiet_ms_ = 0;
      return false;
    }
    if (events_.empty()) return false;
    *event = std::move(events_.front());
    events_.pop_front();
    return true;
  }
  void Cancel() override {}

 private:
  std::deque<GenerateEvent> events_;
  int quiet_ms_;
};

// The tiny model, whose answers are what `events` says.
class ScriptedEngine : public Engine {
 public:
  explicit ScriptedEngine(std::shared_ptr<Engine> engine)
      : engine_(std::move(engine)) {}
  const Tokenizer& tokenizer() const override { return engine_->tokenizer(); }
  const ModelInfo& info() const override { return engine_->info(); }
  const MemoryPlan& plan() const override { return engine_->plan(); }
  const TokenWork& work() const override { return engine_->work(); }
  const ChatFormat& chat_format() const override {
    return engine_->chat_format();
  }
  int64_t context_tokens() const override { return engine_->context_tokens(); }
  int threads() const override { return engine_->threads(); }
  const LoadReport& load_report() const override {
    return engine_->load_report();
  }
  uint64_t HugePageBytes() const override { return 0; }
  const std::vector<std::string>& notes() const override {
    return engine_->notes();
  }
  EngineStats stats() const override { return engine_->stats(); }
  Result<std::vector<TokenId>> PromptTokens(
      const GenerateRequest& request) const override {
    return engine_->PromptTokens(request);
  }
  Result<std::unique_ptr<GenerationHandle>> Submit(
      const GenerateRequest&) override {
    return std::unique_ptr<GenerationHandle>(
        std::make_unique<Script>(events, quiet_ms));
  }
  Status EvaluateLogits(
      std::span<const TokenId>, int64_t,
      const std::function<bool(int64_t, std::span<const float>)>&,
      Observer*) override {
    return Unsupported("not in this test");
  }
  Result<Timing> Time(const Timed&) override { return Timing{}; }

  std::vector<GenerateEvent> events;
  int quiet_ms = 0;

 private:
  std::shared_ptr<Engine> engine_;
};

struct Case {
  const char* name;
  const char* path;
  const char* body;
  const char* message;  // where an error says what happened
};

constexpr Case kCases[] = {
    {"Chat", "/v1/chat/completions",
     R"({"messages":[{"role":"user","content":"Hi"}]})", "error.message"},
    {"Completion", "/v1/completions", R"({"prompt":"Hi"})", "error.message"},
    {"Responses", "/v1/responses", R"({"input":"Hi"})", "error.message"},
    {"Messages", "/v1/messages",
     R"({"messages":[{"role":"user","content":"Hi"}],"max_tokens":9})",
     "error.message"},
    {"Interaction", "/v1beta/interactions", R"({"model":"tiny","input":"Hi"})",
     "error.message"},
    {"OllamaChat", "/api/chat",
     R"({"model":"tiny","messages":[{"role":"user","content":"Hi"}],
         "stream":false})",
     "error"},
    {"Gemini", "/v1beta/models/tiny:generateContent",
     R"({"contents":[{"parts":[{"text":"Hi"}]}]})", "error.message"},
};

class FailedAnswer : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    engine_ = std::make_shared<ScriptedEngine>(host_.engine());
    host_.stand_in = engine_;
  }
  TestReply Ask(FinishReason reason, const std::string& error) {
    Done done;
    done.reason = reason;
    done.error = error;
    done.usage = {.prompt_tokens = 3, .output_tokens = 2};
    engine_->events = {PromptDone{.prompt_tokens = 3}, TextDelta{"Let me see"},
                       done};
    TestReply reply;
    api_.Handle(Post(GetParam().path, GetParam().body), &reply);
    return reply;
  }
  bool IsGemini() const { return std::string(GetParam().name) == "Gemini"; }

  TestHost host_;
  Api api_{&host_, ApiOptions{.keep_alive_ms = 1}};
  std::shared_ptr<ScriptedEngine> engine_;
};

TEST_P(FailedAnswer, AMalformedCallIsNoAnswer) {
  const std::string error = "the model wrote a tool call that cannot be read";
  const TestReply reply = Ask(FinishReason::kMalformedCall, error);
  const Json body = reply.json();
  if (IsGemini()) {
    // The protocol has a word for it.
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(At(body, "candidates.0.finishReason"),
              Json("MALFORMED_FUNCTION_CALL"));
    EXPECT_EQ(At(body, "candidates.0.finishMessage"), Json(error));
    EXPECT_EQ(At(body, "candidates.0.content.parts.0.text"),
              Json("Let me see"));
    EXPECT_EQ(At(body, "usageMetadata.promptTokenCount"), Json(3));
    return;
  }
  EXPECT_EQ(reply.status, 500);
  EXPECT_EQ(At(body, GetParam().message), Json(error)) << reply.body;
  EXPECT_EQ(reply.body.find("Let me see"), std::string::npos);
}

TEST_P(FailedAnswer, AnErrorInTheEngineIsAnErrorOfTheServer) {
  const TestReply reply = Ask(FinishReason::kError, "It broke.");
  EXPECT_EQ(reply.status, 500);
  EXPECT_EQ(At(reply.json(), GetParam().message), Json("It broke."));
}

TEST_P(FailedAnswer, AServerThatEndsIsUnavailable) {
  const TestReply reply = Ask(FinishReason::kCancelled, "");
  EXPECT_EQ(reply.status, 503);
  EXPECT_NE(At(reply.json(), GetParam().message).as_string().find("going down"),
            std::string::npos);
}

TEST_P(FailedAnswer, BehindAHeadTheBodyIsTheError) {
  engine_->quiet_ms = 50;
  const TestReply reply = Ask(FinishReason::kError, "It broke.");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body[0], ' ');
  EXPECT_EQ(At(reply.json(), GetParam().message), Json("It broke."));
}

INSTANTIATE_TEST_SUITE_P(Protocols, FailedAnswer, testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace carat
