#include "server/chunk_decoder.h"

#include <algorithm>

namespace carat {
namespace {

constexpr size_t kMaxLineBytes = 1024;
constexpr size_t kMaxTrailerBytes = 8192;
constexpr size_t kMaxSizeDigits = 15;

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// No control characters but tabs.
bool IsPlain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char raw) {
    const unsigned char c = static_cast<unsigned char>(raw);
    return c == '\t' || (c >= 0x20 && c != 0x7f);
  });
}

}  // namespace

ChunkDecoder::State ChunkDecoder::TakeLine(std::string_view* bytes,
                                           std::string* line) {
  const size_t feed = bytes->find('\n');
  const size_t take = feed == std::string_view::npos ? bytes->size() : feed + 1;
  if (line_.size() + take > kMaxLineBytes) return State::kBad;
  line_.append(bytes->substr(0, take));
  bytes->remove_prefix(take);
  if (feed == std::string_view::npos) return State::kMore;
  if (!line_.ends_with("\r\n")) return State::kBad;
  line_.resize(line_.size() - 2);
  *line = std::move(line_);
  line_.clear();
  return IsPlain(*line) ? State::kDone : State::kBad;
}

// "1a2f" or "1a2f;name=value".
ChunkDecoder::State ChunkDecoder::TakeSize(std::string_view line) {
  uint64_t size = 0;
  size_t digits = 0;
  while (digits < line.size() && HexDigit(line[digits]) >= 0) {
    if (digits == kMaxSizeDigits) return State::kTooLarge;
    size = size * 16 + static_cast<uint64_t>(HexDigit(line[digits]));
    ++digits;
  }
  if (digits == 0) return State::kBad;
  const std::string_view rest = line.substr(digits);
  if (!rest.empty() && rest.front() != ';') return State::kBad;
  if (size > max_bytes_ - body_bytes_) return State::kTooLarge;
  left_ = size;
  part_ = size == 0 ? Part::kTrailer : Part::kData;
  return State::kDone;
}

ChunkDecoder::State ChunkDecoder::Feed(std::string_view bytes,
                                       std::string* body, size_t* used) {
  const size_t given = bytes.size();
  State state = State::kDone;
  while (part_ != Part::kDone) {
    if (bytes.empty()) {
      state = State::kMore;
      break;
    }
    if (part_ == Part::kData) {
      const size_t take =
          static_cast<size_t>(std::min<uint64_t>(left_, bytes.size()));
      body->append(bytes.substr(0, take));
      bytes.remove_prefix(take);
      body_bytes_ += take;
      left_ -= take;
      if (left_ == 0) part_ = Part::kDataEnd;
      continue;
    }
    std::string line;
    state = TakeLine(&bytes, &line);
    if (state != State::kDone) break;
    if (part_ == Part::kSize) {
      state = TakeSize(line);
      if (state != State::kDone) break;
    } else if (part_ == Part::kDataEnd) {
      if (!line.empty()) {
        state = State::kBad;
        break;
      }
      part_ = Part::kSize;
    } else if (line.empty()) {
      part_ = Part::kDone;
    } else {
      trailer_bytes_ += line.size() + 2;
      if (trailer_bytes_ > kMaxTrailerBytes) {
        state = State::kBad;
        break;
      }
    }
  }
  *used = given - bytes.size();
  return state;
}

}  // namespace carat
