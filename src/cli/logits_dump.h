// Files that hold what a model said about a text, for comparing programs and
// quantisations. All numbers are little-endian.
//
// Logits dump (large: 1 MiB a token for Gemma):
//   8 bytes  "CARATLG1"
//   u32      vocab
//   u32      windows
//   for each window:
//     u32                    tokens
//     i32[tokens]            ids, BOS first
//     f32[tokens][vocab]     logits; row i was computed from ids 0 to i
//
// Records (small): for each scored token
//   i32 token, f32 log-probability, i32 likeliest token, f32 its
//   log-probability
#ifndef CARAT_CLI_LOGITS_DUMP_H_
#define CARAT_CLI_LOGITS_DUMP_H_

#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "base/status.h"

namespace carat {

using FilePointer = std::unique_ptr<FILE, int (*)(FILE*)>;

class LogitsDumpWriter {
 public:
  static Result<LogitsDumpWriter> Create(const std::string& path,
                                         uint32_t vocab, uint32_t windows);
  Status BeginWindow(std::span<const int32_t> tokens);
  Status AddRow(std::span<const float> logits);
  // Flushes; errors of the disk show here at the latest.
  Status Close();

 private:
  LogitsDumpWriter(std::string path, FilePointer file)
      : path_(std::move(path)), file_(std::move(file)) {}
  Status Write(const void* data, size_t bytes);
  std::string path_;
  FilePointer file_;
};

// A dump, checked against its own size. Views die with it.
class LogitsDump {
 public:
  struct Window {
    std::span<const int32_t> tokens;
    const float* logits = nullptr;  // [tokens, vocab]
  };
  static Result<LogitsDump> Open(const std::string& path);
  uint32_t vocab() const { return vocab_; }
  const std::vector<Window>& windows() const { return windows_; }
  std::span<const float> row(const Window& window, size_t i) const {
    return {window.logits + i * vocab_, vocab_};
  }

 private:
  std::shared_ptr<MappedFile> file_;
  uint32_t vocab_ = 0;
  std::vector<Window> windows_;
};

struct ScoreRecord {
  int32_t token = 0;
  float logprob = 0;
  int32_t best = 0;
  float best_logprob = 0;
};
static_assert(sizeof(ScoreRecord) == 16);

Status WriteRecords(const std::string& path,
                    std::span<const ScoreRecord> records);
Result<std::vector<ScoreRecord>> ReadRecords(const std::string& path);

}  // namespace carat

#endif  // CARAT_CLI_LOGITS_DUMP_H_
