#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "base/log.h"
#include "base/test_folder.h"
#include "kv/prefix_disk.h"

namespace carat {
namespace {

namespace fs = std::filesystem;

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

// Memory and disk of one process. Pages hold bytes that follow from the tokens.
class Process {
 public:
  Process(const std::string& folder, uint64_t limit, uint8_t model = 1) {
    DiskTier::Options options = {.folder = folder, .limit_bytes = limit};
    options.model.fill(model);
    auto tier = DiskTier::Open(layout_, options);
    EXPECT_TRUE(tier.ok()) << tier.status().message();
    disk_ =
        std::make_unique<PrefixDisk>(&pool_, &index_, std::move(tier).value());
  }
  ~Process() { disk_->Stop(); }

  // Runs a prompt from an empty cache and has it written.
  void Remember(std::span<const TokenId> tokens) {
    {
      KvSequence kv(&pool_);
      while (kv.length() < static_cast<int64_t>(tokens.size())) {
        const int64_t count = std::min<int64_t>(
            kKvTile, static_cast<int64_t>(tokens.size()) - kv.length());
        ASSERT_TRUE(kv.Extend(count).ok());
        kv.Advance(count);
        for (const auto& table : kv.tables().tables) {
          Fill(table.back(), tokens[static_cast<size_t>(kv.length() - count)]);
        }
        if (kv.length() % 2048 == 0) index_.Insert(tokens, kv, kv.length());
      }
      index_.Insert(tokens, kv, kv.length());
    }
    disk_->Save(tokens, static_cast<int64_t>(tokens.size()));
    disk_->ReleaseAllWritten();
  }

  // Positions found, each page's bytes checked.
  int64_t Find(std::span<const TokenId> tokens) {
    const KvSequence kv =
        disk_->Find(tokens, static_cast<int64_t>(tokens.size()), 0);
    for (const auto& table : kv.tables().tables) {
      for (size_t page = 0; page < table.size(); ++page) {
        if (table[page] == nullptr) continue;
        const TokenId id = tokens[page * static_cast<size_t>(kKvTile)];
        EXPECT_EQ(table[page][0], static_cast<uint8_t>(id * 7 + 1));
        EXPECT_EQ(table[page][777], static_cast<uint8_t>(id * 7 + 1));
      }
    }
    return kv.length();
  }
  DiskTier::Stats stats() const { return disk_->stats(); }

 private:
  void Fill(uint8_t* page, TokenId id) {
    std::memset(page, static_cast<uint8_t>(id * 7 + 1),
                static_cast<size_t>(layout_.groups[0].page_bytes));
  }

  KvLayout layout_ = TestLayout();
  PagePool pool_{layout_, uint64_t{1} << 30};
  PrefixIndex index_{&pool_};
  std::unique_ptr<PrefixDisk> disk_;
};

class DiskTierTest : public testing::Test {
 protected:
  DiskTierTest() { SetLogLevel(LogLevel::kOff); }
  ~DiskTierTest() override { SetLogLevel(LogLevel::kWarning); }
  std::vector<fs::path> Files() const {
    std::vector<fs::path> out;
    for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
      if (entry.is_regular_file()) out.push_back(entry.path());
    }
    return out;
  }

  static constexpr uint64_t kNoLimit = uint64_t{1} << 40;
  const TestFolder top_;
  const std::string folder_ = top_.string();
};

TEST_F(DiskTierTest, AnotherProcessTakesUpWhatOneHasWritten) {
  const auto tokens = Tokens(5000);
  Process(folder_, kNoLimit).Remember(tokens);
  EXPECT_EQ(Files().size(), 3u);  // 2048, 2048 and 896 positions
  Process other(folder_, kNoLimit);
  EXPECT_EQ(other.Find(tokens), 4992);
  EXPECT_EQ(other.Find(tokens), 4992);  // from memory now
  EXPECT_EQ(other.stats().reads, 78 + 2);
  // Divergence: files before it still serve, where a window is.
  auto edited = tokens;
  edited[4990] = -1;
  EXPECT_EQ(Process(folder_, kNoLimit).Find(edited), 4096);
  edited[10] = -1;
  EXPECT_EQ(Process(folder_, kNoLimit).Find(edited), 0);
  EXPECT_EQ(Process(folder_, kNoLimit, 2).Find(tokens), 0);
}

TEST_F(DiskTierTest, WhatIsWrittenIsFoundByAProcessThatRunsAlready) {
  const auto tokens = Tokens(1000);
  Process early(folder_, kNoLimit);
  EXPECT_EQ(early.Find(tokens), 0);
  Process(folder_, kNoLimit).Remember(tokens);
  EXPECT_EQ(early.Find(tokens), 960);
}

TEST_F(DiskTierTest, ALongerConversationReplacesWhatItContains) {
  Process process(folder_, kNoLimit);
  process.Remember(Tokens(700));
  EXPECT_EQ(Files().size(), 1u);
  process.Remember(Tokens(1400));
  EXPECT_EQ(Files().size(), 1u);
  process.Remember(Tokens(1400));
  EXPECT_EQ(Process(folder_, kNoLimit).Find(Tokens(1400)), 1344);
  EXPECT_EQ(Process(folder_, kNoLimit).Find(Tokens(660)), 640);
}

TEST_F(DiskTierTest, DamagedAndForeignFilesAreIgnoredAndRemoved) {
  const auto tokens = Tokens(1000);
  Process(folder_, kNoLimit).Remember(tokens);
  ASSERT_EQ(Files().size(), 1u);
  const fs::path path = Files()[0];
  std::ifstream in(path, std::ios::binary);
  const std::string good((std::istreambuf_iterator<char>(in)), {});
  const auto write = [&](const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
  };
  for (const size_t size : {size_t{0}, size_t{10}, size_t{4096},
                            good.size() / 2, good.size() - 1}) {
    write(good.substr(0, size));
    Process process(folder_, kNoLimit);
    EXPECT_EQ(process.Find(tokens), 0) << size;
    EXPECT_EQ(process.stats().errors, 1);
    EXPECT_TRUE(Files().empty()) << size;
  }
  // A flipped bit in the header, in the first page and in the last.
  for (const size_t at : {size_t{100}, size_t{9000}, good.size() - 5}) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 4);
    write(bad);
    Process process(folder_, kNoLimit);
    EXPECT_EQ(process.Find(tokens), 0) << at;
    EXPECT_TRUE(Files().empty()) << at;
  }
  write("a note that somebody keeps here");
  EXPECT_EQ(Process(folder_, kNoLimit).Find(tokens), 0);
  // Damage that comes while the process runs.
  write(good);
  Process process(folder_, kNoLimit);
  write(good.substr(0, 100));
  EXPECT_EQ(process.Find(tokens), 0);
  // Under another prompt's name.
  const auto others = Tokens(1000, 9);
  process.Remember(others);
  ASSERT_EQ(Files().size(), 1u);
  fs::rename(Files()[0], path);
  EXPECT_EQ(Process(folder_, kNoLimit).Find(tokens), 0);
  EXPECT_TRUE(Files().empty());
  // A folder or a pipe in a file's place harms nobody.
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(Process(folder_, kNoLimit).Find(tokens), 0);
  fs::remove(path);
  fs::create_directory(path);
  EXPECT_EQ(Process(folder_, kNoLimit).Find(tokens), 0);
}

TEST_F(DiskTierTest, TheFolderStaysWithinItsLimitOldestFirst) {
  const uint64_t page = 2 * 64 * 16 * 4;
  // A prompt of 640 tokens: 10 global pages and 3 or 4 of the window.
  Process process(folder_, 3 * 16 * page);
  for (const TokenId first : {0, 1000, 2000}) {
    process.Remember(Tokens(640, first));
    ::usleep(20000);
  }
  Process(folder_, 3 * 16 * page).Find(Tokens(640, 0));  // used now
  process.Remember(Tokens(640, 3000));
  Process later(folder_, 3 * 16 * page);
  EXPECT_EQ(later.Find(Tokens(640, 0)), 640);
  EXPECT_EQ(later.Find(Tokens(640, 1000)), 0);
  EXPECT_EQ(later.Find(Tokens(640, 3000)), 640);
  EXPECT_LE(later.stats().bytes, 3 * 16 * page);
}

TEST_F(DiskTierTest, AFullDiskIsNoMoreThanAWarning) {
  const auto tokens = Tokens(1000);
  struct rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small = {.rlim_cur = 20000, .rlim_max = before.rlim_max};
  {
    Process process(folder_, kNoLimit);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    process.Remember(tokens);
    EXPECT_EQ(process.stats().errors, 1);
    EXPECT_EQ(process.stats().writes, 0);
    EXPECT_EQ(process.Find(tokens), 1000);  // from memory
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    EXPECT_TRUE(Files().empty());
  }
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(Process(folder_, kNoLimit).Find(tokens), 0);
}

TEST_F(DiskTierTest, AKillDuringAWriteLeavesNoWrongData) {
  int found = 0;
  for (int round = 0; round < 8; ++round) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      Process process(folder_, kNoLimit);
      for (TokenId first = 0;; first += 10000) {
        process.Remember(Tokens(3000, first + round));
      }
    }
    ::usleep(static_cast<useconds_t>(5000 + 3700 * round));
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    Process process(folder_, kNoLimit);
    for (TokenId first = 0; first < 100000; first += 10000) {
      const auto tokens = Tokens(3000, first + round);
      const int64_t length = process.Find(tokens);  // checks the bytes
      EXPECT_TRUE(length == 0 || length == 2048 || length == 2944) << length;
      found += length > 0 ? 1 : 0;
    }
    EXPECT_EQ(process.stats().errors, 0);
  }
  EXPECT_GT(found, 0);
}

TEST_F(DiskTierTest, AFolderThatCannotBeIsAnError) {
  const std::string file = folder_ + "/file";
  std::ofstream(file) << "x";
  const KvLayout layout = TestLayout();
  const auto tier = DiskTier::Open(layout, {.folder = file + "/sub"});
  ASSERT_FALSE(tier.ok());
  EXPECT_NE(tier.status().message().find("--cache-dir"), std::string::npos);
}

}  // namespace
}  // namespace carat
