#include "kv/page_file.h"

#include <gtest/gtest.h>

#include <cstring>

namespace carat {
namespace {

PageFileHeader Example() {
  PageFileHeader header;
  header.model.fill(7);
  header.parent.fill(9);
  header.first_block = 32;
  header.page_bytes = {100, 300};
  for (int i = 0; i < 3 * kKvTile; ++i) header.tokens.push_back(i * 5);
  header.present = {1, 0, 1, 0, 1, 1};
  header.checksums = {1, 2, 3, 4, 5, 6};
  return header;
}

std::span<const uint8_t> Bytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

TEST(PageFileTest, HeadersComeBackAsTheyWere) {
  const PageFileHeader header = Example();
  const std::string bytes = header.Encode();
  EXPECT_EQ(bytes.size(), 4096u);
  EXPECT_EQ(header.FileBytes(), 4096u + 600);
  EXPECT_EQ(header.OffsetOf(1, 0), 4096u + 100);
  EXPECT_EQ(header.OffsetOf(2, 1), 4096u + 300);
  const auto back = PageFileHeader::Parse(Bytes(bytes), header.FileBytes());
  ASSERT_TRUE(back.ok()) << back.status().message();
  EXPECT_EQ(back->model, header.model);
  EXPECT_EQ(back->parent, header.parent);
  EXPECT_EQ(back->first_block, 32);
  EXPECT_EQ(back->tokens, header.tokens);
  EXPECT_EQ(back->present, header.present);
  EXPECT_EQ(back->checksums, header.checksums);
  EXPECT_EQ(back->Keys(), header.Keys());
}

TEST(PageFileTest, EveryFlippedBitAndEveryOtherSizeIsRefused) {
  const PageFileHeader header = Example();
  const std::string good = header.Encode();
  // Behind the header's checksum are zeros that nobody reads.
  const size_t end = 48 + 32 + 16 + 16 + 3 * 64 * 4 + 6 + 48 + 32;
  for (size_t bit = 0; bit < end * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    const auto found = PageFileHeader::Parse(Bytes(bad), header.FileBytes());
    // Reserved bytes are under the checksum too.
    ASSERT_FALSE(found.ok()) << "bit " << bit;
    ASSERT_EQ(found.status().code(), StatusCode::kMalformed);
  }
  for (size_t size = 0; size < end; ++size) {
    ASSERT_FALSE(PageFileHeader::Parse(Bytes(good.substr(0, size)), size).ok());
  }
  for (const uint64_t size :
       {uint64_t{4096}, header.FileBytes() - 1, header.FileBytes() + 1}) {
    EXPECT_FALSE(PageFileHeader::Parse(Bytes(good), size).ok());
  }
}

TEST(PageFileTest, ChecksumsSeeEveryBit) {
  std::vector<uint8_t> page(203);
  for (size_t i = 0; i < page.size(); ++i) page[i] = static_cast<uint8_t>(i);
  const uint64_t sum = PageChecksum(page.data(), page.size());
  for (size_t bit = 0; bit < page.size() * 8; ++bit) {
    page[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
    ASSERT_NE(PageChecksum(page.data(), page.size()), sum) << bit;
    page[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
  }
  EXPECT_NE(PageChecksum(page.data(), page.size() - 1), sum);
}

TEST(PageFileTest, KeysTellTokensAndTheirOrderApart) {
  std::vector<TokenId> a(kKvTile, 1), b(kKvTile, 2);
  const PrefixKey none = {};
  EXPECT_NE(NextKey(none, a), NextKey(none, b));
  EXPECT_NE(NextKey(NextKey(none, a), b), NextKey(NextKey(none, b), a));
}

}  // namespace
}  // namespace carat
