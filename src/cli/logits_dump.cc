#include "cli/logits_dump.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "base/utf8.h"
#include "cli/read_file.h"

namespace carat {
namespace {

constexpr char kMagic[8] = {'C', 'A', 'R', 'A', 'T', 'L', 'G', '1'};

Result<FilePointer> Create(const std::string& path) {
  FilePointer file(std::fopen(path.c_str(), "wb"), std::fclose);
  if (file == nullptr) {
    return InvalidArgument(fmt::format("{} cannot be written: {}.",
                                       QuoteForMessage(path, 200),
                                       std::strerror(errno)));
  }
  return file;
}

Status WriteFailed(const std::string& path) {
  return ResourceExhausted(fmt::format("{} could not be written: {}.",
                                       QuoteForMessage(path, 200),
                                       std::strerror(errno)));
}

// Takes bytes off the front of a file, never more than there are.
class Cursor {
 public:
  explicit Cursor(std::span<const uint8_t> bytes) : rest_(bytes) {}
  const uint8_t* Take(uint64_t bytes) {
    if (bytes > rest_.size()) return nullptr;
    const uint8_t* at = rest_.data();
    rest_ = rest_.subspan(bytes);
    return at;
  }
  bool U32(uint32_t* value) {
    const uint8_t* at = Take(4);
    if (at != nullptr) std::memcpy(value, at, 4);
    return at != nullptr;
  }
  bool empty() const { return rest_.empty(); }

 private:
  std::span<const uint8_t> rest_;
};

}  // namespace

Result<LogitsDumpWriter> LogitsDumpWriter::Create(const std::string& path,
                                                  uint32_t vocab,
                                                  uint32_t windows) {
  CARAT_ASSIGN_OR_RETURN(FilePointer file, carat::Create(path));
  LogitsDumpWriter writer(path, std::move(file));
  CARAT_RETURN_IF_ERROR(writer.Write(kMagic, sizeof(kMagic)));
  CARAT_RETURN_IF_ERROR(writer.Write(&vocab, sizeof(vocab)));
  CARAT_RETURN_IF_ERROR(writer.Write(&windows, sizeof(windows)));
  return writer;
}

Status LogitsDumpWriter::Write(const void* data, size_t bytes) {
  if (std::fwrite(data, 1, bytes, file_.get()) == bytes) return OkStatus();
  return WriteFailed(path_);
}

Status LogitsDumpWriter::BeginWindow(std::span<const int32_t> tokens) {
  const uint32_t count = static_cast<uint32_t>(tokens.size());
  CARAT_RETURN_IF_ERROR(Write(&count, sizeof(count)));
  return Write(tokens.data(), tokens.size_bytes());
}

Status LogitsDumpWriter::AddRow(std::span<const float> logits) {
  return Write(logits.data(), logits.size_bytes());
}

Status LogitsDumpWriter::Close() {
  const bool good = std::fclose(file_.release()) == 0;
  return good ? OkStatus() : WriteFailed(path_);
}

Result<LogitsDump> LogitsDump::Open(const std::string& path) {
  LogitsDump dump;
  CARAT_ASSIGN_OR_RETURN(dump.file_, MappedFile::Open(path));
  Cursor cursor(dump.file_->bytes());
  const uint8_t* magic = cursor.Take(sizeof(kMagic));
  if (magic == nullptr || std::memcmp(magic, kMagic, sizeof(kMagic)) != 0) {
    return Malformed(fmt::format(
        "{} is no logits dump: it does not begin with CARATLG1. Write one "
        "with carat score --dump-logits.",
        QuoteForMessage(path, 200)));
  }
  const Status cut = Malformed(fmt::format(
      "{} is a logits dump that ends too early.", QuoteForMessage(path, 200)));
  uint32_t windows = 0;
  if (!cursor.U32(&dump.vocab_) || !cursor.U32(&windows)) return cut;
  for (uint32_t w = 0; w < windows; ++w) {
    uint32_t tokens = 0;
    if (!cursor.U32(&tokens)) return cut;
    const uint8_t* ids = cursor.Take(uint64_t{4} * tokens);
    if (ids == nullptr) return cut;
    // Cannot overflow: both factors are below 2^32, 4 of their product may.
    const uint64_t values = uint64_t{tokens} * dump.vocab_;
    if (values > dump.file_->bytes().size()) return cut;
    const uint8_t* logits = cursor.Take(4 * values);
    if (logits == nullptr) return cut;
    dump.windows_.push_back(
        {.tokens = {reinterpret_cast<const int32_t*>(ids), tokens},
         .logits = reinterpret_cast<const float*>(logits)});
  }
  if (!cursor.empty()) {
    return Malformed(fmt::format("{} has bytes behind its last window.",
                                 QuoteForMessage(path, 200)));
  }
  return dump;
}

Status WriteRecords(const std::string& path,
                    std::span<const ScoreRecord> records) {
  CARAT_ASSIGN_OR_RETURN(FilePointer file, Create(path));
  const bool written =
      std::fwrite(records.data(), sizeof(ScoreRecord), records.size(),
                  file.get()) == records.size();
  const bool closed = std::fclose(file.release()) == 0;
  return written && closed ? OkStatus() : WriteFailed(path);
}

Result<std::vector<ScoreRecord>> ReadRecords(const std::string& path) {
  CARAT_ASSIGN_OR_RETURN(const std::string bytes, ReadTextFile(path));
  if (bytes.size() % sizeof(ScoreRecord) != 0) {
    return Malformed(fmt::format(
        "{} has {} bytes; expected a multiple of {}, one record a token.",
        QuoteForMessage(path, 200), bytes.size(), sizeof(ScoreRecord)));
  }
  std::vector<ScoreRecord> records(bytes.size() / sizeof(ScoreRecord));
  std::memcpy(records.data(), bytes.data(), bytes.size());
  return records;
}

}  // namespace carat
