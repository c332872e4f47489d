// Undoes Content-Encoding of request bodies: gzip, deflate (zlib) and zstd.
// What comes out is bounded, whatever a few bytes promise to become.
#ifndef CARAT_SERVER_CONTENT_CODING_H_
#define CARAT_SERVER_CONTENT_CODING_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace carat {

// `coding`: the header's value; "" and "identity" leave the body as it is.
// Errors: kUnsupported (415), kMalformed (400), kResourceExhausted (413).
Result<std::string> DecodeContent(std::string_view coding, std::string body,
                                  uint64_t max_bytes);

}  // namespace carat

#endif  // CARAT_SERVER_CONTENT_CODING_H_
