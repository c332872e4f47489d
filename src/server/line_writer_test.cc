#include "server/line_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>

namespace carat {
namespace {

class Pipe {
 public:
  Pipe() { EXPECT_EQ(pipe(ends_), 0); }
  ~Pipe() {
    close(ends_[0]);
    CloseWriter();
  }
  int writer() const { return ends_[1]; }
  void CloseWriter() {
    if (ends_[1] >= 0) close(ends_[1]);
    ends_[1] = -1;
  }
  // Leaves no room: the next write blocks.
  size_t Fill() {
    fcntl(ends_[1], F_SETFL, O_NONBLOCK);
    size_t all = 0;
    const std::string piece(512, '.');
    for (ssize_t n = 0; n >= 0;) {
      n = write(ends_[1], piece.data(), all % 512 == 0 ? piece.size() : 1);
      if (n > 0) all += static_cast<size_t>(n);
    }
    fcntl(ends_[1], F_SETFL, 0);
    return all;
  }
  // Reads until `text` has come.
  std::string ReadUntil(const std::string& text) {
    std::string got;
    char piece[4096];
    while (got.find(text) == std::string::npos) {
      const ssize_t n = read(ends_[0], piece, sizeof piece);
      if (n <= 0) break;
      got.append(piece, static_cast<size_t>(n));
    }
    return got;
  }

 private:
  int ends_[2] = {-1, -1};
};

TEST(LineWriter, WritesLinesInOrderAndAllOfThemBeforeItEnds) {
  Pipe pipe;
  {
    LineWriter writer(pipe.writer());
    for (int i = 0; i < 100; ++i) writer.Write("line " + std::to_string(i));
  }
  pipe.CloseWriter();
  std::string expected;
  for (int i = 0; i < 100; ++i) expected += "line " + std::to_string(i) + "\n";
  EXPECT_EQ(pipe.ReadUntil("never"), expected);
}

TEST(LineWriter, DropsAndCountsWhatDoesNotFitInsteadOfWaiting) {
  Pipe pipe;
  pipe.Fill();
  LineWriter writer(pipe.writer(), 10);
  for (int i = 0; i < 1000; ++i) writer.Write("x");
  // One may be in the thread's hands besides the ten that wait.
  EXPECT_GE(writer.dropped(), 989u);
  EXPECT_LE(writer.dropped(), 990u);
  const std::string got = pipe.ReadUntil("were dropped\n");
  EXPECT_NE(got.find(std::to_string(writer.dropped()) + " lines"),
            std::string::npos);
}

TEST(LineWriter, EndsThoughNobodyReads) {
  auto pipe = std::make_unique<Pipe>();
  pipe->Fill();
  {
    LineWriter writer(pipe->writer());
    writer.Write("stuck");
  }
  // The thread that was left behind comes to its end.
  EXPECT_NE(pipe->ReadUntil("stuck\n").find("stuck"), std::string::npos);
}

}  // namespace
}  // namespace carat
