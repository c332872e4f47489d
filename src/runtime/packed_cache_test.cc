#include "runtime/packed_cache.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <vector>

#include "base/test_folder.h"

namespace carat {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kPlenty = uint64_t{1} << 30;

class PackedCacheTest : public testing::Test {
 protected:
  PackedCache Open(uint64_t limit = kPlenty) {
    auto cache = PackedCache::Open(folder_.string(), limit);
    EXPECT_TRUE(cache.ok()) << cache.status().message();
    return std::move(cache).value();
  }
  static Sha256Digest Key(uint8_t byte) {
    Sha256Digest key;
    key.fill(byte);
    return key;
  }
  static std::vector<uint8_t> Weights(size_t bytes) {
    std::vector<uint8_t> out(bytes);
    std::iota(out.begin(), out.end(), uint8_t{1});
    return out;
  }
  void Age(const std::string& path, int64_t seconds) {
    fs::last_write_time(
        path, fs::last_write_time(path) - std::chrono::seconds(seconds));
  }
  // Files whose names say that they are being written.
  int Parts() {
    int count = 0;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      count += entry.path().extension() == ".part" ? 1 : 0;
    }
    return count;
  }

  const TestFolder top_;
  const fs::path folder_ = top_.path() / "packed";
  ThreadPool pool_{2};
};

TEST_F(PackedCacheTest, WhatIsWrittenIsFound) {
  const PackedCache cache = Open();
  const std::vector<uint8_t> weights = Weights(100'000);
  EXPECT_EQ(cache.Find(Key(1), weights.size(), pool_).status().code(),
            StatusCode::kNotFound);
  const Status written = cache.Write(Key(1), "model.gguf", weights, pool_);
  ASSERT_TRUE(written.ok()) << written.message();
  EXPECT_EQ(Parts(), 0);
  auto found = cache.Find(Key(1), weights.size(), pool_);
  ASSERT_TRUE(found.ok()) << found.status().message();
  EXPECT_TRUE((*found)->is_packed());
  EXPECT_TRUE(std::ranges::equal((*found)->bytes(), weights));
  const auto first = (*found)->Take(1000);
  const auto second = (*found)->Take(1000);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(second->data() - first->data(), 1024);
  EXPECT_EQ(first->data()[5], weights[5]);
  EXPECT_FALSE((*found)->Take(100'000).has_value());

  const auto list = PackedCache::List(folder_.string());
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].model, "model.gguf");
  EXPECT_EQ(list[0].path, cache.PathOf(Key(1)));
  struct stat info;
  ASSERT_EQ(::stat(list[0].path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(PackedCacheTest, DamagedCutForeignAndEmptyFilesAreRefused) {
  const PackedCache cache = Open();
  const std::vector<uint8_t> weights = Weights(50'000);
  ASSERT_TRUE(cache.Write(Key(1), "m", weights, pool_).ok());
  const std::string path = cache.PathOf(Key(1));
  const auto refused = [&](const char* what) {
    const auto found = cache.Find(Key(1), weights.size(), pool_);
    EXPECT_FALSE(found.ok()) << what;
    EXPECT_NE(found.status().code(), StatusCode::kNotFound) << what;
    EXPECT_TRUE(cache.Write(Key(1), "m", weights, pool_).ok()) << what;
    EXPECT_TRUE(cache.Find(Key(1), weights.size(), pool_).ok()) << what;
  };
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(PackedFileHeader::kWeightsAt) + 777);
    file.put(0);
  }
  refused("a changed weight");
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(20);
    file.put(99);
  }
  refused("a changed header");
  fs::resize_file(path, PackedFileHeader::kWeightsAt + 49'999);
  refused("a short file");
  fs::resize_file(path, 100);
  refused("less than a header");
  fs::resize_file(path, 0);
  refused("an empty file");
  std::ofstream(path) << "#!/bin/sh\n" << std::string(5000, 'x');
  refused("another kind of file");
  ASSERT_TRUE(cache.Write(Key(2), "m", weights, pool_).ok());
  fs::rename(cache.PathOf(Key(2)), path);
  refused("another model's weights");
  EXPECT_FALSE(cache.Find(Key(1), weights.size() - 1, pool_).ok());
}

TEST_F(PackedCacheTest, FilesUsedLongestAgoMakeRoom) {
  const std::vector<uint8_t> weights = Weights(1000);
  const uint64_t file = PackedFileHeader::kWeightsAt + weights.size();
  const PackedCache cache = Open(2 * file);
  ASSERT_TRUE(cache.Write(Key(1), "1", weights, pool_).ok());
  ASSERT_TRUE(cache.Write(Key(2), "2", weights, pool_).ok());
  Age(cache.PathOf(Key(1)), 200);
  Age(cache.PathOf(Key(2)), 100);
  // Use counts, not when it was written.
  ASSERT_TRUE(cache.Find(Key(1), weights.size(), pool_).ok());
  ASSERT_TRUE(cache.Write(Key(3), "3", weights, pool_).ok());
  EXPECT_TRUE(cache.Find(Key(1), weights.size(), pool_).ok());
  EXPECT_FALSE(cache.Find(Key(2), weights.size(), pool_).ok());
  EXPECT_TRUE(cache.Find(Key(3), weights.size(), pool_).ok());
}

TEST_F(PackedCacheTest, MoreThanTheLimitIsNotWritten) {
  const std::vector<uint8_t> weights = Weights(1000);
  const PackedCache cache = Open(PackedFileHeader::kWeightsAt + 999);
  const Status status = cache.Write(Key(1), "1", weights, pool_);
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(status.message().find("--packed-cache-size"), std::string::npos);
  EXPECT_TRUE(PackedCache::List(folder_.string()).empty());
}

// A limit on the size of files stands for a disk that is full.
TEST_F(PackedCacheTest, FailedWritesLeaveNothingBehind) {
  const PackedCache cache = Open();
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit old_limit;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  struct rlimit limit = old_limit;
  limit.rlim_cur = PackedFileHeader::kWeightsAt + 5000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  const Status status = cache.Write(Key(1), "1", Weights(100'000), pool_);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old_limit), 0);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(Parts(), 0);
  EXPECT_TRUE(PackedCache::List(folder_.string()).empty());
}

TEST_F(PackedCacheTest, LeftoversOfADeadWriterGoAfterAnHour) {
  const PackedCache cache = Open();
  const std::string young = (folder_ / "a.packed.1-0.part").string();
  const std::string old = (folder_ / "b.packed.1-0.part").string();
  std::ofstream(young) << "x";
  std::ofstream(old) << "x";
  Age(old, 7200);
  ASSERT_TRUE(cache.Write(Key(1), "1", Weights(1000), pool_).ok());
  EXPECT_TRUE(fs::exists(young));
  EXPECT_FALSE(fs::exists(old));
}

TEST_F(PackedCacheTest, ReadingAndWritingCanBeGivenUp) {
  const std::vector<uint8_t> weights = Weights(1000);
  ASSERT_TRUE(Open().Write(Key(1), "m", weights, pool_).ok());
  const auto cache =
      PackedCache::Open(folder_.string(), kPlenty, [] { return false; });
  ASSERT_TRUE(cache.ok());
  EXPECT_EQ(cache->Find(Key(1), 1000, pool_).status().code(),
            StatusCode::kCancelled);
  EXPECT_EQ(cache->Write(Key(2), "m", weights, pool_).code(),
            StatusCode::kCancelled);
  EXPECT_EQ(Parts(), 0);
  EXPECT_TRUE(Open().Find(Key(1), 1000, pool_).ok());
  EXPECT_FALSE(Open().Find(Key(2), 1000, pool_).ok());
}

TEST_F(PackedCacheTest, AFolderThatCannotBeMadeIsAnError) {
  fs::create_directories(folder_);
  std::ofstream(folder_ / "file") << "x";
  const auto cache =
      PackedCache::Open((folder_ / "file" / "sub").string(), kPlenty);
  ASSERT_FALSE(cache.ok());
  EXPECT_NE(cache.status().message().find("--packed-cache"), std::string::npos);
}

}  // namespace
}  // namespace carat
