// One connection of the HTTP server. Everything here happens on the I/O
// thread, but the counters.
#ifndef CARAT_SERVER_CONNECTION_H_
#define CARAT_SERVER_CONNECTION_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "server/http_server.h"
#include "server/server_options.h"
#include "server/worker_pool.h"

namespace boost::asio {
class io_context;
namespace ssl {
class context;
}  // namespace ssl
}  // namespace boost::asio

namespace carat {

class Connection;

// What all connections of a server share. Outlives them.
struct ConnectionShared {
  ServerOptions options;
  HttpHandler handler;
  std::function<void(const RequestRecord&)> record;
  boost::asio::io_context* io = nullptr;
  boost::asio::ssl::context* tls = nullptr;  // null: none
  WorkerPool* workers = nullptr;
  std::atomic<int> connections{0};
  std::atomic<int> requests{0};  // handlers at work
  std::atomic<uint64_t> body_bytes{0};
  std::atomic<uint64_t> next_id{1};
  std::atomic<bool> draining{false};
  std::set<Connection*> open;  // I/O thread only
};

// What one request's body takes of the memory for all bodies.
class BodyShare {
 public:
  explicit BodyShare(ConnectionShared* shared) : shared_(shared) {}
  ~BodyShare() { shared_->body_bytes -= bytes_; }
  BodyShare(const BodyShare&) = delete;
  BodyShare& operator=(const BodyShare&) = delete;

  // False: that is too much.
  bool Add(uint64_t bytes) {
    bytes_ += bytes;
    const uint64_t now = shared_->body_bytes += bytes;
    return now <= shared_->options.limits.all_bodies_bytes;
  }

 private:
  ConnectionShared* shared_;
  uint64_t bytes_ = 0;
};

// Takes over the socket `fd`; serves it until it is closed, then calls
// `closed`.
void StartConnection(ConnectionShared* shared, int fd, bool v6,
                     std::string address, std::function<void()> closed);
// Closes connections between two requests and lets the others end with their
// answer.
void DrainConnections(ConnectionShared* shared);
// Closes all at once; handlers learn that their client is gone.
void AbortConnections(ConnectionShared* shared);

}  // namespace carat

#endif  // CARAT_SERVER_CONNECTION_H_
