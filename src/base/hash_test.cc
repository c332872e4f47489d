#include "base/hash.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "base/test_folder.h"

namespace carat {
namespace {

// Known answers from FIPS 180-4's examples.
TEST(HashTest, KnownAnswers) {
  EXPECT_EQ(Sha256Hex(""),
            "e3b0c44298fc1c149afbf4c8996fb924"
            "27ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Hex("abc"),
            "ba7816bf8f01cfea414140de5dae2223"
            "b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(
      Sha256Hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(HashTest, PiecesGiveTheSameDigestAsTheWhole) {
  const std::string text(100000, 'q');
  Sha256 hash;
  for (size_t i = 0; i < text.size(); i += 777) {
    hash.Update(std::string_view(text).substr(i, 777));
  }
  EXPECT_EQ(hash.Finish(), Sha256Of(text));
}

TEST(HashTest, FileDigestEqualsThatOfItsBytes) {
  const TestFolder folder;
  const std::string path = (folder.path() / "file").string();
  const std::string text(3 << 20, 'z');
  std::ofstream(path, std::ios::binary) << text;
  Result<Sha256Digest> digest = Sha256OfFile(path);
  ASSERT_TRUE(digest.ok()) << digest.status().message();
  EXPECT_EQ(*digest, Sha256Of(text));

  Result<Sha256Digest> stopped =
      Sha256OfFile(path, [](uint64_t) { return false; });
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.status().code(), StatusCode::kCancelled);
  std::remove(path.c_str());

  EXPECT_EQ(Sha256OfFile(path).status().code(), StatusCode::kNotFound);
  EXPECT_FALSE(Sha256OfFile(folder.string()).ok());
}

// What `git hash-object` prints for a file with "hello\n".
TEST(Sha1, NamesFilesAsGitDoes) {
  Sha1 hash;
  hash.Update("blob 6");
  hash.Update("\0", 1);
  hash.Update("hello\n");
  EXPECT_EQ(hash.FinishHex(), "ce013625030ba8dba906f756967f9e9ca394464a");
}

}  // namespace
}  // namespace carat
