// For tests: a new folder of their own, removed with the object. Test programs
// that run at the same time, and what an earlier one left behind, never meet.
#ifndef CARAT_BASE_TEST_FOLDER_H_
#define CARAT_BASE_TEST_FOLDER_H_

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>
#include <system_error>

namespace carat {

class TestFolder {
 public:
  TestFolder() {
    std::string name =
        (std::filesystem::path(testing::TempDir()) / "carat-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr) << name;
    path_ = name;
  }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::string string() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace carat

#endif  // CARAT_BASE_TEST_FOLDER_H_
