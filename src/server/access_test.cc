#include "server/access.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <string>

#include "base/hash.h"
#include "base/test_folder.h"

namespace carat {
namespace {

constexpr const char* kFirst = "first-key-0123456789";
constexpr const char* kSecond = "second-key-0123456789";

class KeyFile : public testing::Test {
 protected:
  std::string Write(const std::string& text, mode_t mode = 0600) {
    std::ofstream(path_) << text;
    EXPECT_EQ(chmod(path_.c_str(), mode), 0);
    return path_;
  }

  const TestFolder folder_;
  const std::string path_ = (folder_.path() / "keys").string();
};

TEST_F(KeyFile, HoldsSeveralKeysCommentsAndBlanks) {
  const auto keys =
      ReadKeyFile(Write(std::string("# the house\r\n\n  ") + kFirst +
                        " \t\n\t# more\n" + kSecond + "\r\n   \n"));
  ASSERT_TRUE(keys.ok()) << keys.status().message();
  EXPECT_EQ(*keys,
            (std::vector<std::string>{Sha256Hex(kFirst), Sha256Hex(kSecond)}));
}

TEST_F(KeyFile, TheLastLineNeedsNoEnd) {
  const auto keys = ReadKeyFile(Write(kFirst));
  ASSERT_TRUE(keys.ok());
  EXPECT_EQ(keys->size(), 1u);
}

TEST_F(KeyFile, IsForItsOwnerOnly) {
  for (const mode_t mode : {0640, 0604, 0660, 0622, 0610}) {
    const auto keys = ReadKeyFile(Write(kFirst, mode));
    ASSERT_FALSE(keys.ok()) << mode;
    EXPECT_NE(keys.status().message().find("chmod 600"), std::string::npos);
  }
  EXPECT_TRUE(ReadKeyFile(Write(kFirst, 0400)).ok());
}

TEST_F(KeyFile, SaysWhatIsWrongAndWhere) {
  const auto message = [&](const std::string& text) {
    const auto keys = ReadKeyFile(Write(text));
    return keys.ok() ? "" : keys.status().message();
  };
  EXPECT_NE(message(std::string("# a\n") + kFirst + "\nshort\n")
                .find("line 3: the key has 5 characters"),
            std::string::npos);
  EXPECT_NE(message("").find("no key"), std::string::npos);
  EXPECT_NE(message("# nothing\n\n").find("no key"), std::string::npos);
  EXPECT_FALSE(ReadKeyFile("/nonexistent/keys").ok());
  EXPECT_FALSE(ReadKeyFile(testing::TempDir()).ok());
}

TEST_F(KeyFile, AKeyWithTheBytesOfAnotherIsNoKey) {
  AccessOptions access;
  access.key_digests = *ReadKeyFile(Write(kFirst));
  RequestHead head;
  std::string caller;
  for (const std::string& key :
       {std::string(kFirst) + " ", std::string(kFirst).substr(1),
        std::string("# ") + kFirst, Sha256Hex(kFirst), std::string()}) {
    head.headers = {{"x-api-key", key}};
    EXPECT_TRUE(CheckKey(access, head, &caller)) << key;
    EXPECT_EQ(caller, "");
  }
  head.headers = {{"x-api-key", kFirst}};
  EXPECT_FALSE(CheckKey(access, head, &caller));
  EXPECT_EQ(caller, Sha256Hex(kFirst).substr(0, 16));
}

TEST(CheckHead, PiecesOfUploadsNeedNoKeyAndEverythingElseDoes) {
  ServerOptions options;
  options.access.key_digests = {Sha256Hex(kFirst)};
  RequestHead head;
  head.method = "POST";
  head.host = "localhost";
  head.path = "/upload/v1beta/files";
  head.query = "upload_id=abc";
  head.headers = {{"x-goog-upload-command", "upload"}};
  std::string caller;
  EXPECT_FALSE(CheckHead(options, head, &caller));
  head.headers = {{"x-goog-upload-command", "start"}};
  EXPECT_EQ(CheckHead(options, head, &caller)->status, 401);
  head.path = "/v1/models";
  head.headers = {{"x-goog-upload-command", "upload"}};
  EXPECT_EQ(CheckHead(options, head, &caller)->status, 401);
}

TEST(CheckHead, RefusesBodiesByTheirToldLength) {
  ServerOptions options;
  options.limits.body_bytes = 10;
  RequestHead head;
  head.host = "localhost";
  head.content_length = 11;
  std::string caller;
  EXPECT_EQ(CheckHead(options, head, &caller)->status, 413);
  head.content_length = 10;
  EXPECT_FALSE(CheckHead(options, head, &caller));
}

}  // namespace
}  // namespace carat
