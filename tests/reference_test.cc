// The numbers of the reference implementation (tools/reference/) against ours:
// logits at every position, greedy continuations, and what must not change a
// single bit.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "base/json.h"
#include "base/test_folder.h"
#include "runtime/engine.h"

namespace carat {
namespace {

const char* const kModels[] = {"gemma3", "gemma3-rope8", "gemma4-e",
                               "gemma4-dense", "gemma4-moe"};

std::string Folder(const std::string& model) {
  return std::string(CARAT_TEST_DATA) + "/tiny/" + model;
}

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

struct Prompt {
  std::vector<TokenId> tokens;
  std::vector<float> logits;  // [tokens, vocab]
  std::vector<TokenId> greedy;
};

std::vector<TokenId> Ids(const Json& json) {
  std::vector<TokenId> ids;
  for (const Json& id : json.as_array()) {
    ids.push_back(static_cast<TokenId>(id.as_int()));
  }
  return ids;
}

std::vector<Prompt> Expected(const std::string& model) {
  const std::string stem = Folder(model) + "/expected";
  const auto json = Json::Parse(ReadAll(stem + ".json"));
  const std::string values = ReadAll(stem + ".bin");
  std::vector<Prompt> prompts;
  for (const Json& p : json->Find("prompts")->as_array()) {
    Prompt prompt;
    prompt.tokens = Ids(*p.Find("tokens"));
    if (const Json* greedy = p.Find("greedy")) prompt.greedy = Ids(*greedy);
    const Json& logits = *p.Find("logits");
    int64_t n = 1;
    for (const Json& d : logits.Find("shape")->as_array()) n *= d.as_int();
    prompt.logits.resize(n);
    std::memcpy(prompt.logits.data(),
                values.data() + logits.Find("offset")->as_int(), n * 4);
    prompts.push_back(std::move(prompt));
  }
  return prompts;
}

// How far logits are from what they should be.
struct Difference {
  double worst = 0;    // largest difference over the range of the truth
  double mean_kl = 0;  // truth to found, nats per position
  double top1 = 0;     // share of positions with the same best token
};

Difference Compare(const std::vector<float>& truth,
                   const std::vector<float>& found, size_t positions) {
  Difference d;
  const size_t vocab = truth.size() / positions;
  const auto [low, high] = std::minmax_element(truth.begin(), truth.end());
  for (size_t p = 0; p < positions; ++p) {
    const float* a = &truth[p * vocab];
    const float* b = &found[p * vocab];
    double sum_a = 0, sum_b = 0;
    for (size_t i = 0; i < vocab; ++i) {
      d.worst =
          std::max(d.worst, std::fabs(double{a[i]} - b[i]) / (*high - *low));
      sum_a += std::exp(double{a[i]});
      sum_b += std::exp(double{b[i]});
    }
    for (size_t i = 0; i < vocab; ++i) {
      const double log_a = a[i] - std::log(sum_a);
      d.mean_kl += std::exp(log_a) * (log_a - (b[i] - std::log(sum_b)));
    }
    d.top1 += std::max_element(a, a + vocab) - a ==
              std::max_element(b, b + vocab) - b;
  }
  d.mean_kl /= positions;
  d.top1 /= positions;
  return d;
}

std::unique_ptr<Engine> Load(const std::string& path, int threads = 2,
                             int64_t step = 512, bool reuse = false,
                             KvType kv = KvType::kF32) {
  auto engine = Engine::Load({.model_path = path,
                              .threads = threads,
                              .kv_type = kv,
                              .step_tokens = step,
                              .reuse_prefixes = reuse});
  EXPECT_TRUE(engine.ok()) << engine.status().message();
  return engine.ok() ? std::move(engine).value() : nullptr;
}

std::vector<float> Logits(Engine& engine, const std::vector<TokenId>& tokens) {
  std::vector<float> all;
  const Status status = engine.EvaluateLogits(
      tokens, 0, [&](int64_t, std::span<const float> logits) {
        all.insert(all.end(), logits.begin(), logits.end());
        return true;
      });
  EXPECT_TRUE(status.ok()) << status.message();
  return all;
}

std::vector<TokenId> Continue(Engine& engine,
                              const std::vector<TokenId>& prompt,
                              int64_t count) {
  GenerateRequest request;
  request.prompt_tokens = prompt;
  request.sampling.temperature = 0;
  request.sampling.logprobs = 0;
  request.max_tokens = count;
  request.ignore_end = true;
  std::vector<TokenId> ids;
  const auto done = engine.Generate(request, [&](const GenerateEvent& event) {
    if (const auto* p = std::get_if<TokenProbability>(&event)) {
      ids.push_back(p->id);
    }
    return true;
  });
  EXPECT_TRUE(done.ok()) << done.status().message();
  return ids;
}

class ReferenceTest : public testing::TestWithParam<const char*> {};

TEST_P(ReferenceTest, LogitsAgreeToOneIn10000OfTheirRange) {
  auto engine = Load(Folder(GetParam()));
  ASSERT_NE(engine, nullptr);
  for (const Prompt& prompt : Expected(GetParam())) {
    const std::vector<float> found = Logits(*engine, prompt.tokens);
    ASSERT_EQ(found.size(), prompt.logits.size());
    const Difference d = Compare(prompt.logits, found, prompt.tokens.size());
    EXPECT_LE(d.worst, 1e-4) << prompt.tokens.size() << " tokens";
    EXPECT_EQ(d.top1, 1.0);
    std::printf("%s, %zu tokens: %.1e of the range\n", GetParam(),
                prompt.tokens.size(), d.worst);
  }
}

TEST_P(ReferenceTest, GreedyContinuationIsTheReferences) {
  auto engine = Load(Folder(GetParam()));
  ASSERT_NE(engine, nullptr);
  for (const Prompt& prompt : Expected(GetParam())) {
    EXPECT_EQ(Continue(*engine, prompt.tokens, prompt.greedy.size()),
              prompt.greedy);
  }
}

TEST_P(ReferenceTest, ChunksThreadsAndReuseDoNotChangeABit) {
  for (KvType kv : {KvType::kF32, KvType::kF16, KvType::kQ8}) {
    auto whole = Load(Folder(GetParam()), 1, 512, false, kv);
    ASSERT_NE(whole, nullptr);
    const Prompt prompt = Expected(GetParam()).back();
    const std::vector<float> truth = Logits(*whole, prompt.tokens);
    const auto text = Continue(*whole, prompt.tokens, 24);
    for (int64_t step : {1, 7, 16}) {
      auto engine = Load(Folder(GetParam()), 3, step, true, kv);
      ASSERT_NE(engine, nullptr);
      const std::vector<float> found = Logits(*engine, prompt.tokens);
      ASSERT_EQ(found.size(), truth.size());
      EXPECT_EQ(std::memcmp(found.data(), truth.data(), truth.size() * 4), 0)
          << "steps of " << step;
      // Prompt rows skip what only outputs need; twice, so that the second
      // run starts from the first one's cache.
      EXPECT_EQ(Continue(*engine, prompt.tokens, 24), text);
      EXPECT_EQ(Continue(*engine, prompt.tokens, 24), text);
      EXPECT_GT(engine->stats().cached_tokens, 0);
    }
  }
}

TEST_P(ReferenceTest, SequencesThatRunTogetherGiveTheirSoloText) {
  auto engine = Load(Folder(GetParam()), 2, 20);
  ASSERT_NE(engine, nullptr);
  const Prompt prompt = Expected(GetParam()).back();
  std::vector<std::vector<TokenId>> prompts, solo;
  for (size_t n : {48u, 40u, 30u, 17u, 9u, 3u}) {
    prompts.emplace_back(prompt.tokens.begin(), prompt.tokens.begin() + n);
    solo.push_back(Continue(*engine, prompts.back(), 20));
  }
  std::vector<std::unique_ptr<GenerationHandle>> handles;
  for (const auto& p : prompts) {
    GenerateRequest request;
    request.prompt_tokens = p;
    request.sampling.temperature = 0;
    request.sampling.logprobs = 0;
    request.max_tokens = 20;
    request.ignore_end = true;
    auto handle = engine->Submit(request);
    ASSERT_TRUE(handle.ok()) << handle.status().message();
    handles.push_back(std::move(handle).value());
  }
  for (size_t i = 0; i < handles.size(); ++i) {
    std::vector<TokenId> ids;
    for (;;) {
      const GenerateEvent event = handles[i]->Next();
      if (const auto* p = std::get_if<TokenProbability>(&event)) {
        ids.push_back(p->id);
      }
      if (std::holds_alternative<Done>(event)) break;
    }
    EXPECT_EQ(ids, solo[i]) << "prompt of " << prompts[i].size();
  }
}

TEST_P(ReferenceTest, TheOtherSpellingOfTheConfigGivesTheSameLogits) {
  namespace fs = std::filesystem;
  const fs::path from = Folder(GetParam());
  if (!fs::exists(from / "config.variant.json")) GTEST_SKIP();
  const TestFolder folder;
  const fs::path& to = folder.path();
  for (const auto& entry : fs::directory_iterator(from)) {
    const std::string name = entry.path().filename();
    if (name == "config.json") continue;
    fs::create_symlink(
        fs::canonical(entry.path()),
        to / (name == "config.variant.json" ? "config.json" : name));
  }
  const Prompt prompt = Expected(GetParam()).back();
  auto one = Load(from), other = Load(to);
  ASSERT_TRUE(one && other);
  EXPECT_EQ(Logits(*one, prompt.tokens), Logits(*other, prompt.tokens));
}

INSTANTIATE_TEST_SUITE_P(Tiny, ReferenceTest, testing::ValuesIn(kModels),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) {
                             if (c == '-') c = '_';
                           }
                           return name;
                         });

// Quantised files: the reference computes in f32 with exactly the values the
// file stands for; carat's 8-bit activations are what remains. The bounds are
// about twice what was measured; a wrong shape, scale or order is far outside.
struct QuantisedFile {
  const char* stem;
  double worst, mean_kl;
};

class QuantisedTest : public testing::TestWithParam<QuantisedFile> {};

TEST_P(QuantisedTest, LogitsStayNearTheReferenceOnTheSameValues) {
  const std::string stem =
      std::string(CARAT_TEST_DATA) + "/tiny-gguf/" + GetParam().stem;
  auto engine = Load(stem + ".gguf");
  ASSERT_NE(engine, nullptr);
  const auto expected = Json::Parse(ReadAll(stem + ".expected.json"));
  const std::string values = ReadAll(stem + ".expected.bin");
  const std::vector<TokenId> tokens = Ids(*expected->Find("tokens"));
  const std::vector<TokenId> positions = Ids(*expected->Find("positions"));
  std::vector<float> truth(values.size() / 4);
  std::memcpy(truth.data(), values.data(), values.size());
  const size_t vocab = truth.size() / positions.size();
  const std::vector<float> all = Logits(*engine, tokens);
  ASSERT_EQ(all.size(), tokens.size() * vocab);
  std::vector<float> found;
  for (TokenId p : positions) {
    found.insert(found.end(), all.begin() + p * vocab,
                 all.begin() + (p + 1) * vocab);
  }
  const Difference d = Compare(truth, found, positions.size());
  std::printf("%s: %.1e of the range, KL %.1e, top-1 %.0f%%\n", GetParam().stem,
              d.worst, d.mean_kl, 100 * d.top1);
  EXPECT_LE(d.worst, GetParam().worst);
  EXPECT_LE(d.mean_kl, GetParam().mean_kl);
}

INSTANTIATE_TEST_SUITE_P(
    Tiny, QuantisedTest,
    testing::Values(QuantisedFile{"gemma3-q8_0", 0.06, 0.02},
                    QuantisedFile{"gemma3-q4_0", 0.04, 0.017},
                    QuantisedFile{"gemma4-e-q4_0", 0.12, 0.045},
                    QuantisedFile{"gemma4-dense-q4_0", 0.05, 0.008},
                    QuantisedFile{"gemma4-moe-q4_0", 0.06, 0.013}),
    [](const auto& info) {
      std::string name = info.param.stem;
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

}  // namespace
}  // namespace carat
