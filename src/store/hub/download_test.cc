// Downloads against a scripted server, without sockets and without waiting.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "base/test_folder.h"
#include "store/hub/download_file.h"
#include "store/pulled.h"

namespace carat {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

// One answer of the scripted server.
struct Answer {
  FetchHead head;
  std::string body;
  Status end;  // after the body
};

class Script : public HttpFetcher {
 public:
  Status Fetch(const FetchRequest& request, const FetchSink& sink) override {
    requests.push_back(request);
    if (answers.empty()) {
      ADD_FAILURE() << "nobody was to ask for " << request.url;
      return Internal("the script has ended");
    }
    const Answer answer = std::move(answers.front());
    answers.pop_front();
    CARAT_RETURN_IF_ERROR(sink.head(answer.head));
    if (!answer.body.empty()) {
      CARAT_RETURN_IF_ERROR(sink.body(answer.body));
    }
    return answer.end;
  }
  std::deque<Answer> answers;
  std::vector<FetchRequest> requests;
};

Status Lost() { return Status(StatusCode::kUnavailable, "lost."); }

class DownloadTest : public testing::Test {
 protected:
  Result<std::string> Run() {
    return DownloadFile({.url = "https://hub/x",
                         .file = file_,
                         .path = At("x"),
                         .partial = At("part"),
                         .bearer = "secret"},
                        {.fetcher = &script_,
                         .retry = {.sleep =
                                       [this](milliseconds time) {
                                         waits_.push_back(time);
                                         return true;
                                       }},
                         .progress = [this](uint64_t done) {
                           seen_.push_back(done);
                           return done < stop_at_;
                         }});
  }
  void Add(int status, std::string body, Status end = OkStatus()) {
    script_.answers.push_back({{.status = status, .etag = "\"t\"", .host = "h"},
                               std::move(body),
                               std::move(end)});
  }
  void AddRange(uint64_t start, std::string body) {
    Add(206, std::move(body));
    script_.answers.back().head.range_start = start;
    script_.answers.back().head.range_total = content_.size();
  }
  std::string At(const char* name) const { return folder_ / name; }
  std::string Read(const char* name) const {
    std::ifstream in(At(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void Write(const char* name, const std::string& text) const {
    std::ofstream(At(name), std::ios::binary) << text;
  }

  const TestFolder top_;
  const fs::path folder_ = top_.path();
  const std::string content_ = "0123456789";
  HubFile file_ = {.path = "x", .bytes = 10, .sha256 = Sha256Hex("0123456789")};
  Script script_;
  std::vector<milliseconds> waits_;
  std::vector<uint64_t> seen_;
  uint64_t stop_at_ = UINT64_MAX;
};

TEST_F(DownloadTest, GivesTheFileItsNameOnceItIsChecked) {
  Add(200, content_);
  const auto digest = Run();
  ASSERT_TRUE(digest.ok()) << digest.status().message();
  EXPECT_EQ(*digest, file_.sha256);
  EXPECT_EQ(Read("x"), content_);
  EXPECT_FALSE(fs::exists(At("part")));
  EXPECT_FALSE(fs::exists(At("part.etag")));
  EXPECT_EQ(script_.requests[0].bearer, "secret");
  EXPECT_EQ(seen_.back(), 10u);
}

TEST_F(DownloadTest, AsksForTheRestOnly) {
  Add(200, "01234", Lost());
  AddRange(5, "567");
  script_.answers.back().end = Lost();
  AddRange(8, "89");
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(script_.requests[1].from, 5u);
  EXPECT_EQ(script_.requests[1].if_range, "\"t\"");
  EXPECT_EQ(script_.requests[2].from, 8u);
  EXPECT_EQ(Read("x"), content_);
}

TEST_F(DownloadTest, AWholeAnswerToARangeBeginsAnew) {
  Write("part", "abc");
  Add(200, content_);
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(script_.requests[0].from, 3u);
  EXPECT_EQ(Read("x"), content_);
}

TEST_F(DownloadTest, ARangeThatIsNoneBeginsAnew) {
  Write("part", "abc");
  Add(416, "");
  Add(200, content_);
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(script_.requests[1].from, 0u);
}

TEST_F(DownloadTest, AnotherRangeThanAskedForIsAnError) {
  Write("part", "0123");
  AddRange(2, "23456789");
  EXPECT_EQ(Run().status().code(), StatusCode::kMalformed);
  EXPECT_FALSE(fs::exists(At("x")));
}

TEST_F(DownloadTest, MoreBytesThanTheFileHasAreAnError) {
  Add(200, content_ + "x");
  EXPECT_EQ(Run().status().code(), StatusCode::kMalformed);
  Add(200, content_);
  script_.answers.back().head.length = 11;
  EXPECT_EQ(Run().status().code(), StatusCode::kMalformed);
}

TEST_F(DownloadTest, WrongBytesAreThrownAway) {
  Add(200, "abcdefghij");
  EXPECT_EQ(Run().status().code(), StatusCode::kMalformed);
  EXPECT_FALSE(fs::exists(At("x")));
  EXPECT_FALSE(fs::exists(At("part")));
}

TEST_F(DownloadTest, ADamagedRestIsFetchedAgainOnce) {
  Write("part", "abc");
  AddRange(3, "3456789");
  Add(200, content_);
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(Read("x"), content_);
}

TEST_F(DownloadTest, ACompleteRestIsOnlyChecked) {
  Write("part", content_);
  ASSERT_TRUE(Run().ok());
  EXPECT_TRUE(script_.requests.empty());
  // And a complete file too.
  ASSERT_TRUE(Run().ok());
  EXPECT_FALSE(fs::exists(At("part")));
}

TEST_F(DownloadTest, GitNamesWhatTheHubHasNoSha256Of) {
  file_ = {.path = "x",
           .bytes = 6,
           .git_blob = "ce013625030ba8dba906f756967f9e9ca394464a"};
  Add(200, "hellO\n");
  EXPECT_EQ(Run().status().code(), StatusCode::kMalformed);
  Add(200, "hello\n");
  const auto digest = Run();
  ASSERT_TRUE(digest.ok());
  EXPECT_EQ(*digest, Sha256Hex("hello\n"));
}

TEST_F(DownloadTest, WaitsLongerEachTimeAndAsLongAsAsked) {
  Add(503, "");
  Add(503, "");
  Add(429, "");
  script_.answers.back().head.retry_after_s = 17;
  Add(200, content_);
  ASSERT_TRUE(Run().ok());
  ASSERT_EQ(waits_.size(), 3u);
  EXPECT_GE(waits_[0], milliseconds(250));
  EXPECT_LE(waits_[0], milliseconds(500));
  EXPECT_GE(waits_[1], milliseconds(500));
  EXPECT_LE(waits_[1], milliseconds(1000));
  EXPECT_EQ(waits_[2], milliseconds(17000));
}

TEST_F(DownloadTest, GivesUpAfterAttemptsWithoutAByte) {
  for (int i = 0; i < 7; ++i) Add(503, "");
  const auto end = Run();
  EXPECT_EQ(end.status().code(), StatusCode::kUnavailable);
  EXPECT_NE(end.status().message().find("7 attempts"), std::string::npos);
  EXPECT_TRUE(script_.answers.empty());
}

TEST_F(DownloadTest, EveryNewByteCountsAsProgress) {
  for (uint64_t i = 0; i < 9; ++i) {
    if (i == 0) {
      Add(200, "0", Lost());
    } else {
      AddRange(i, content_.substr(i, 1));
      script_.answers.back().end = Lost();
    }
  }
  AddRange(9, "9");
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(Read("x"), content_);
}

TEST_F(DownloadTest, StopsWhenNobodyWantsItAndKeepsWhatCame) {
  stop_at_ = 5;
  Add(200, "01234");
  EXPECT_EQ(Run().status().code(), StatusCode::kCancelled);
  EXPECT_EQ(Read("part"), "01234");
}

TEST_F(DownloadTest, RefusalsAreNotRepeated) {
  Add(404, "");
  EXPECT_EQ(Run().status().code(), StatusCode::kNotFound);
  Add(403, "");
  EXPECT_EQ(Run().status().code(), StatusCode::kFailedPrecondition);
}

TEST(PulledRecord, SurvivesBeingWritten) {
  const PulledModel model = {
      .name = "gemma4:e2b-qat",
      .repository = "org/repo",
      .revision = std::string(40, 'a'),
      .folder = "hub/org/repo/aa",
      .model = "m-Q4_0-00001-of-00002.gguf",
      .quantisation = "Q4_0",
      .files = {{"m-Q4_0-00001-of-00002.gguf", 5, std::string(64, 'b')},
                {"m-Q4_0-00002-of-00002.gguf", 6, std::string(64, 'c')}},
      .pulled_s = 1700000000};
  const auto again = ReadRecord(WriteRecord(model));
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ(WriteRecord(*again), WriteRecord(model));
  EXPECT_EQ(again->bytes(), 11u);
  EXPECT_EQ(again->digest().size(), 64u);
  const auto aliases = again->aliases();
  for (const char* alias : {"org/repo:Q4_0", "repo", "hf.co/org/repo:Q4_0",
                            "m-Q4_0", "org/repo/m-Q4_0.gguf"}) {
    EXPECT_NE(std::find(aliases.begin(), aliases.end(), alias), aliases.end())
        << alias;
  }
}

TEST(PulledRecord, WhatLeavesTheFolderIsRefused) {
  const auto record = [](const std::string& name, const std::string& folder,
                         const std::string& model, const std::string& path) {
    return R"({"version":1,"name":")" + name + R"(","folder":")" + folder +
           R"(","model":")" + model + R"(","files":[{"path":")" + path +
           R"(","bytes":1,"sha256":")" + std::string(64, 'a') + R"("}]})";
  };
  EXPECT_TRUE(ReadRecord(record("n", "hub/x", "a.gguf", "a.gguf")).ok());
  EXPECT_TRUE(ReadRecord(record("n", "hub/x", "", "a")).ok());
  EXPECT_FALSE(ReadRecord(record("../n", "hub/x", "a", "a")).ok());
  EXPECT_FALSE(ReadRecord(record("n", "../x", "a", "a")).ok());
  EXPECT_FALSE(ReadRecord(record("n", "/x", "a", "a")).ok());
  EXPECT_FALSE(ReadRecord(record("n", "hub/x", "../a", "../a")).ok());
  EXPECT_FALSE(ReadRecord(record("n", "hub/x", "b", "a")).ok());
  for (const char* text : {"", "[]", "{}", R"({"version":2})",
                           R"({"version":1,"name":"n","folder":"f"})"}) {
    EXPECT_FALSE(ReadRecord(text).ok()) << text;
  }
}

TEST(PulledName, IsNoPath) {
  for (const char* name : {"a", "gemma4:e2b", "org/repo:Q4_0", "o/r/base"}) {
    EXPECT_TRUE(IsPulledName(name)) << name;
  }
  for (const char* name : {"", "/a", "a/", "..", "a/../b", ".a", "a//b", "a b",
                           "a/b/c/d", "a\n", "-a"}) {
    EXPECT_FALSE(IsPulledName(name)) << name;
  }
}

}  // namespace
}  // namespace carat
