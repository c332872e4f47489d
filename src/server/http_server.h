// The HTTP server: connections, limits, who may ask, and handing complete
// requests to a handler. One I/O thread moves all bytes; each request that is
// being answered has a thread of its own, where the handler may block.
#ifndef CARAT_SERVER_HTTP_SERVER_H_
#define CARAT_SERVER_HTTP_SERVER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/http.h"
#include "base/status.h"
#include "server/server_options.h"

namespace carat {

using HttpHandler = std::function<void(const HttpRequest&, HttpReply*)>;

// What happened to one request, for logs and metrics.
struct RequestRecord {
  std::string id, method, path, address, caller;
  int status = 0;
  double ms = 0;
  uint64_t request_bytes = 0, response_bytes = 0;
  bool gone = false;  // the client left before the end
  AnswerFacts answer;
};

struct ServerStats {
  int connections = 0;  // now
  int requests = 0;     // being answered now
};

class HttpServer {
 public:
  // Listens when it returns. `handler` and `record` outlive the server; both
  // are called from several threads. Errors: the address, the certificate.
  static Result<std::unique_ptr<HttpServer>> Start(
      const ServerOptions& options, HttpHandler handler,
      std::function<void(const RequestRecord&)> record = nullptr);
  virtual ~HttpServer() = default;  // as Stop(0)

  virtual int port() const = 0;
  virtual std::string address() const = 0;  // "127.0.0.1", as bound
  virtual ServerStats stats() const = 0;
  virtual bool draining() const = 0;

  // From now on requests need one of these keys (see AccessOptions); those
  // whose head was read go on.
  virtual void SetKeys(std::vector<std::string> key_digests) = 0;

  // Accepts nothing new, lets answers finish for `drain_ms`, then cancels
  // them. `hurry` is asked now and then whether to cancel at once.
  virtual void Stop(int drain_ms,
                    const std::function<bool()>& hurry = nullptr) = 0;
};

}  // namespace carat

#endif  // CARAT_SERVER_HTTP_SERVER_H_
