#include "base/log.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace carat {
namespace {

class LogTest : public testing::Test {
 protected:
  void SetUp() override {
    SetLogSink([this](LogLevel level, std::string_view line) {
      lines_.push_back(std::string(LogLevelName(level)) + " " +
                       std::string(line));
    });
  }
  void TearDown() override {
    SetLogSink(nullptr);
    SetLogLevel(LogLevel::kWarning);
  }
  std::vector<std::string> lines_;
};

TEST_F(LogTest, LinesBelowTheLevelAreDropped) {
  SetLogLevel(LogLevel::kInfo);
  Log(LogLevel::kDebug, "unseen {}", 1);
  Log(LogLevel::kInfo, "seen {}", 2);
  LogLine(LogLevel::kError, "seen {3}");
  EXPECT_EQ(lines_,
            (std::vector<std::string>{"info seen 2", "error seen {3}"}));
}

TEST_F(LogTest, OffSilencesEverything) {
  SetLogLevel(LogLevel::kOff);
  Log(LogLevel::kError, "unseen");
  EXPECT_FALSE(LogEnabled(LogLevel::kError));
  EXPECT_TRUE(lines_.empty());
}

TEST_F(LogTest, ThreadsDoNotMixTheirLines) {
  SetLogLevel(LogLevel::kInfo);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 100; ++i) Log(LogLevel::kInfo, "line");
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(lines_, std::vector<std::string>(400, "info line"));
}

TEST(LogLevelTest, NamesParseBack) {
  for (const LogLevel level :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError,
        LogLevel::kOff}) {
    EXPECT_EQ(ParseLogLevel(LogLevelName(level)), level);
  }
  EXPECT_EQ(ParseLogLevel("loud"), std::nullopt);
}

}  // namespace
}  // namespace carat
