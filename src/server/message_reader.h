// Takes a request's head and its body, of a told length or in chunks, from the
// bytes that have come. Pure, no sockets.
#ifndef CARAT_SERVER_MESSAGE_READER_H_
#define CARAT_SERVER_MESSAGE_READER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "server/chunk_decoder.h"
#include "server/request_head.h"

namespace carat {

// The 413 of a body that is larger than `body_bytes`.
HttpProblem BodyTooLarge(uint64_t body_bytes);

class HeadReader {
 public:
  explicit HeadReader(size_t max_bytes) : max_bytes_(max_bytes) {}

  // Moves a complete head from the front of `in` to `head`. `in` only grows
  // between two calls.
  std::optional<HttpProblem> Take(std::string* in, RequestHead* head);
  bool done() const { return done_; }

 private:
  const size_t max_bytes_;
  HeadFinder finder_;
  bool done_ = false;
};

class BodyReader {
 public:
  BodyReader(const RequestHead& head, uint64_t max_bytes)
      : chunked_(head.chunked),
        left_(head.content_length),
        max_bytes_(max_bytes),
        chunks_(max_bytes) {}

  // Moves what belongs to the body from the front of `in` to the end of
  // `body`.
  std::optional<HttpProblem> Take(std::string* in, std::string* body);
  bool done() const { return done_; }

 private:
  const bool chunked_;
  uint64_t left_;  // of a body of told length
  const uint64_t max_bytes_;
  ChunkDecoder chunks_;
  bool done_ = false;
};

}  // namespace carat

#endif  // CARAT_SERVER_MESSAGE_READER_H_
