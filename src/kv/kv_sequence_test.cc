#include "kv/kv_sequence.h"

#include <gtest/gtest.h>

#include <cstring>

namespace carat {
namespace {

// Two layers that see everything, one that sees 100 positions.
KvLayout TestLayout() {
  KvLayout layout;
  const int global = layout.GroupFor(0), sliding = layout.GroupFor(100);
  layout.AddOwner(global, KvType::kF32, 1, 16);
  layout.AddOwner(sliding, KvType::kF32, 1, 16);
  layout.AddOwner(global, KvType::kF32, 1, 16);
  layout.AddReader(1);
  return layout;
}

void Write(KvSequence& kv, int64_t count) {
  ASSERT_TRUE(kv.Extend(count).ok());
  kv.Advance(count);
}

TEST(KvLayoutTest, ReadersShareTheirSourcesSlice) {
  const KvLayout layout = TestLayout();
  EXPECT_EQ(&layout.SliceOf(3), &layout.SliceOf(1));
  EXPECT_EQ(layout.LastOwner(), 2);
  EXPECT_NE(layout.SliceOf(0).offset_bytes, layout.SliceOf(2).offset_bytes);
}

TEST(KvSequenceTest, SlidingPagesBehindTheWindowAreDroppedGlobalOnesStay) {
  const KvLayout layout = TestLayout();
  PagePool pool(layout, 1 << 30);
  KvSequence kv(&pool);
  for (int i = 0; i < 100; ++i) Write(kv, 10);
  Write(kv, 1);
  const auto& tables = kv.tables().tables;
  ASSERT_EQ(tables[0].size(), 16u);
  for (uint8_t* page : tables[0]) EXPECT_NE(page, nullptr);
  // Position 1000 sees 901..1000; page 14 starts at 896.
  EXPECT_EQ(tables[1][13], nullptr);
  EXPECT_NE(tables[1][14], nullptr);
  EXPECT_LE(pool.used_bytes(), KvSequence::BytesFor(layout, 1001, 10));
}

TEST(KvSequenceTest, GoesBackOnlyWhileTheWindowIsHeld) {
  const KvLayout layout = TestLayout();
  PagePool pool(layout, 1 << 30);
  KvSequence kv(&pool);
  for (int i = 0; i < 60; ++i) Write(kv, 10);
  EXPECT_TRUE(kv.CanTruncate(600));
  EXPECT_TRUE(kv.CanTruncate(598));
  EXPECT_FALSE(kv.CanTruncate(300));
  EXPECT_FALSE(kv.CanTruncate(601));
  EXPECT_TRUE(kv.CanTruncate(0));
  kv.Truncate(598);
  Write(kv, 50);
  EXPECT_EQ(kv.length(), 648);
}

TEST(KvSequenceTest, TheFirstToGoOnKeepsASharedPageTheOthersCopyIt) {
  const KvLayout layout = TestLayout();
  PagePool pool(layout, 1 << 30);
  KvSequence kv(&pool);
  Write(kv, 70);
  std::memset(kv.tables().tables[0][1], 7, 64);
  {
    KvSequence fork = kv.Fork(70);
    EXPECT_EQ(fork.tables().tables[0][1], kv.tables().tables[0][1]);
    Write(kv, 1);
    EXPECT_EQ(fork.tables().tables[0][1], kv.tables().tables[0][1]);
    ASSERT_TRUE(fork.Extend(1).ok());
    EXPECT_NE(fork.tables().tables[0][1], kv.tables().tables[0][1]);
    EXPECT_EQ(fork.tables().tables[0][0], kv.tables().tables[0][0]);
    EXPECT_EQ(fork.tables().tables[0][1][5], 7);
    std::memset(fork.tables().tables[0][1], 9, 64);
    // What went back may not write over what the other still sees.
    KvSequence other = kv.Fork(71);
    kv.Truncate(68);
    ASSERT_TRUE(kv.Extend(1).ok());
    EXPECT_NE(other.tables().tables[0][1], kv.tables().tables[0][1]);
    EXPECT_EQ(other.tables().tables[0][1][5], 7);
  }
  EXPECT_EQ(kv.tables().tables[0][1][5], 7);
  kv.Clear();
  EXPECT_EQ(pool.used_bytes(), 0u);
}

TEST(KvSequenceTest, AFullPoolIsAnErrorThatLosesNothing) {
  const KvLayout layout = TestLayout();
  PagePool pool(layout, KvSequence::BytesFor(layout, 128, 64));
  KvSequence kv(&pool);
  Write(kv, 64);
  Write(kv, 64);
  const Status full = kv.Extend(64);
  EXPECT_EQ(full.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(full.message().find("KV cache is full"), std::string::npos);
  EXPECT_EQ(kv.length(), 128);
  EXPECT_EQ(kv.tables().tables[0].size(), 2u);
}

TEST(KvSequenceTest, ThePlannedBytesSufficeAtEveryLengthAndStep) {
  const KvLayout layout = TestLayout();
  for (int64_t step : {1, 7, 64, 100, 200}) {
    PagePool pool(layout, KvSequence::BytesFor(layout, 2000, step));
    KvSequence kv(&pool);
    for (int64_t done = 0; done < 2000;) {
      const int64_t count = std::min(step, 2000 - done);
      ASSERT_TRUE(kv.Extend(count).ok()) << step << " at " << done;
      kv.Advance(count);
      done += count;
    }
  }
}

}  // namespace
}  // namespace carat
