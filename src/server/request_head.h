// The head of an HTTP/1 request: found, checked and taken apart. Stricter than
// the standards allow where leniency makes two programs on the way disagree
// about where a request ends (request smuggling): bare line feeds, folded
// lines, several lengths, both ways of saying a length. Pure functions over
// bytes, no sockets.
#ifndef CARAT_SERVER_REQUEST_HEAD_H_
#define CARAT_SERVER_REQUEST_HEAD_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "api/http.h"

namespace carat {

// Why a request is turned away before any handler sees it.
struct HttpProblem {
  int status = 400;
  std::string message;  // a full sentence
};

struct RequestHead {
  std::string method;
  std::string path;     // as sent, begins with '/'; "*" for OPTIONS
  std::string query;    // without '?'
  HttpHeaders headers;  // names in lower case, values trimmed
  std::string host;     // of the target or the Host field
  int minor_version = 1;
  bool chunked = false;
  uint64_t content_length = 0;  // 0 when chunked
  bool keep_alive = true;
  bool asked_to_close = false;  // "Connection: close" or HTTP/1.0
  bool expect_continue = false;

  const std::string* Header(std::string_view name) const;
};

// Looks for the end of a head in bytes that come piece by piece.
class HeadFinder {
 public:
  enum class State { kMore, kFound, kBad };
  // `bytes`: everything so far; what was looked at before is not looked at
  // again. kFound: end() is behind the empty line.
  State Look(std::string_view bytes);
  size_t end() const { return at_; }
  void Reset() { *this = HeadFinder(); }

 private:
  size_t at_ = 0;
  size_t line_ = 0;  // where the line that is being read begins
};

inline constexpr size_t kMaxHeaderFields = 100;

// `bytes`: the head with its empty line.
std::optional<HttpProblem> ParseHead(std::string_view bytes, RequestHead* out);

// The x-request-id that a client chose, if it is harmless in a log line; else
// nothing.
std::string ClientsRequestId(const RequestHead& head);

// Token characters of RFC 9110, at least one of them.
bool IsHttpToken(std::string_view text);

}  // namespace carat

#endif  // CARAT_SERVER_REQUEST_HEAD_H_
