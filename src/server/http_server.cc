#include "server/http_server.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <chrono>
#include <future>
#include <map>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "server/connection.h"

namespace carat {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
// Handlers get this long to notice that they are cancelled.
constexpr int kCancelMs = 10'000;
constexpr std::string_view kBusy =
    "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n"
    "retry-after: 2\r\ncontent-length: 0\r\n\r\n";

// Every connection takes a descriptor, models take a few more.
void RaiseDescriptorLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 65536);
  setrlimit(RLIMIT_NOFILE, &limit);
}

class ServerImpl : public HttpServer {
 public:
  ServerImpl(const ServerOptions& options, HttpHandler handler,
             std::function<void(const RequestRecord&)> record)
      : workers_(options.limits.requests), acceptor_(io_) {
    shared_.options = options;
    shared_.handler = std::move(handler);
    shared_.record = std::move(record);
    shared_.io = &io_;
    shared_.workers = &workers_;
  }
  ~ServerImpl() override { Stop(0, nullptr); }

  Status Open();

  int port() const override { return port_; }
  std::string address() const override { return address_; }
  bool draining() const override { return shared_.draining; }
  ServerStats stats() const override {
    return {.connections = shared_.connections, .requests = shared_.requests};
  }
  void SetKeys(std::vector<std::string> key_digests) override;
  void Stop(int drain_ms, const std::function<bool()>& hurry) override;

 private:
  Status OpenTls();
  asio::awaitable<void> Accept();
  void Admit(tcp::socket socket);
  // Runs `job` on the I/O thread and waits for it.
  void OnIoThread(const std::function<void()>& job);
  bool WaitIdle(int ms, const std::function<bool()>& hurry);

  // In this order: connections that io_ still holds when it goes use what
  // stands above it, handlers of workers_ wake it.
  std::map<std::string, int> per_address_;  // I/O thread only
  std::unique_ptr<asio::ssl::context> tls_;
  ConnectionShared shared_;
  asio::io_context io_{1};
  WorkerPool workers_;
  tcp::acceptor acceptor_;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>>
      work_;
  std::thread thread_;
  int port_ = 0;
  std::string address_;
  bool stopped_ = false;
};

Status ServerImpl::OpenTls() {
  const ServerOptions& options = shared_.options;
  if (options.tls_certificate.empty()) return OkStatus();
  tls_ = std::make_unique<asio::ssl::context>(asio::ssl::context::tls_server);
  error_code error;
  tls_->set_options(
      asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv2 |
          asio::ssl::context::no_sslv3 | asio::ssl::context::no_tlsv1 |
          asio::ssl::context::no_tlsv1_1,
      error);
  SSL_CTX_set_options(tls_->native_handle(),
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  tls_->use_certificate_chain_file(options.tls_certificate, error);
  if (error) {
    return InvalidArgument(
        fmt::format("The TLS certificate {} cannot be used "
                    "({}); expected a PEM file.",
                    options.tls_certificate, error.message()));
  }
  tls_->use_private_key_file(options.tls_key, asio::ssl::context::pem, error);
  if (error) {
    return InvalidArgument(fmt::format(
        "The TLS key {} cannot be used ({}); expected the PEM file that "
        "belongs to {}.",
        options.tls_key, error.message(), options.tls_certificate));
  }
  shared_.tls = tls_.get();
  return OkStatus();
}

Status ServerImpl::Open() {
  CARAT_RETURN_IF_ERROR(OpenTls());
  const ServerOptions& options = shared_.options;
  error_code error;
  tcp::resolver resolver(io_);
  const auto found =
      resolver.resolve(options.host, std::to_string(options.port),
                       tcp::resolver::passive, error);
  if (error || found.empty()) {
    return InvalidArgument(fmt::format("The address {} cannot be used ({}).",
                                       options.host, error.message()));
  }
  const tcp::endpoint endpoint = *found.begin();
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(1024, error);
  if (error) {
    return FailedPrecondition(
        fmt::format("Cannot listen on {} port {} ({}); --port chooses another.",
                    options.host, options.port, error.message()));
  }
  port_ = acceptor_.local_endpoint().port();
  address_ = acceptor_.local_endpoint().address().to_string();
  RaiseDescriptorLimit();
  work_.emplace(io_.get_executor());
  asio::co_spawn(
      io_, [this]() -> asio::awaitable<void> { co_await Accept(); },
      asio::detached);
  thread_ = std::thread([this] { io_.run(); });
  return OkStatus();
}

asio::awaitable<void> ServerImpl::Accept() {
  while (acceptor_.is_open()) {
    auto [error, socket] = co_await acceptor_.async_accept(kAwait);
    if (error == asio::error::operation_aborted) break;
    if (error) {
      // Out of descriptors, most likely: some connection will end.
      asio::steady_timer pause(io_, std::chrono::milliseconds(100));
      co_await pause.async_wait(kAwait);
      continue;
    }
    Admit(std::move(socket));
  }
}

void ServerImpl::Admit(tcp::socket socket) {
  error_code error;
  const tcp::endpoint peer = socket.remote_endpoint(error);
  if (error) return;
  const std::string address = peer.address().to_string();
  const ServerLimits& limits = shared_.options.limits;
  int& count = per_address_[address];
  if (shared_.connections >= limits.connections ||
      count >= limits.connections_per_address) {
    if (count == 0) per_address_.erase(address);
    socket.non_blocking(true, error);
    socket.write_some(asio::buffer(kBusy.data(), kBusy.size()), error);
    return;
  }
  ++count;
  const int fd = socket.release(error);
  if (error) return;
  StartConnection(&shared_, fd, peer.protocol() == tcp::v6(), address,
                  [this, address] {
                    if (--per_address_[address] == 0) {
                      per_address_.erase(address);
                    }
                  });
}

void ServerImpl::OnIoThread(const std::function<void()>& job) {
  std::promise<void> done;
  asio::post(io_, [&] {
    job();
    done.set_value();
  });
  done.get_future().wait();
}

bool ServerImpl::WaitIdle(int ms, const std::function<bool()>& hurry) {
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(ms);
  while (shared_.requests > 0 || shared_.connections > 0) {
    if (std::chrono::steady_clock::now() >= end || (hurry && hurry())) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

void ServerImpl::SetKeys(std::vector<std::string> key_digests) {
  if (stopped_) return;
  // Only that thread looks at them.
  OnIoThread(
      [&] { shared_.options.access.key_digests = std::move(key_digests); });
}

void ServerImpl::Stop(int drain_ms, const std::function<bool()>& hurry) {
  if (stopped_ || !thread_.joinable()) return;
  stopped_ = true;
  shared_.draining = true;
  OnIoThread([&] {
    error_code ignored;
    acceptor_.close(ignored);
    DrainConnections(&shared_);
  });
  if (!WaitIdle(drain_ms, hurry)) {
    OnIoThread([&] { AbortConnections(&shared_); });
    WaitIdle(kCancelMs, nullptr);
  }
  work_.reset();
  io_.stop();
  thread_.join();
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::Start(
    const ServerOptions& options, HttpHandler handler,
    std::function<void(const RequestRecord&)> record) {
  auto server = std::make_unique<ServerImpl>(options, std::move(handler),
                                             std::move(record));
  CARAT_RETURN_IF_ERROR(server->Open());
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace carat
