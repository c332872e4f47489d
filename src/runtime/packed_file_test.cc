#include "runtime/packed_file.h"

#include <gtest/gtest.h>

#include <vector>

#include "kernels/matmul.h"

namespace carat {
namespace {

PackedFileHeader Example() {
  PackedFileHeader header;
  header.layout_version = kPackedLayoutVersion;
  header.weights_bytes = 12345;
  header.checksum = 0x1234567890abcdef;
  header.key.fill(9);
  header.model = "gemma-3-270m-it-Q4_0.gguf";
  return header;
}

std::span<const uint8_t> Bytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

TEST(PackedFileTest, HeadersComeBackAsTheyWere) {
  const PackedFileHeader header = Example();
  const std::string bytes = header.Encode();
  ASSERT_EQ(bytes.size(), PackedFileHeader::kBytes);
  const auto back = PackedFileHeader::Parse(Bytes(bytes), header.FileBytes());
  ASSERT_TRUE(back.ok()) << back.status().message();
  EXPECT_EQ(back->weights_bytes, header.weights_bytes);
  EXPECT_EQ(back->checksum, header.checksum);
  EXPECT_EQ(back->key, header.key);
  EXPECT_EQ(back->model, header.model);
}

TEST(PackedFileTest, EveryFlippedBitIsRefused) {
  const PackedFileHeader header = Example();
  const std::string good = header.Encode();
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(PackedFileHeader::Parse(Bytes(bad), header.FileBytes()).ok())
        << "bit " << bit;
  }
}

TEST(PackedFileTest, EveryOtherSizeIsRefused) {
  const PackedFileHeader header = Example();
  const std::string good = header.Encode();
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(
        PackedFileHeader::Parse(Bytes(good.substr(0, size)), header.FileBytes())
            .ok())
        << size;
  }
  for (const uint64_t size :
       {uint64_t{0}, header.FileBytes() - 1, header.FileBytes() + 1}) {
    EXPECT_FALSE(PackedFileHeader::Parse(Bytes(good), size).ok()) << size;
  }
}

TEST(PackedFileTest, OtherLayoutsAreRefused) {
  PackedFileHeader header = Example();
  header.layout_version = kPackedLayoutVersion + 1;
  const auto back =
      PackedFileHeader::Parse(Bytes(header.Encode()), header.FileBytes());
  ASSERT_FALSE(back.ok());
  EXPECT_NE(back.status().message().find("layout"), std::string::npos);
}

TEST(PackedFileTest, LongNamesAreCutBetweenCharacters) {
  PackedFileHeader header = Example();
  header.model.clear();
  for (int i = 0; i < 100; ++i) header.model += "\xE2\x96\x81";  // three bytes
  const auto back =
      PackedFileHeader::Parse(Bytes(header.Encode()), header.FileBytes());
  ASSERT_TRUE(back.ok()) << back.status().message();
  EXPECT_EQ(back->model, header.model.substr(0, 255));
}

TEST(PackedFileTest, ChecksumsSeeEveryByteAndNoThreads) {
  std::vector<uint8_t> weights((size_t{9} << 20) + 77, 3);
  ThreadPool one(1), three(3);
  const uint64_t sum = WeightsChecksum(weights, one);
  EXPECT_EQ(WeightsChecksum(weights, three), sum);
  for (size_t at : {size_t{0}, size_t{4} << 20, weights.size() - 1}) {
    weights[at] ^= 1;
    EXPECT_NE(WeightsChecksum(weights, three), sum) << at;
    weights[at] ^= 1;
  }
  EXPECT_EQ(WeightsChecksum(weights, one), sum);
}

}  // namespace
}  // namespace carat
