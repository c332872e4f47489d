#include "store/own_models.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "base/hash.h"
#include "base/test_folder.h"

namespace carat {
namespace {

namespace fs = std::filesystem;

class OwnModelsTest : public testing::Test {
 protected:
  static std::string ModelBytes() {
    std::ifstream in(fs::path(CARAT_TEST_DATA) / "tiny-gguf/gemma3-q4_0.gguf",
                     std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  const TestFolder temporary_;
  const fs::path top_ = temporary_.path();
  const fs::path folder_ = top_ / "models";
  const OwnModels models_{folder_.string()};
};

TEST_F(OwnModelsTest, UploadedFilesAreKeptUnderTheirDigest) {
  const std::string bytes = ModelBytes();
  const std::string digest = Sha256Hex(bytes);
  EXPECT_FALSE(models_.HasBlob(digest));
  ASSERT_TRUE(models_.PutBlob(digest, bytes).ok());
  EXPECT_TRUE(models_.HasBlob(digest));
  EXPECT_TRUE(models_.PutBlob(digest, bytes).ok());
  ASSERT_TRUE(models_.NameBlob(digest, "mine:latest").ok());
  EXPECT_EQ(fs::file_size(folder_ / "mine.gguf"), bytes.size());
  // The blob goes with the last name.
  ASSERT_TRUE(models_.Remove("", (folder_ / "mine.gguf").string()).ok());
  EXPECT_FALSE(fs::exists(folder_ / "mine.gguf"));
  EXPECT_FALSE(models_.HasBlob(digest));
}

TEST_F(OwnModelsTest, UploadedFilesMustBeWhatTheySay) {
  const std::string digest = Sha256Hex("other");
  EXPECT_EQ(models_.PutBlob(digest, "bytes").code(),
            StatusCode::kInvalidArgument);
  EXPECT_FALSE(models_.HasBlob(digest));
  for (const char* wrong : {"", "../../etc/passwd", "ABCD", "sha256:"}) {
    EXPECT_FALSE(models_.PutBlob(wrong, "x").ok()) << wrong;
    EXPECT_FALSE(models_.HasBlob(wrong)) << wrong;
  }
  EXPECT_EQ(models_.NameBlob(digest, "mine").code(), StatusCode::kNotFound);
  // Named only if it is a model.
  const std::string text = Sha256Hex("no model");
  ASSERT_TRUE(models_.PutBlob(text, "no model").ok());
  EXPECT_FALSE(models_.NameBlob(text, "mine").ok());
  EXPECT_FALSE(fs::exists(folder_ / "mine.gguf"));
}

TEST_F(OwnModelsTest, NamesStayInTheFolder) {
  const fs::path model = top_ / "model.gguf";
  std::ofstream(model) << "x";
  for (const char* name : {"../out", "a/b", "/abs", ".hidden", "", ":x", "a b",
                           "nul\n", "..", "-rf"}) {
    EXPECT_EQ(models_.Link(model.string(), name).code(),
              StatusCode::kInvalidArgument)
        << name;
  }
  EXPECT_EQ(models_.Link(model.string(), std::string(200, 'a')).code(),
            StatusCode::kInvalidArgument);
  ASSERT_TRUE(models_.Link(model.string(), "second:4b").ok());
  EXPECT_TRUE(fs::is_symlink(folder_ / "second:4b.gguf"));
}

TEST_F(OwnModelsTest, RemovingANameLeavesOtherProgramsFilesAlone) {
  const fs::path model = top_ / "model.gguf";
  std::ofstream(model) << "x";
  ASSERT_TRUE(models_.Link(model.string(), "second").ok());
  ASSERT_TRUE(models_.Remove("", (folder_ / "second.gguf").string()).ok());
  EXPECT_TRUE(fs::exists(model));
  EXPECT_EQ(models_.Remove("", model.string()).code(),
            StatusCode::kFailedPrecondition);
  EXPECT_EQ(models_.Remove("", (folder_ / "../model.gguf").string()).code(),
            StatusCode::kFailedPrecondition);
  EXPECT_TRUE(fs::exists(model));
}

TEST_F(OwnModelsTest, WithoutAFolderNothingIsKept) {
  const OwnModels none{""};
  EXPECT_FALSE(none.PutBlob(Sha256Hex("x"), "x").ok());
  EXPECT_FALSE(none.Link("/etc/hostname", "a").ok());
}

}  // namespace
}  // namespace carat
