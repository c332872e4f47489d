// Bytes of a connection: heads and bodies, whole and in pieces. However they
// are cut, the same requests come out.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "server/message_reader.h"

namespace {

using carat::BodyReader;
using carat::HeadReader;
using carat::RequestHead;

constexpr size_t kHeadBytes = 2048;
constexpr uint64_t kBodyBytes = 4096;

// What a connection makes of `bytes` that arrive `piece` at a time: requests
// with their bodies, then the status that ended it, if any.
std::vector<std::string> Read(std::string_view bytes, size_t piece) {
  std::vector<std::string> out;
  std::string in;
  const auto more = [&] {
    const std::string_view next = bytes.substr(0, piece);
    in += next;
    bytes.remove_prefix(next.size());
    return !next.empty();
  };
  for (;;) {
    RequestHead head;
    HeadReader head_reader(kHeadBytes);
    while (!head_reader.done()) {
      if (auto problem = head_reader.Take(&in, &head)) {
        out.push_back(std::to_string(problem->status));
        return out;
      }
      if (!head_reader.done() && !more()) return out;
    }
    std::string body;
    BodyReader body_reader(head, kBodyBytes);
    for (;;) {
      if (auto problem = body_reader.Take(&in, &body)) {
        out.push_back(std::to_string(problem->status));
        return out;
      }
      if (body.size() > head.content_length && !head.chunked) std::abort();
      if (body_reader.done()) break;
      if (!more()) return out;
    }
    out.push_back(head.method + " " + head.path + " " + body);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 16384) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = Read(bytes, size + 1);
  // A limit may be met sooner by pieces, but nothing may be read differently.
  const auto pieces = Read(bytes, 1);
  const size_t both =
      whole.size() < pieces.size() ? whole.size() : pieces.size();
  for (size_t i = 0; i < both; ++i) {
    const bool refused = whole[i].size() == 3 || pieces[i].size() == 3;
    if (!refused && whole[i] != pieces[i]) std::abort();
  }
  return 0;
}
