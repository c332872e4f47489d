#include "kv/prefix_index.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

namespace carat {
namespace {

// A layer that sees everything and one that sees 100 positions.
KvLayout TestLayout() {
  KvLayout layout;
  layout.AddOwner(layout.GroupFor(0), KvType::kF32, 1, 16);
  layout.AddOwner(layout.GroupFor(100), KvType::kF32, 1, 16);
  return layout;
}

std::vector<TokenId> Tokens(int64_t count, TokenId first = 0) {
  std::vector<TokenId> out(static_cast<size_t>(count));
  std::iota(out.begin(), out.end(), first);
  return out;
}

// A sequence over `tokens`, written in steps of 40. Pages are marked with the
// last token written to them.
KvSequence Run(std::span<const TokenId> tokens, KvSequence from) {
  while (from.length() < static_cast<int64_t>(tokens.size())) {
    const int64_t count = std::min<int64_t>(
        40, static_cast<int64_t>(tokens.size()) - from.length());
    EXPECT_TRUE(from.Extend(count).ok());
    from.Advance(count);
    const auto& tables = from.tables().tables;
    for (const auto& table : tables) {
      std::memcpy(table[static_cast<size_t>(from.length() - 1) / kKvTile],
                  &tokens[static_cast<size_t>(from.length() - 1)],
                  sizeof(TokenId));
    }
  }
  return from;
}

class PrefixIndexTest : public testing::Test {
 protected:
  KvSequence Run(std::span<const TokenId> tokens) {
    return carat::Run(tokens, KvSequence(&pool_));
  }
  int64_t Found(std::span<const TokenId> tokens, int64_t limit = 1 << 20) {
    return index_.Find(tokens, limit).length();
  }

  KvLayout layout_ = TestLayout();
  PagePool pool_{layout_, uint64_t{1} << 30};
  PrefixIndex index_{&pool_};
};

TEST_F(PrefixIndexTest, ABoundaryIsTakenUpExactlyAndNothingElseIsHeld) {
  const auto tokens = Tokens(1000);
  {
    const KvSequence kv = Run(tokens);
    index_.Insert(tokens, kv, 1000);
  }
  EXPECT_EQ(pool_.used_bytes(), pool_.evictable_bytes());
  EXPECT_EQ(Found(Tokens(2000)), 1000);
  EXPECT_EQ(Found(tokens, 999), 999);
  // The slack before it, but not the middle: its window is gone.
  EXPECT_EQ(Found(Tokens(940)), 940);
  EXPECT_EQ(Found(Tokens(700)), 0);
  EXPECT_EQ(Found(Tokens(1000, 5)), 0);
  const KvSequence kv = index_.Find(tokens, 1000);
  EXPECT_EQ(kv.tables().tables[1][10], nullptr);
  EXPECT_NE(kv.tables().tables[1][15], nullptr);
}

TEST_F(PrefixIndexTest, DivergenceFallsBackToTheBestEarlierBoundary) {
  auto tokens = Tokens(1000);
  KvSequence kv = carat::Run(std::span(tokens).first(320), KvSequence(&pool_));
  index_.Insert(tokens, kv, 320);
  kv = carat::Run(tokens, std::move(kv));
  index_.Insert(tokens, kv, 1000);
  auto other = tokens;
  other[700] = 5;
  EXPECT_EQ(Found(other), 320);
  other[310] = 5;
  EXPECT_EQ(Found(other), 310);
  other[100] = 5;
  EXPECT_EQ(Found(other), 0);
  // What diverges hangs on the common pages.
  other = tokens;
  other[700] = 5;
  const uint64_t before = pool_.used_bytes();
  {
    const KvSequence branch = carat::Run(other, index_.Find(other, 999));
    index_.Insert(other, branch, 1000);
  }
  EXPECT_EQ(Found(other), 1000);
  EXPECT_EQ(Found(tokens), 1000);
  const uint64_t page = static_cast<uint64_t>(layout_.groups[0].page_bytes);
  EXPECT_LE(pool_.used_bytes() - before, (11 + 4) * page);
}

TEST_F(PrefixIndexTest, ShortPromptsAreFoundToTheToken) {
  const auto tokens = Tokens(30);
  index_.Insert(tokens, Run(tokens), 30);
  EXPECT_EQ(Found(Tokens(200)), 30);
  EXPECT_EQ(Found(tokens, 29), 29);
  auto other = tokens;
  other[20] = 99;
  EXPECT_EQ(Found(other), 20);
  // A longer one takes the loose end's place.
  const auto longer = Tokens(50);
  index_.Insert(longer, Run(longer), 50);
  EXPECT_EQ(index_.nodes(), 1u);
  EXPECT_EQ(Found(Tokens(200)), 50);
}

TEST_F(PrefixIndexTest, WritingOnDoesNotDisturbWhatIsHeld) {
  const auto tokens = Tokens(100);
  KvSequence kv = Run(tokens);
  index_.Insert(tokens, kv, 100);
  // The first to go on writes into the open page, the second needs a copy.
  const auto longer = Tokens(120);
  const uint8_t* open = kv.tables().tables[0][1];
  kv = carat::Run(longer, std::move(kv));
  EXPECT_EQ(kv.tables().tables[0][1], open);
  auto other = longer;
  other[119] = 7;
  const KvSequence second = carat::Run(other, index_.Find(other, 110));
  EXPECT_NE(second.tables().tables[0][1], open);
  TokenId mark;
  std::memcpy(&mark, kv.tables().tables[0][1], sizeof mark);
  EXPECT_EQ(mark, 119);
  std::memcpy(&mark, second.tables().tables[0][1], sizeof mark);
  EXPECT_EQ(mark, 7);
}

TEST_F(PrefixIndexTest, TheLeastRecentlyUsedGoFirstAndInUseStays) {
  const auto a = Tokens(300, 0), b = Tokens(300, 1000), c = Tokens(300, 5000);
  index_.Insert(a, Run(a), 300);
  index_.Insert(b, Run(b), 300);
  const KvSequence running = Run(c);
  index_.Insert(c, running, 300);
  EXPECT_EQ(Found(a), 300);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(index_.EvictOne());
  EXPECT_EQ(Found(a), 300);
  EXPECT_EQ(Found(b), 0);
  while (index_.EvictOne()) {
  }
  EXPECT_EQ(Found(a), 0);
  EXPECT_EQ(Found(c), 300);
  EXPECT_EQ(pool_.evictable_bytes(), 0u);
  index_.Clear();
  EXPECT_EQ(Found(c), 0);
}

TEST_F(PrefixIndexTest, WindowsThatNobodyUsesGoBeforeTheConversation) {
  const auto tokens = Tokens(1000);
  KvSequence kv(&pool_);
  for (int64_t end : {200, 400, 600, 800, 1000}) {
    kv = carat::Run(std::span(tokens).first(end), std::move(kv));
    index_.Insert(tokens, kv, end);
  }
  kv.Clear();
  auto other = tokens;
  other[450] = 5;
  EXPECT_EQ(Found(other), 384);
  other[450] = 450;
  other[250] = 5;
  EXPECT_EQ(Found(tokens), 1000);
  // The windows before 200, 600 and 800 have not been used since.
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(index_.EvictOne());
  EXPECT_EQ(Found(tokens), 1000);
  EXPECT_EQ(Found(other), 0);
}

TEST_F(PrefixIndexTest, ALayoutWithoutGlobalLayersIsEvictedWhole) {
  KvLayout layout;
  layout.AddOwner(layout.GroupFor(100), KvType::kF32, 1, 16);
  PagePool pool(layout, uint64_t{1} << 30);
  PrefixIndex index(&pool);
  const auto tokens = Tokens(1000);
  {
    const KvSequence kv = carat::Run(tokens, KvSequence(&pool));
    index.Insert(tokens, kv, 1000);
  }
  EXPECT_EQ(index.Find(tokens, 1000).length(), 1000);
  while (index.EvictOne()) {
  }
  EXPECT_EQ(index.nodes(), 0u);
  EXPECT_EQ(pool.used_bytes(), 0u);
}

}  // namespace
}  // namespace carat
