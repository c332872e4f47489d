// Downloads that several clients wait for.
#include "server/pull_jobs.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <string>
#include <thread>
#include <vector>

namespace carat {
namespace {

// A gate that a download waits at.
class Gate {
 public:
  void Open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

bool Ignore(const PullProgress&) { return true; }

TEST(PullJobs, TellsEveryStatusInOrderAndTheResult) {
  PullJobs jobs([](const std::string& name, const PullListener& listener) {
    EXPECT_EQ(name, "m");
    for (const char* status : {"one", "two", "three"}) {
      listener({.status = status});
    }
    return NotFound("gone");
  });
  std::vector<std::string> heard;
  const Status status = jobs.Pull("m", [&](const PullProgress& progress) {
    if (heard.empty() || heard.back() != progress.status) {
      heard.push_back(progress.status);
    }
    return true;
  });
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_EQ(heard, (std::vector<std::string>{"one", "two", "three"}));
}

TEST(PullJobs, OneDownloadForAllWhoAsk) {
  std::atomic<int> runs{0};
  std::atomic<int> told{0};
  Gate gate;
  PullJobs jobs([&](const std::string&, const PullListener& listener) {
    ++runs;
    listener({.status = "at work"});
    gate.Wait();
    return OkStatus();
  });
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      bool first = true;
      EXPECT_TRUE(jobs.Pull("m",
                            [&](const PullProgress&) {
                              if (first && ++told == 4) gate.Open();
                              first = false;
                              return true;
                            })
                      .ok());
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(runs, 1);
  // It is over: whoever asks now begins anew.
  EXPECT_TRUE(jobs.Pull("m", Ignore).ok());
  EXPECT_EQ(runs, 2);
}

// Works until it is told to stop.
Status UntilStopped(const PullListener& listener) {
  while (listener({.status = "at work"})) std::this_thread::yield();
  return Status(StatusCode::kCancelled, "stopped");
}

TEST(PullJobs, EndsWithItsLastClient) {
  Gate ended;
  PullJobs jobs([&](const std::string&, const PullListener& listener) {
    const Status status = UntilStopped(listener);
    ended.Open();
    return status;
  });
  Gate both;
  std::thread other([&] {
    bool told = false;
    EXPECT_EQ(jobs.Pull("m",
                        [&](const PullProgress&) {
                          if (told) return false;
                          both.Open();
                          return told = true;
                        })
                  .code(),
              StatusCode::kCancelled);
  });
  both.Wait();
  EXPECT_EQ(jobs.Pull("m", [](const PullProgress&) { return false; }).code(),
            StatusCode::kCancelled);
  other.join();
  ended.Wait();
}

TEST(PullJobs, CancelEndsAllAndRefusesMore) {
  PullJobs jobs([](const std::string&, const PullListener& listener) {
    return UntilStopped(listener);
  });
  Gate started;
  std::thread client([&] {
    EXPECT_EQ(jobs.Pull("m",
                        [&](const PullProgress&) {
                          started.Open();
                          return true;
                        })
                  .code(),
              StatusCode::kCancelled);
  });
  started.Wait();
  jobs.Cancel();
  client.join();
  EXPECT_EQ(jobs.Pull("m", Ignore).code(), StatusCode::kCancelled);
}

}  // namespace
}  // namespace carat
