#include "server/message_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace carat {

HttpProblem BodyTooLarge(uint64_t body_bytes) {
  return {413, fmt::format("The request's body is larger than {} bytes; carat "
                           "serve --max-body allows more.",
                           body_bytes)};
}

std::optional<HttpProblem> HeadReader::Take(std::string* in,
                                            RequestHead* head) {
  const auto state = finder_.Look(*in);
  if (state == HeadFinder::State::kBad) {
    return HttpProblem{400,
                       "The request's head holds a NUL or a line that does "
                       "not end with CR LF."};
  }
  const bool found = state == HeadFinder::State::kFound;
  if ((found ? finder_.end() : in->size()) > max_bytes_) {
    return HttpProblem{
        431,
        fmt::format("The request's head is larger than {} bytes.", max_bytes_)};
  }
  if (!found) return std::nullopt;
  done_ = true;
  auto problem =
      ParseHead(std::string_view(*in).substr(0, finder_.end()), head);
  in->erase(0, finder_.end());
  return problem;
}

std::optional<HttpProblem> BodyReader::Take(std::string* in,
                                            std::string* body) {
  size_t used = 0;
  if (chunked_) {
    const auto state = chunks_.Feed(*in, body, &used);
    if (state == ChunkDecoder::State::kBad) {
      return HttpProblem{400, "The request's chunks are malformed."};
    }
    if (state == ChunkDecoder::State::kTooLarge) {
      return BodyTooLarge(max_bytes_);
    }
    done_ = state == ChunkDecoder::State::kDone;
  } else {
    used = static_cast<size_t>(std::min<uint64_t>(in->size(), left_));
    body->append(*in, 0, used);
    left_ -= used;
    done_ = left_ == 0;
  }
  in->erase(0, used);
  return std::nullopt;
}

}  // namespace carat
