#include "store/hub/unfinished.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "base/test_folder.h"

namespace carat {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kDay = 86400;

class UnfinishedTest : public testing::Test {
 protected:
  UnfinishedTest() { fs::create_directories(partial_); }

  std::string Write(const std::string& name, size_t bytes, int64_t age_s) {
    const fs::path path = partial_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << std::string(bytes, 'x');
    Age(path, age_s);
    return path.string();
  }
  static void Age(const fs::path& path, int64_t age_s) {
    fs::last_write_time(
        path, fs::file_time_type::clock::now() - std::chrono::seconds(age_s));
  }

  const TestFolder folder_;
  const std::string models_ = folder_.string();
  const fs::path partial_ = folder_.path() / "hub/.partial";
};

TEST_F(UnfinishedTest, IsListedWithItsSizeAndAge) {
  Write("bbb", 7, 3 * kDay);
  Write("bbb.etag", 100, 3 * kDay);
  Write("aaa/model/one", 20, 0);
  Write("aaa/two", 3, 0);
  const auto list = ListUnfinished(models_);
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].path, (partial_ / "aaa").string());
  EXPECT_EQ(list[0].bytes, 23u);
  EXPECT_EQ(list[1].bytes, 7u);
  EXPECT_NEAR(static_cast<double>(list[0].touched_s - list[1].touched_s),
              3.0 * kDay, 600);
  EXPECT_TRUE(ListUnfinished(models_ + "/none").empty());
}

TEST_F(UnfinishedTest, OnlyWhatIsOldAndNotAskedForGoes) {
  const std::string old = Write("old", 5, 8 * kDay);
  Write("old.etag", 5, 8 * kDay);
  const std::string wanted = Write("wanted", 5, 8 * kDay);
  const std::string fresh = Write("fresh", 5, 6 * kDay);
  const auto gone = DropUnfinished(models_, kUnfinishedSeconds, {wanted});
  ASSERT_EQ(gone.size(), 1u);
  EXPECT_EQ(gone[0].path, old);
  EXPECT_FALSE(fs::exists(old));
  EXPECT_FALSE(fs::exists(old + ".etag"));
  EXPECT_TRUE(fs::exists(wanted));
  EXPECT_TRUE(fs::exists(fresh));
}

TEST_F(UnfinishedTest, WhatAProcessWorksOnStays) {
  const std::string path = Write("busy", 5, 30 * kDay);
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(flock(fd, LOCK_EX), 0);
  EXPECT_TRUE(DropUnfinished(models_, 0).empty());
  EXPECT_TRUE(fs::exists(path));
  close(fd);
  EXPECT_EQ(DropUnfinished(models_, 0).size(), 1u);
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(UnfinishedTest, ImportsGoOnceNobodyCanBeAtThem) {
  Write("import-a/model.gguf", 5, 0);
  EXPECT_TRUE(DropUnfinished(models_, 0).empty());
  Age(partial_ / "import-a/model.gguf", 2 * 3600);
  Age(partial_ / "import-a", 2 * 3600);
  EXPECT_EQ(DropUnfinished(models_, 0).size(), 1u);
  EXPECT_FALSE(fs::exists(partial_ / "import-a"));
}

TEST_F(UnfinishedTest, LinksAreNotFollowed) {
  std::ofstream(folder_.path() / "secret") << "x";
  Age(folder_.path() / "secret", 30 * kDay);
  fs::create_symlink(folder_.path() / "secret", partial_ / "link");
  DropUnfinished(models_, 0);
  EXPECT_TRUE(fs::exists(folder_.path() / "secret"));
}

}  // namespace
}  // namespace carat
