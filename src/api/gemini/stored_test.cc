// What Gemini's protocol keeps between requests: files and cached prefixes.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "api/gemini/context.h"
#include "api/test_host.h"
#include "base/hash.h"
#include "base/test_folder.h"

namespace carat {
namespace {

class StoredTest : public testing::Test {
 protected:
  void SetUp() override {
    context_.host = host();
    context_.options.files_folder = folder_;
    context_.options.max_file_bytes = 1000;
    context_.options.max_files_bytes = 1500;
    const Status opened = OpenGeminiFiles(&context_);
    ASSERT_TRUE(opened.ok()) << opened.message();
  }
  void TearDown() override { context_.files.reset(); }
  TestReply Call(const HttpRequest& request) {
    TestReply reply;
    EXPECT_TRUE(HandleGemini(&context_, request, &reply)) << request.path;
    return reply;
  }
  // Starts an upload; the query of its address.
  std::string Begin(size_t bytes, const char* type = "text/plain") {
    HttpRequest start =
        Post("/upload/v1beta/files", R"({"file":{"display_name":"d"}})");
    start.headers = {
        {"x-goog-upload-protocol", "resumable"},
        {"x-goog-upload-command", "start"},
        {"x-goog-upload-header-content-length", std::to_string(bytes)},
        {"x-goog-upload-header-content-type", type},
        {"host", "localhost:1"}};
    const TestReply reply = Call(start);
    const std::string url = reply.Header("x-goog-upload-url");
    EXPECT_TRUE(url.starts_with("http://localhost:1/upload/v1beta/files?"))
        << reply.body;
    return url.substr(url.find('?') + 1);
  }
  TestReply Piece(const std::string& query, size_t offset, std::string bytes,
                  const char* command) {
    HttpRequest piece = Post("/upload/v1beta/files", std::move(bytes));
    piece.query = query;
    piece.headers = {{"x-goog-upload-command", command},
                     {"x-goog-upload-offset", std::to_string(offset)}};
    EXPECT_TRUE(IsGeminiUploadPiece(piece));
    return Call(piece);
  }
  std::string Upload(std::string bytes, const char* type = "text/plain") {
    const TestReply done =
        Piece(Begin(bytes.size(), type), 0, bytes, "upload, finalize");
    EXPECT_EQ(done.Header("x-goog-upload-status"), "final") << done.body;
    const Json name = At(done.json(), "file.name");
    return name.is_string() ? name.as_string() : "";
  }
  size_t FilesInFolder() const {
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      count += entry.is_regular_file();
    }
    return count;
  }

  static TestHost* host() {
    static TestHost host;
    return &host;
  }
  const TestFolder top_;
  const std::string folder_ = (top_.path() / "files").string();
  GeminiContext context_;
};

TEST_F(StoredTest, AnUploadInPiecesIsOneFile) {
  const std::string query = Begin(6);
  const TestReply first = Piece(query, 0, "abc", "upload");
  EXPECT_EQ(first.Header("x-goog-upload-status"), "active");
  EXPECT_EQ(Piece(query, 1, "x", "upload").status, 400);  // not its place
  const TestReply asked = Piece(query, 0, "", "query");
  EXPECT_EQ(asked.Header("x-goog-upload-size-received"), "3");
  const TestReply last = Piece(query, 3, "def", "upload, finalize");
  EXPECT_EQ(last.Header("x-goog-upload-status"), "final");
  const Json file = At(last.json(), "file");
  EXPECT_EQ(At(file, "sizeBytes"), Json("6"));
  EXPECT_EQ(At(file, "displayName"), Json("d"));
  EXPECT_EQ(At(file, "mimeType"), Json("text/plain"));
  EXPECT_EQ(At(file, "state"), Json("ACTIVE"));
  const std::string name = At(file, "name").as_string();
  const TestReply download =
      Call(Get("/v1beta/" + name + ":download", "alt=media"));
  EXPECT_EQ(download.body, "abcdef");
  EXPECT_EQ(At(Call(Get("/v1beta/files")).json(), "files.0.name"), Json(name));
  HttpRequest remove = Get("/v1beta/" + name);
  remove.method = "DELETE";
  EXPECT_EQ(Call(remove).status, 200);
  EXPECT_EQ(Call(remove).status, 404);
  EXPECT_EQ(FilesInFolder(), 0u);
}

TEST_F(StoredTest, FilesSurviveARestartAndHalfUploadsDoNot) {
  const std::string name = Upload("hello");
  Piece(Begin(9), 0, "half", "upload");
  std::ofstream(folder_ + "/stray.bin") << "x";
  context_.files.reset();
  ASSERT_TRUE(OpenGeminiFiles(&context_).ok());
  EXPECT_EQ(Call(Get("/v1beta/" + name + ":download")).body, "hello");
  EXPECT_EQ(At(Call(Get("/v1beta/files")).json(), "files").as_array().size(),
            1u);
  EXPECT_EQ(FilesInFolder(), 2u);
}

TEST_F(StoredTest, LimitsHold) {
  HttpRequest start = Post("/upload/v1beta/files", "{}");
  start.headers = {{"x-goog-upload-command", "start"},
                   {"x-goog-upload-header-content-length", "1001"}};
  EXPECT_EQ(Call(start).status, 400);
  EXPECT_EQ(Piece(Begin(3), 0, "abcd", "upload").status, 400);
  EXPECT_EQ(Piece(Begin(3), 0, "ab", "upload, finalize").status, 400);
  Upload(std::string(1000, 'a'));
  start.headers[1].second = "900";
  EXPECT_EQ(Call(start).status, 429);
  EXPECT_EQ(Piece("upload_id=guess", 0, "a", "upload").status, 404);
}

TEST_F(StoredTest, NoNameOfARequestReachesTheFileSystem) {
  std::ofstream(folder_ + "/../carat-secret.bin") << "secret";
  for (const char* path :
       {"/v1beta/files/../carat-secret", "/v1beta/files/..%2Fcarat-secret",
        "/v1beta/files/../carat-secret:download"}) {
    EXPECT_EQ(Call(Get(path)).status, 404) << path;
  }
}

TEST_F(StoredTest, AnothersFilesAreNotShown) {
  const std::string name = Upload("hello");
  HttpRequest request = Get("/v1beta/" + name);
  request.caller = "someone else";
  EXPECT_EQ(Call(request).status, 404);
  request.path = "/v1beta/files";
  EXPECT_TRUE(At(Call(request).json(), "files").as_array().empty());
}

TEST_F(StoredTest, TextFilesAreReadIntoThePrompt) {
  const std::string name = Upload("four words of text");
  const auto tokens = [&](const std::string& part) {
    const TestReply reply =
        Call(Post("/v1beta/models/tiny:countTokens",
                  R"({"contents":[{"parts":[)" + part + "]}]}"));
    EXPECT_EQ(reply.status, 200) << reply.body;
    return At(reply.json(), "totalTokens").as_int();
  };
  const int64_t inlined = tokens(R"({"text":"four words of text"})");
  EXPECT_EQ(tokens(R"({"fileData":{"fileUri":")" + name + R"("}})"), inlined);
  EXPECT_EQ(tokens(R"({"file_data":{"file_uri":"http://h/v1beta/)" + name +
                   R"(","mime_type":"text/plain"}})"),
            inlined);
  const TestReply image = Call(Post(
      "/v1beta/models/tiny:countTokens",
      R"({"contents":[{"parts":[{"fileData":{"mimeType":"image/png","fileUri":")" +
          name + R"("}}]}]})"));
  EXPECT_EQ(image.status, 400);
  const TestReply elsewhere = Call(Post(
      "/v1beta/models/tiny:countTokens",
      R"({"contents":[{"parts":[{"fileData":{"fileUri":"http://a/b.txt"}}]}]})"));
  EXPECT_EQ(elsewhere.status, 400);
}

TEST_F(StoredTest, ACachedPrefixComesBeforeTheContents) {
  const TestReply made =
      Call(Post("/v1beta/cachedContents",
                R"({"model":"models/tiny","ttl":"300s","displayName":"n",
        "systemInstruction":{"parts":[{"text":"be brief"}]},
        "contents":[{"role":"user","parts":[{"text":"one"}]}]})"));
  ASSERT_EQ(made.status, 200) << made.body;
  const Json cache = made.json();
  EXPECT_TRUE(At(cache, "prefix").is_null());
  EXPECT_GT(At(cache, "usageMetadata.totalTokenCount").as_int(), 0);
  const std::string name = At(cache, "name").as_string();
  const auto count = [&](const std::string& body) {
    const TestReply reply = Call(Post("/v1beta/models/tiny:countTokens", body));
    EXPECT_EQ(reply.status, 200) << reply.body;
    return At(reply.json(), "totalTokens");
  };
  EXPECT_EQ(count(R"({"generateContentRequest":{"cachedContent":")" + name +
                  R"(","contents":[{"role":"model","parts":[{"text":"a"}]},
              {"parts":[{"text":"two"}]}]}})"),
            count(R"({"generateContentRequest":{"systemInstruction":"be brief",
        "contents":[{"parts":[{"text":"one"}]},
        {"role":"model","parts":[{"text":"a"}]},
        {"parts":[{"text":"two"}]}]}})"));
  const TestReply both =
      Call(Post("/v1beta/models/tiny:generateContent",
                R"({"cachedContent":")" + name +
                    R"(","systemInstruction":"x","contents":"y"})"));
  EXPECT_EQ(both.status, 400);

  HttpRequest patch = Post("/v1beta/" + name, R"({"ttl":"600s"})");
  patch.method = "PATCH";
  EXPECT_GT(At(Call(patch).json(), "expireTime").as_string(),
            At(cache, "expireTime").as_string());
  HttpRequest other = Get("/v1beta/" + name);
  other.caller = "someone else";
  EXPECT_EQ(Call(other).status, 404);
  EXPECT_EQ(
      At(Call(Get("/v1beta/cachedContents")).json(), "cachedContents.0.name"),
      Json(name));
  HttpRequest remove = Get("/v1beta/" + name);
  remove.method = "DELETE";
  EXPECT_EQ(Call(remove).status, 200);
  EXPECT_EQ(Call(Get("/v1beta/" + name)).status, 404);
}

TEST_F(StoredTest, WrongCachesAreRefused) {
  for (
      const char* body :
      {"{}", R"({"model":"models/tiny"})",
       R"({"model":"models/tiny","contents":"x","ttl":"soon"})",
       R"({"model":"models/tiny","contents":"x","ttl":"0s"})",
       R"({"model":"models/tiny","contents":"x","ttl":"9999999s"})",
       R"({"model":"models/tiny","contents":"x","expireTime":"1999-01-01"})"}) {
    EXPECT_EQ(Call(Post("/v1beta/cachedContents", body)).status, 400) << body;
  }
}

TEST(StateStoreTest, TheLeastRecentlyUsedIsForgottenOrTheNewRefused) {
  const int64_t later = int64_t{9'000'000'000'000'000'000};
  StateStore forgets({.bytes = 1000, .entries = 2});
  ASSERT_TRUE(forgets.Put("c", "a", Json(1), later).ok());
  ASSERT_TRUE(forgets.Put("c", "b", Json(2), later).ok());
  EXPECT_NE(forgets.Get("c", "a"), nullptr);
  ASSERT_TRUE(forgets.Put("c", "d", Json(3), later).ok());
  EXPECT_EQ(forgets.Get("c", "b"), nullptr);
  EXPECT_EQ(forgets.Get("x", "a"), nullptr);
  EXPECT_EQ(forgets.List("c").size(), 2u);
  EXPECT_FALSE(forgets.Put("c", "e", Json(std::string(2000, 'x')), later).ok());

  StateStore refuses({.bytes = 1000,
                      .entries = 1,
                      .when_full = StateStore::WhenFull::kRefuse});
  ASSERT_TRUE(refuses.Put("c", "a", Json(1), later).ok());
  EXPECT_FALSE(refuses.Put("c", "b", Json(2), later).ok());
  EXPECT_TRUE(refuses.Put("c", "a", Json(3), 1).ok());  // replaced, and old
  EXPECT_EQ(refuses.Get("c", "a"), nullptr);
  EXPECT_FALSE(refuses.Erase("c", "a"));
}

}  // namespace
}  // namespace carat
