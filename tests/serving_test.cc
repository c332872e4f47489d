// Many requests on one engine, with tiny models whose layers slide over 16
// tokens: whatever is cached, evicted or preempted meanwhile, every stream has
// the bits of a run that was alone and cold.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/test_folder.h"
#include "runtime/engine.h"

namespace carat {
namespace {

std::unique_ptr<Engine> LoadTiny(const std::string& name,
                                 EngineOptions options) {
  options.model_path = std::string(CARAT_TEST_DATA) + "/tiny/" + name;
  options.threads = 1;
  if (name != "gemma3") options.chat_format = "gemma4-small";
  auto engine = Engine::Load(options);
  EXPECT_TRUE(engine.ok()) << engine.status().message();
  return engine.ok() ? std::move(engine).value() : nullptr;
}

struct Output {
  std::vector<int32_t> ids;
  std::vector<float> logprobs;
  std::vector<float> prompt_logprobs;  // when asked for
  Done done;
};

void Take(const GenerateEvent& event, Output* out) {
  if (const auto* p = std::get_if<TokenProbability>(&event)) {
    out->ids.push_back(p->id);
    out->logprobs.push_back(p->logprob);
  } else if (const auto* prompt = std::get_if<PromptDone>(&event)) {
    for (const TokenProbability& token : prompt->probabilities) {
      out->prompt_logprobs.push_back(token.logprob);
    }
  } else if (const auto* done = std::get_if<Done>(&event)) {
    out->done = *done;
  }
}

Output RunOne(Engine& engine, const GenerateRequest& request) {
  Output out;
  const auto done = engine.Generate(request, [&](const GenerateEvent& event) {
    Take(event, &out);
    return true;
  });
  EXPECT_TRUE(done.ok()) << done.status().message();
  return out;
}

std::vector<int32_t> Noise(int count, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<int32_t> out;
  out.reserve(static_cast<size_t>(count));
  out.push_back(2);
  while (static_cast<int>(out.size()) < count) {
    out.push_back(static_cast<int32_t>(10 + random() % 370));
  }
  return out;
}

GenerateRequest Ask(std::vector<int32_t> prompt, int64_t max_tokens) {
  GenerateRequest request;
  request.prompt_tokens = std::move(prompt);
  request.max_tokens = max_tokens;
  request.ignore_end = true;
  request.sampling.seed = 7;
  request.sampling.temperature = 1;
  request.sampling.logprobs = 0;
  return request;
}

std::vector<int32_t> Join(std::vector<int32_t> a,
                          const std::vector<int32_t>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

void ExpectSame(const Output& a, const Output& b, const std::string& what) {
  EXPECT_EQ(a.ids, b.ids) << what;
  EXPECT_EQ(a.logprobs, b.logprobs) << what;
  EXPECT_EQ(a.prompt_logprobs, b.prompt_logprobs) << what;
}

class ServingTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    cold_ = LoadTiny(GetParam(), {.reuse_prefixes = false});
    ASSERT_NE(cold_, nullptr);
  }
  // Runs on `engine`, compares with a cold run; returns what it did.
  Output Check(Engine& engine, const GenerateRequest& request,
               int64_t cached_tokens) {
    const Output found = RunOne(engine, request);
    EXPECT_EQ(found.done.usage.cached_tokens, cached_tokens);
    ExpectSame(found, RunOne(*cold_, request),
               fmt::format("{} cached", cached_tokens));
    return found;
  }

  std::unique_ptr<Engine> cold_;
};

TEST_P(ServingTest, TurnsResumeWhereTheyPartWithTheBitsOfAColdRun) {
  auto engine = LoadTiny(GetParam(), {});
  ASSERT_NE(engine, nullptr);
  const auto prompt = Noise(200, 1);
  const Output first = Check(*engine, Ask(prompt, 50), 0);
  ASSERT_EQ(first.ids.size(), 50u);
  // The answer's last token was never run.
  const auto turn = Join(Join(prompt, first.ids), Noise(60, 2));
  Check(*engine, Ask(turn, 20), 249);
  // Asked again: everything but the last token.
  Check(*engine, Ask(turn, 20), 309);
  // Another answer in the place of the first.
  Check(*engine, Ask(Join(prompt, Noise(80, 3)), 20), 200);
  // Edited shortly before the end of the first prompt, and at its begin, where
  // no window is kept.
  auto edited = prompt;
  edited[150] ^= 1;
  Check(*engine, Ask(edited, 20), 150);
  edited = prompt;
  edited[30] ^= 1;
  Check(*engine, Ask(edited, 20), 0);
  const EngineStats stats = engine->stats();
  EXPECT_EQ(stats.cache_hits, 4);
  EXPECT_EQ(stats.cache_misses, 2);
  EXPECT_EQ(stats.cached_tokens, 249 + 309 + 200 + 150);
}

TEST_P(ServingTest, LongPromptsKeepAWindowWhereATurnEnds) {
  auto engine = LoadTiny(GetParam(), {});
  ASSERT_NE(engine, nullptr);
  const ChatFormat& format = engine->chat_format();
  const auto end = engine->tokenizer().Find(format.syntax().turn_end);
  if (!end.has_value()) GTEST_SKIP() << "a tiny vocabulary without turns";
  auto prompt = Noise(480, 1);
  prompt[299] = *end;
  Check(*engine, Ask(prompt, 5), 0);
  prompt[350] ^= 1;
  Check(*engine, Ask(prompt, 5), 256);  // the page that the turn ends in
}

TEST_P(ServingTest, ARestartFindsItsPromptsOnDisk) {
  const TestFolder folder;
  const auto prompt = Noise(420, 1);
  const EngineOptions options = {.cache_dir = folder.string()};
  Output first;
  {
    auto engine = LoadTiny(GetParam(), options);
    ASSERT_NE(engine, nullptr);
    first = Check(*engine, Ask(prompt, 40), 0);
  }
  const auto turn = Join(Join(prompt, first.ids), Noise(30, 2));
  {
    auto engine = LoadTiny(GetParam(), options);
    ASSERT_NE(engine, nullptr);
    Check(*engine, Ask(turn, 10), 448);  // whole pages
    const EngineStats stats = engine->stats();
    EXPECT_EQ(stats.disk_hits, 1);
    EXPECT_EQ(stats.disk_tokens, 448);
    EXPECT_EQ(stats.disk_errors, 0);
  }
  // Other keys and values: nothing of it may be used.
  Output computed;
  for (KvType kv : {KvType::kF32, KvType::kQ8}) {
    EngineOptions other = options;
    other.kv_type = kv;
    auto engine = LoadTiny(GetParam(), other);
    ASSERT_NE(engine, nullptr);
    computed = RunOne(*engine, Ask(turn, 10));
    EXPECT_EQ(computed.done.usage.cached_tokens, 0);
  }
  // 8 bits find what 8 bits have written.
  EngineOptions again = options;
  again.kv_type = KvType::kQ8;
  auto engine = LoadTiny(GetParam(), again);
  ASSERT_NE(engine, nullptr);
  const Output read = RunOne(*engine, Ask(turn, 10));
  EXPECT_EQ(read.done.usage.cached_tokens, 448);
  EXPECT_EQ(read.ids, computed.ids);
  EXPECT_EQ(read.logprobs, computed.logprobs);
}

INSTANTIATE_TEST_SUITE_P(Tiny, ServingTest,
                         testing::Values("gemma3", "gemma4-e", "gemma4-moe"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// Keeps the engine's thread busy until Release, so that what is submitted
// meanwhile meets in the queue.
class Blocked {
 public:
  explicit Blocked(Engine* engine)
      : thread_([this, engine] {
          const std::vector<int32_t> one = {2};
          const Status status = engine->EvaluateLogits(
              one, 0, [this](int64_t, std::span<const float>) {
                entered_.set_value();
                release_.get_future().wait();
                return true;
              });
          EXPECT_TRUE(status.ok()) << status.message();
        }) {
    entered_.get_future().wait();
  }
  void Release() {
    release_.set_value();
    thread_.join();
  }

 private:
  std::promise<void> entered_, release_;
  std::thread thread_;
};

Output Finish(GenerationHandle& handle) {
  Output out;
  for (;;) {
    const GenerateEvent event = handle.Next();
    Take(event, &out);
    if (std::holds_alternative<Done>(event)) return out;
  }
}

// The engine's totals once it is done with all that has ended.
EngineStats Settled(Engine& engine) {
  Blocked(&engine).Release();
  return engine.stats();
}

TEST(QueueTest, AFullQueueRefusesAndSaysSo) {
  auto engine = LoadTiny("gemma3", {.max_queue = 2});
  ASSERT_NE(engine, nullptr);
  Blocked blocked(engine.get());
  auto first = engine->Submit(Ask(Noise(10, 1), 2));
  auto second = engine->Submit(Ask(Noise(10, 2), 2));
  const auto third = engine->Submit(Ask(Noise(10, 3), 2));
  EXPECT_EQ(engine->stats().queued, 2);
  blocked.Release();
  ASSERT_FALSE(third.ok());
  EXPECT_EQ(third.status().code(), StatusCode::kUnavailable);
  EXPECT_NE(third.status().message().find("2 requests are waiting"),
            std::string::npos);
  EXPECT_EQ(Finish(**first).ids.size(), 2u);
  EXPECT_EQ(Finish(**second).ids.size(), 2u);
  EXPECT_EQ(engine->stats().refused, 1);
  EXPECT_TRUE(engine->Submit(Ask(Noise(10, 3), 2)).ok());
}

TEST(QueueTest, WaitingRequestsAreCancelledAndExpireWithoutRunning) {
  auto engine = LoadTiny("gemma3", {});
  ASSERT_NE(engine, nullptr);
  Blocked blocked(engine.get());
  GenerateRequest late = Ask(Noise(10, 1), 2);
  late.deadline_s = 0.001;
  auto expired = engine->Submit(late);
  auto cancelled = engine->Submit(Ask(Noise(10, 2), 2));
  (*cancelled)->Cancel();
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  blocked.Release();
  const Output a = Finish(**expired), b = Finish(**cancelled);
  EXPECT_EQ(a.done.reason, FinishReason::kDeadline);
  EXPECT_STREQ(FinishReasonName(a.done.reason), "deadline");
  EXPECT_EQ(b.done.reason, FinishReason::kCancelled);
  EXPECT_TRUE(a.ids.empty() && b.ids.empty());
  const EngineStats stats = Settled(*engine);
  EXPECT_EQ(stats.expired, 1);
  EXPECT_EQ(stats.cancelled, 1);
  EXPECT_EQ(stats.prompt_tokens, 0);
}

TEST(QueueTest, ARunningRequestEndsAtItsDeadline) {
  auto engine = LoadTiny("gemma3", {});
  ASSERT_NE(engine, nullptr);
  GenerateRequest request = Ask(Noise(10, 1), -1);
  request.deadline_s = 0.005;
  const Output out = RunOne(*engine, request);
  // Unless the machine generated 500 tokens in that time.
  if (out.done.reason != FinishReason::kContextFull) {
    EXPECT_EQ(out.done.reason, FinishReason::kDeadline);
  }
  request.deadline_s = -1;
  EXPECT_EQ(engine->Submit(request).status().code(),
            StatusCode::kInvalidArgument);
}

TEST(QueueTest, CallersTakeTurns) {
  auto engine = LoadTiny("gemma3", {.max_sequences = 1});
  ASSERT_NE(engine, nullptr);
  Blocked blocked(engine.get());
  std::vector<std::unique_ptr<GenerationHandle>> many;
  GenerateRequest request = Ask(Noise(40, 1), 20);
  request.caller = "many";
  for (int i = 0; i < 4; ++i) {
    many.push_back(std::move(engine->Submit(request)).value());
  }
  request.caller = "one";
  auto one = std::move(engine->Submit(request)).value();
  blocked.Release();
  std::vector<double> waited;
  for (auto& handle : many) {
    waited.push_back(Finish(*handle).done.timings.queue_ms);
  }
  const double other = Finish(*one).done.timings.queue_ms;
  EXPECT_LT(waited[0], other);
  EXPECT_LT(other, waited[1]);
  EXPECT_LT(waited[1], waited[2]);
  EXPECT_LT(waited[2], waited[3]);
}

TEST(QueueTest, EqualPromptsThatMeetAreReadOnce) {
  auto engine = LoadTiny("gemma3", {.step_tokens = 64});
  ASSERT_NE(engine, nullptr);
  Blocked blocked(engine.get());
  std::vector<std::unique_ptr<GenerationHandle>> handles;
  for (int i = 0; i < 4; ++i) {
    handles.push_back(std::move(engine->Submit(Ask(Noise(480, 1), 5))).value());
  }
  blocked.Release();
  std::vector<Output> out;
  for (auto& handle : handles) out.push_back(Finish(*handle));
  int64_t cached = 0;
  for (const Output& o : out) {
    ExpectSame(o, out[0], "the same");
    cached += o.done.usage.cached_tokens;
  }
  EXPECT_GT(cached, 3 * 200);
  EXPECT_EQ(engine->stats().cached_tokens, cached);
}

TEST(QueueTest, ALongPromptDoesNotStarveAShortOne) {
  auto engine = LoadTiny("gemma3", {.step_tokens = 64});
  ASSERT_NE(engine, nullptr);
  Blocked blocked(engine.get());
  auto reads = std::move(engine->Submit(Ask(Noise(500, 1), 2))).value();
  auto asks = std::move(engine->Submit(Ask(Noise(20, 2), 2))).value();
  blocked.Release();
  const Output slow = Finish(*reads), quick = Finish(*asks);
  EXPECT_LT(quick.done.timings.first_token_ms,
            slow.done.timings.first_token_ms);
}

// 6 threads ask for 20 answers each out of a small set of conversations, some
// of which they cancel, on a cache of one context.
TEST(ServingStressTest, StreamsEqualTheirSoloRunsWhateverElseHappens) {
  constexpr int kThreads = 6, kRequests = 20, kConversations = 8;
  const TestFolder folder;
  const EngineOptions small = {.context_tokens = 448,
                               .kv_bytes = kKvOneContext,
                               .step_tokens = 96,
                               .busy_step_tokens = 48,
                               .max_sequences = 6};
  EngineOptions warm = small;
  warm.cache_dir = folder.string();
  auto engine = LoadTiny("gemma3", warm);
  ASSERT_NE(engine, nullptr);
  EngineOptions cold = small;
  cold.reuse_prefixes = false;
  auto alone = LoadTiny("gemma3", cold);
  ASSERT_NE(alone, nullptr);

  std::vector<GenerateRequest> requests;
  std::vector<Output> expected;
  for (uint32_t i = 0; i < kConversations; ++i) {
    // Pairs share all but their end. Long ones are written to disk.
    const int shared = i < 4 ? 40 + 20 * static_cast<int>(i) : 300;
    requests.push_back(Ask(Join(Noise(shared, i / 2), Noise(40, 100 + i)), 60));
    requests.back().sampling.seed = i;
    // One of the short and one of the long ones.
    requests.back().prompt_logprobs = i == 3 || i == 7;
    expected.push_back(RunOne(*alone, requests.back()));
    ASSERT_EQ(expected.back().ids.size(), 60u);
    ASSERT_EQ(expected.back().prompt_logprobs.size(),
              requests.back().prompt_logprobs
                  ? requests.back().prompt_tokens.size()
                  : 0);
  }

  std::vector<std::thread> threads;
  std::atomic<int> compared{0};
  for (uint32_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      for (int n = 0; n < kRequests; ++n) {
        const size_t which = random() % kConversations;
        GenerateRequest request = requests[which];
        request.caller = std::to_string(t % 3);
        auto handle = engine->Submit(request);
        ASSERT_TRUE(handle.ok()) << handle.status().message();
        const uint32_t cut = random() % 4 == 0 ? random() % 60 : 1000;
        Output out;
        for (;;) {
          const GenerateEvent event = (*handle)->Next();
          Take(event, &out);
          if (out.ids.size() >= cut) (*handle)->Cancel();
          if (std::holds_alternative<Done>(event)) break;
        }
        ASSERT_NE(out.done.reason, FinishReason::kError) << out.done.error;
        if (out.done.reason == FinishReason::kMaxTokens) {
          ExpectSame(out, expected[which], "stress");
          ++compared;
        }
        const size_t length = out.ids.size();
        EXPECT_TRUE(std::equal(
            out.ids.begin(), out.ids.end(), expected[which].ids.begin(),
            expected[which].ids.begin() + static_cast<ptrdiff_t>(length)));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(compared, kThreads * kRequests / 2);
  const EngineStats stats = Settled(*engine);
  EXPECT_EQ(stats.finished, kThreads * kRequests);
  EXPECT_GT(stats.preempted, 0);
  EXPECT_GT(stats.cache_evictions, 0);
  EXPECT_GT(stats.cached_tokens, 0);
  EXPECT_GT(stats.disk_hits, 0);
  EXPECT_EQ(stats.disk_errors, 0);
  EXPECT_LE(stats.kv_reserved_bytes, stats.kv_budget_bytes);
  std::printf(
      "%d compared, %d preempted, %d evictions, %d of %d tokens cached, %d "
      "requests found files\n",
      compared.load(), static_cast<int>(stats.preempted),
      static_cast<int>(stats.cache_evictions),
      static_cast<int>(stats.cached_tokens),
      static_cast<int>(stats.prompt_tokens), static_cast<int>(stats.disk_hits));
}

}  // namespace
}  // namespace carat
