// The body of a request sent in chunks (RFC 9112, section 7.1), decoded as it
// comes. Chunk extensions and trailers are read and dropped, both within
// limits. Pure, no sockets.
#ifndef CARAT_SERVER_CHUNK_DECODER_H_
#define CARAT_SERVER_CHUNK_DECODER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace carat {

class ChunkDecoder {
 public:
  enum class State { kMore, kDone, kBad, kTooLarge };
  explicit ChunkDecoder(uint64_t max_body_bytes) : max_bytes_(max_body_bytes) {}

  // Takes what it can from `bytes`, appends the body's part to `body` and sets
  // `used` to how many bytes it took. kDone: bytes behind `used` belong to the
  // next request.
  State Feed(std::string_view bytes, std::string* body, size_t* used);

 private:
  enum class Part { kSize, kData, kDataEnd, kTrailer, kDone };
  // A whole line at the start of `bytes` without its end, in `line`. kMore
  // when it is not there yet.
  State TakeLine(std::string_view* bytes, std::string* line);
  State TakeSize(std::string_view line);

  uint64_t max_bytes_;
  uint64_t body_bytes_ = 0;
  uint64_t left_ = 0;  // of the current chunk
  Part part_ = Part::kSize;
  std::string line_;  // so far
  size_t trailer_bytes_ = 0;
};

}  // namespace carat

#endif  // CARAT_SERVER_CHUNK_DECODER_H_
