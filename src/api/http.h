// HTTP as the protocols see it: a request that has been read, and an answer to
// write. No sockets: server/ implements HttpReply over a connection, tests over
// a string.
//
// Threads: a handler runs on one thread of its own and may block.
#ifndef CARAT_API_HTTP_H_
#define CARAT_API_HTTP_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace carat {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method;   // "GET", "POST" ...
  std::string path;     // as sent, percent-encoded, without the query
  std::string query;    // without '?'
  HttpHeaders headers;  // names in lower case
  std::string body;     // complete, content encoding undone
  // Who asks: a digest of the key that was used, empty without keys. State
  // that one caller leaves behind is not shown to another.
  std::string caller;

  // The first header of that (lower-case) name, or null.
  const std::string* Header(std::string_view name) const;
  // The query parameter, percent-decoded; '+' is a space.
  std::optional<std::string> Query(std::string_view name) const;
};

// What an answer took, for logs. Sums over its choices.
struct AnswerFacts {
  std::string model;  // empty: no generation
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;   // of the prompt
  int64_t output_tokens = 0;   // of answers that came to their end
  double first_token_ms = -1;  // from submission; -1: none came
};

class HttpReply {
 public:
  virtual ~HttpReply() = default;

  // Sends the head. Called once, before the first Write. Without a
  // "content-length" among `headers` the body is sent in chunks.
  virtual void Start(int status, const HttpHeaders& headers) = 0;
  // Sends a piece of the body now; waits while the client reads slowly. False:
  // the client is gone and nothing more needs to be written.
  virtual bool Write(std::string_view bytes) = 0;
  // The client closed the connection.
  virtual bool gone() const = 0;
  virtual bool started() const = 0;
  // For whoever keeps a log; the last call counts.
  virtual void Tell(const AnswerFacts& /*facts*/) {}
};

// A whole answer at once. Sets content-type and content-length. Behind a head
// that went out already to keep the client patient, the body alone.
void SendBody(HttpReply* reply, int status, std::string_view content_type,
              std::string_view body, HttpHeaders more = {});

// "a%20b" -> "a b"; broken escapes stay as they are.
std::string PercentDecode(std::string_view text);

}  // namespace carat

#endif  // CARAT_API_HTTP_H_
