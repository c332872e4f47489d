// Loading and letting go of models, over tiny models on disk.
#include "server/store_model_host.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/test_folder.h"

namespace carat {
namespace {

namespace fs = std::filesystem;

class StoreModelHostTest : public testing::Test {
 protected:
  void SetUp() override {
    const fs::path data = fs::path(CARAT_TEST_DATA);
    fs::copy(data / "tiny-gguf/gemma3-q4_0.gguf", folder_ / "one.gguf");
    fs::copy(data / "tiny-gguf/gemma3-q4_0.gguf", folder_ / "two.gguf");
  }
  void TearDown() override { host_.reset(); }

  void Start(ModelHostOptions options = {}) {
    options.roots = {{.kind = StoreKind::kCarat, .path = folder_.string()}};
    options.models_folder = folder_.string();
    options.engine.threads = 1;
    options.engine.context_tokens = 512;
    auto host = StoreModelHost::Create(std::move(options));
    ASSERT_TRUE(host.ok()) << host.status().message();
    host_ = std::move(host).value();
  }
  size_t Loaded() { return host_->Running().size(); }
  template <typename Condition>
  static bool Eventually(Condition condition) {
    for (int i = 0; i < 30000 && !condition(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return condition();
  }

  const TestFolder top_;
  const fs::path folder_ = top_.path();
  std::unique_ptr<StoreModelHost> host_;
};

TEST_F(StoreModelHostTest, FindsModelsByNameAliasAndDefault) {
  ModelHostOptions options;
  options.models = {"two"};
  options.aliases = {{"gpt-4o", "one"}, {"*", "two"}};
  Start(options);
  EXPECT_EQ(host_->List().size(), 2u);
  EXPECT_EQ(host_->Find("one")->name, "one");
  EXPECT_EQ(host_->Find("one:latest")->name, "one");
  EXPECT_EQ(host_->Find("gpt-4o")->name, "one");
  EXPECT_EQ(host_->Find("")->name, "two");
  EXPECT_EQ(host_->Find("whatever")->name, "two");
  const HostedModel model = *host_->Find("one");
  EXPECT_EQ(host_->Describe(model)->config.architecture, "gemma3");
  EXPECT_EQ(*host_->Metadata(model)->Find("general.architecture"),
            Json("gemma3"));
}

TEST_F(StoreModelHostTest, NamesAreNeverPaths) {
  Start();
  for (const std::string& name :
       {(folder_ / "one.gguf").string(), std::string("../one.gguf"),
        std::string("./one.gguf"), std::string("no such")}) {
    const auto found = host_->Find(name);
    ASSERT_FALSE(found.ok()) << name;
    EXPECT_EQ(found.status().code(), StatusCode::kNotFound);
  }
  EXPECT_EQ(host_->Find("").status().code(), StatusCode::kInvalidArgument);
}

TEST_F(StoreModelHostTest, AModelIsLoadedOnceForAllWhoWait) {
  std::atomic<int> loads{0};
  ModelHostOptions options;
  options.note = [&](const std::string& line) {
    if (line.starts_with("loaded")) ++loads;
  };
  Start(options);
  std::vector<std::thread> threads;
  std::atomic<int> got{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      if (host_->Acquire("one", {}).ok()) ++got;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(got, 8);
  EXPECT_EQ(loads, 1);
  EXPECT_EQ(Loaded(), 1u);
}

// Loads that stand still, once they have begun, until they are let go on.
class LoadGateTest : public StoreModelHostTest {
 protected:
  void StartGated() {
    ModelHostOptions options;
    options.engine.progress = [this](double) {
      begun_ = true;
      while (!open_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    };
    options.note = [this](const std::string& line) {
      if (line.starts_with("stopped loading one")) ++stopped_;
      if (line.starts_with("loaded one")) ++loaded_;
    };
    Start(options);
  }
  void TearDown() override {
    open_ = true;
    StoreModelHostTest::TearDown();
  }

  std::atomic<bool> begun_{false}, open_{false};
  std::atomic<int> stopped_{0}, loaded_{0};
};

TEST_F(LoadGateTest, ALoadThatNobodyWaitsForEnds) {
  StartGated();
  const auto lease =
      host_->Acquire("one", {.waiting = [&] { return !begun_; }});
  ASSERT_FALSE(lease.ok());
  EXPECT_EQ(lease.status().code(), StatusCode::kCancelled);
  open_ = true;
  EXPECT_TRUE(Eventually([&] { return stopped_ == 1; }));
  EXPECT_EQ(Loaded(), 0u);
  EXPECT_EQ(loaded_, 0);
  // The next who asks gets it.
  EXPECT_TRUE(host_->Acquire("one", {}).ok());
  EXPECT_EQ(loaded_, 1);
}

TEST_F(LoadGateTest, WhoAsksWhileALoadIsBeingGivenUpGetsANewOne) {
  StartGated();
  EXPECT_FALSE(
      host_->Acquire("one", {.waiting = [&] { return !begun_; }}).ok());
  std::atomic<bool> ok{false};
  std::thread second([&] {
    ok = host_
             ->Acquire("one", {.waiting =
                                   [&] {
                                     open_ = true;
                                     return true;
                                   }})
             .ok();
  });
  second.join();
  EXPECT_TRUE(ok);
  EXPECT_EQ(stopped_, 1);
  EXPECT_EQ(loaded_, 1);
}

TEST_F(LoadGateTest, WhoGivesUpLeavesTheLoadToOthers) {
  StartGated();
  std::atomic<bool> second_waits{false}, ok{false};
  std::thread second([&] {
    ok = host_
             ->Acquire("one", {.waiting =
                                   [&] {
                                     second_waits = true;
                                     return true;
                                   }})
             .ok();
  });
  EXPECT_EQ(host_->Acquire("one", {.waiting = [&] { return !second_waits; }})
                .status()
                .code(),
            StatusCode::kCancelled);
  open_ = true;
  second.join();
  EXPECT_TRUE(ok);
  EXPECT_EQ(stopped_, 0);
  EXPECT_EQ(loaded_, 1);
}

TEST_F(LoadGateTest, UnloadingWhatLoadsHarmsNobodyWhoWaits) {
  StartGated();
  std::atomic<bool> waits{false}, ok{false};
  std::thread waiter([&] {
    ok = host_
             ->Acquire("one", {.waiting =
                                   [&] {
                                     waits = true;
                                     return true;
                                   }})
             .ok();
  });
  ASSERT_TRUE(Eventually([&] { return waits.load(); }));
  ASSERT_TRUE(host_->Unload("one").ok());
  open_ = true;
  waiter.join();
  EXPECT_TRUE(ok);
  EXPECT_TRUE(Eventually([&] { return Loaded() == 0; }));
}

TEST_F(LoadGateTest, AServerThatEndsStopsItsLoads) {
  StartGated();
  StatusCode code = StatusCode::kOk;
  std::thread waiter([&] { code = host_->Acquire("one", {}).status().code(); });
  ASSERT_TRUE(Eventually([&] { return begun_.load(); }));
  host_->Shutdown();
  open_ = true;
  waiter.join();
  EXPECT_EQ(code, StatusCode::kUnavailable);
  host_.reset();
  EXPECT_EQ(stopped_, 1);
  EXPECT_EQ(loaded_, 0);
}

TEST_F(StoreModelHostTest, ModelsGoWhenTheirTimeIsOverAndNobodyUsesThem) {
  Start();
  {
    const auto lease = host_->Acquire("one", {.keep_alive_s = 0});
    ASSERT_TRUE(lease.ok());
    ASSERT_TRUE(host_->Unload("one").ok());
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(Loaded(), 1u);  // in use
  }
  EXPECT_TRUE(Eventually([&] { return Loaded() == 0; }));
}

TEST_F(StoreModelHostTest, AnIdleModelMakesRoomAndOneInUseDoesNot) {
  ModelHostOptions probe;
  Start(probe);
  ASSERT_TRUE(host_->Acquire("one", {}).ok());
  const uint64_t bytes = host_->Running()[0].memory_bytes;
  host_.reset();

  ModelHostOptions options;
  options.memory_bytes = bytes + bytes / 2;
  options.engine.kv_bytes = 1;  // as little as one context
  Start(options);
  auto first = host_->Acquire("one", {});
  ASSERT_TRUE(first.ok()) << first.status().message();
  const auto refused = host_->Acquire("two", {});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), StatusCode::kResourceExhausted);
  EXPECT_NE(refused.status().message().find("GiB"), std::string::npos);
  first = Status(StatusCode::kCancelled, "let go");
  EXPECT_TRUE(host_->Acquire("two", {}).ok());
  EXPECT_EQ(host_->Running()[0].model.name, "two");
}

TEST_F(StoreModelHostTest, AFileThatIsNoModelFailsForAllAndCanBeTriedAgain) {
  Start();
  fs::resize_file(folder_ / "one.gguf", 1000);
  const auto lease = host_->Acquire("one", {});
  EXPECT_FALSE(lease.ok());
  EXPECT_EQ(Loaded(), 0u);
  EXPECT_FALSE(host_->Acquire("one", {}).ok());
  EXPECT_TRUE(host_->Acquire("two", {}).ok());
}

TEST_F(StoreModelHostTest, NothingIsLoadedOnceTheServerEnds) {
  Start();
  host_->Shutdown();
  EXPECT_EQ(host_->Acquire("one", {}).status().code(),
            StatusCode::kUnavailable);
}

TEST_F(StoreModelHostTest, CopiesAreFoundAndDeletedOnesAreGone) {
  Start();
  ASSERT_TRUE(host_->Copy("one", "three").ok());
  ASSERT_TRUE(host_->Find("three").ok());
  ASSERT_TRUE(host_->Delete("three").ok());
  EXPECT_FALSE(host_->Find("three").ok());
  EXPECT_TRUE(host_->Find("one").ok());
  EXPECT_EQ(host_->Pull("any", nullptr).code(), StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace carat
