#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace carat {
namespace {

TEST(ThreadPoolTest, EveryTaskRunsOnceOverManyShortLoops) {
  for (int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (int loop = 0; loop < 3000; ++loop) {
      const size_t tasks = static_cast<size_t>(loop % 17);
      std::vector<std::atomic<int>> hits(tasks);
      pool.ParallelFor(tasks, [&](size_t task, int thread) {
        ASSERT_GE(thread, 0);
        ASSERT_LT(thread, threads);
        hits[task].fetch_add(1);
      });
      for (auto& h : hits) ASSERT_EQ(h.load(), 1);
    }
  }
}

TEST(ThreadPoolTest, WorkWrittenByWorkersIsVisibleToTheCaller) {
  ThreadPool pool(4);
  std::vector<int> values(100000);
  for (int round = 1; round < 20; ++round) {
    pool.ParallelFor(1000, [&](size_t task, int) {
      for (size_t i = task * 100; i < task * 100 + 100; ++i) {
        values[i] = round;
      }
    });
    for (int v : values) ASSERT_EQ(v, round);
  }
}

TEST(ThreadPoolTest, MoreThreadsThanCpusStillMakeProgress) {
  ThreadPool pool(static_cast<int>(std::thread::hardware_concurrency()) * 8);
  std::atomic<int64_t> sum{0};
  for (int loop = 0; loop < 200; ++loop) {
    pool.ParallelFor(64, [&](size_t task, int) {
      sum.fetch_add(static_cast<int64_t>(task));
    });
  }
  EXPECT_EQ(sum.load(), 200 * 64 * 63 / 2);
}

TEST(ThreadPoolTest, LoopsLongerThanATicketCountsAreWhole) {
  ThreadPool pool(3);
  const size_t tasks = (size_t{1} << 20) + 12345;
  std::atomic<size_t> count{0};
  std::atomic<size_t> last{0};
  pool.ParallelFor(tasks, [&](size_t task, int) {
    count.fetch_add(1, std::memory_order_relaxed);
    if (task + 1 == tasks) last.store(task);
  });
  EXPECT_EQ(count.load(), tasks);
  EXPECT_EQ(last.load(), tasks - 1);
}

TEST(ThreadPoolTest, StreamsRunEveryTaskOnceWhateverFollows) {
  // Addresses are only hints: these are not even mapped.
  for (int threads : {1, 3, 70}) {
    ThreadPool pool(threads);
    for (size_t loop = 0; loop < 600; ++loop) {
      const size_t tasks = loop % 7 * (loop % 3);
      std::vector<std::atomic<int>> hits(tasks);
      pool.ParallelStream(
          tasks,
          [&](size_t task) {
            EXPECT_LT(task, tasks);
            return reinterpret_cast<const uint8_t*>((loop % 11 + 1) << 20) +
                   task * 4096;
          },
          [&](size_t task, int) { hits[task].fetch_add(1); });
      for (auto& h : hits) ASSERT_EQ(h.load(), 1);
    }
  }
}

TEST(ThreadPoolTest, AThreadThatIsStuckLosesItsOtherTasks) {
  ThreadPool pool(2);
  constexpr size_t kTasks = 64;
  std::atomic<size_t> finished{0};
  // Task 0 ends when all others have, so they must not wait behind it.
  pool.ParallelFor(kTasks, [&](size_t task, int) {
    if (task == 0) {
      while (finished.load() < kTasks - 1) std::this_thread::yield();
    }
    finished.fetch_add(1);
  });
  EXPECT_EQ(finished.load(), kTasks);
}

TEST(ThreadPoolTest, EndsRightAfterALoopThatNeededNoWorker) {
  // Workers may still be on their way into the loop when the pool ends.
  for (int i = 0; i < 500; ++i) {
    std::atomic<int> ran{0};
    {
      ThreadPool pool(4);
      pool.ParallelFor(2, [&](size_t, int) { ++ran; });
    }
    ASSERT_EQ(ran, 2);
  }
}

TEST(ThreadPoolTest, IdleWorkersSleep) {
  ThreadPool pool(4);
  pool.ParallelFor(8, [](size_t, int) {});
  const auto cpu = [] {
    timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
  };
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const double before = cpu();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_LT(cpu() - before, 0.05);
}

}  // namespace
}  // namespace carat
