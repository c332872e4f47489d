// Loading: packed weights that a file keeps give the bits that packing gives,
// whatever state the file is in.
#include <gtest/gtest.h>

#include <atomic>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/test_folder.h"
#include "runtime/engine.h"
#include "runtime/packed_cache.h"

namespace carat {
namespace {

namespace fs = std::filesystem;
using Kept = LoadReport::Kept;

class LoadingTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { SetLogLevel(LogLevel::kOff); }
  void TearDown() override { SetLogLevel(LogLevel::kWarning); }

  std::unique_ptr<Engine> Load(const std::string& packed_dir) {
    auto engine = Engine::Load(
        {.model_path = std::string(CARAT_TEST_DATA) + "/" + GetParam(),
         .threads = 2,
         .packed_dir = packed_dir});
    EXPECT_TRUE(engine.ok()) << engine.status().message();
    return engine.ok() ? std::move(engine).value() : nullptr;
  }

  static std::vector<float> Logits(Engine& engine) {
    std::vector<TokenId> tokens;
    for (int i = 0; i < 40; ++i) tokens.push_back(2 + i * 7 % 300);
    std::vector<float> out;
    const Status status =
        engine.EvaluateLogits(tokens, 0, [&](int64_t, auto logits) {
          out.insert(out.end(), logits.begin(), logits.end());
          return true;
        });
    EXPECT_TRUE(status.ok()) << status.message();
    return out;
  }

  const TestFolder folder_;
};

TEST_P(LoadingTest, KeptWeightsGiveTheSameBits) {
  const auto plain = Load("");
  ASSERT_NE(plain, nullptr);
  EXPECT_EQ(plain->load_report().kept, Kept::kNotAsked);
  const std::vector<float> expected = Logits(*plain);
  ASSERT_FALSE(expected.empty());

  const auto first = Load(folder_.string());
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->load_report().kept, Kept::kWritten);
  EXPECT_EQ(Logits(*first), expected);

  const auto second = Load(folder_.string());
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->load_report().kept, Kept::kFound);
  EXPECT_EQ(Logits(*second), expected);
  EXPECT_EQ(second->plan().weights_bytes, plain->plan().weights_bytes);
}

TEST_P(LoadingTest, DamagedFilesAreReplaced) {
  const auto plain = Load("");
  ASSERT_NE(plain, nullptr);
  const std::vector<float> expected = Logits(*plain);
  ASSERT_NE(Load(folder_.string()), nullptr);
  const auto list = PackedCache::List(folder_.string());
  ASSERT_EQ(list.size(), 1u);
  {
    std::fstream file(list[0].path,
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(PackedFileHeader::kWeightsAt) + 50);
    const int byte = file.get();
    file.seekp(static_cast<std::streamoff>(PackedFileHeader::kWeightsAt) + 50);
    file.put(static_cast<char>(byte ^ 0x40));
  }
  const auto engine = Load(folder_.string());
  ASSERT_NE(engine, nullptr);
  EXPECT_EQ(engine->load_report().kept, Kept::kWritten);
  EXPECT_NE(engine->load_report().kept_problem.find("checksum"),
            std::string::npos);
  EXPECT_EQ(Logits(*engine), expected);
  const auto again = Load(folder_.string());
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again->load_report().kept, Kept::kFound);
}

TEST_P(LoadingTest, WorkOfATokenIsThatOfTheShapes) {
  const auto engine = Load("");
  ASSERT_NE(engine, nullptr);
  const TokenWork work = engine->work();
  EXPECT_GT(work.decode_bytes, 0u);
  EXPECT_LE(work.decode_bytes, engine->plan().weights_bytes);
  EXPECT_LT(work.prefill_multiply_adds, work.decode_multiply_adds);
  EXPECT_GT(work.prefill_multiply_adds, 0u);
}

TEST_P(LoadingTest, LoadingEndsWheneverItIsGivenUp) {
  // First with packing and writing, then with reading what was written.
  for (int round = 0; round < 2; ++round) {
    int stops = 0;
    for (bool loaded = false; !loaded; ++stops) {
      ASSERT_LT(stops, 1000);
      std::atomic<int> asked{0};
      const auto engine = Engine::Load(
          {.model_path = std::string(CARAT_TEST_DATA) + "/" + GetParam(),
           .threads = 2,
           .packed_dir = folder_.string(),
           .go_on = [&] { return asked++ < stops; }});
      loaded = engine.ok();
      if (loaded) continue;
      ASSERT_EQ(engine.status().code(), StatusCode::kCancelled)
          << engine.status().message();
      for (const auto& entry : fs::directory_iterator(folder_.path())) {
        ASSERT_EQ(entry.path().extension(), ".packed");
      }
    }
    EXPECT_GT(stops, 2);
    EXPECT_EQ(PackedCache::List(folder_.string()).size(), 1u);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, LoadingTest,
                         testing::Values("tiny/gemma3",
                                         "tiny-gguf/gemma3-q4_0.gguf"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::erase_if(name, [](char c) {
                             return std::isalnum(
                                        static_cast<unsigned char>(c)) == 0;
                           });
                           return name;
                         });

}  // namespace
}  // namespace carat
