#include "server/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <chrono>
#include <exception>
#include <optional>
#include <utility>

#include "base/log.h"
#include "server/access.h"
#include "server/error_body.h"
#include "server/message_reader.h"
#include "server/reply_channel.h"
#include "server/request_head.h"
#include "server/run_handler.h"

namespace carat {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr size_t kReadBytes = 16 << 10;
// Bytes read ahead of what is being worked on.
constexpr size_t kAheadBytes = 256 << 10;
// After an answer that refuses a body: how long and how much of it is read,
// so that the client gets to see the answer.
constexpr milliseconds kLinger{2000};
constexpr size_t kLingerBytes = 4 << 20;

}  // namespace

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(ConnectionShared* shared, tcp::socket socket, std::string address,
             std::function<void()> closed)
      : shared_(shared),
        limits_(shared->options.limits),
        socket_(std::move(socket)),
        address_(std::move(address)),
        closed_(std::move(closed)),
        event_(*shared->io),
        watchdog_(*shared->io) {
    if (shared_->tls != nullptr) tls_.emplace(socket_, *shared_->tls);
    shared_->open.insert(this);
    ++shared_->connections;
  }

  ~Connection() {
    shared_->open.erase(this);
    --shared_->connections;
    if (closed_) closed_();
  }

  void Run() {
    auto self = shared_from_this();
    asio::co_spawn(
        *shared_->io,
        [self]() -> asio::awaitable<void> { co_await self->Serve(); },
        [self](std::exception_ptr error) {
          if (error) Log(LogLevel::kError, "a connection ended unexpectedly");
          self->Abort();
        });
  }

  void Drain() {
    draining_ = true;
    if (channel_) channel_->Close();
    if (waiting_for_request_ && in_.empty()) Abort();
    Notify();
  }

  // Closes the socket; everything that waits ends.
  void Abort() {
    if (channel_) channel_->SetBroken();
    broken_ = true;
    error_code ignored;
    socket_.close(ignored);
    Notify();
  }

 private:
  void Notify() {
    notified_ = true;
    event_.cancel();
  }

  // Until Notify or `deadline`; false: the latter.
  asio::awaitable<bool> WaitUntil(Clock::time_point deadline) {
    if (!notified_) {
      event_.expires_at(deadline);
      co_await event_.async_wait(kAwait);
    }
    co_return std::exchange(notified_, false);
  }

  asio::awaitable<void> Serve() {
    if (tls_ && !co_await Handshake()) co_return;
    auto self = shared_from_this();
    asio::co_spawn(
        *shared_->io,
        [self]() -> asio::awaitable<void> { co_await self->Pump(); },
        [self](std::exception_ptr) {
          self->input_ended_ = true;
          self->Notify();
        });
    while (co_await ServeRequest()) {
    }
    co_await Farewell();
  }

  asio::awaitable<bool> Handshake() {
    Watch(limits_.head_ms);
    auto [error] =
        co_await tls_->async_handshake(asio::ssl::stream_base::server, kAwait);
    Unwatch();
    co_return !error;
  }

  // Closes the socket unless Unwatch comes first.
  void Watch(int ms) {
    const uint64_t turn = ++watch_turn_;
    watchdog_.expires_after(milliseconds(ms));
    watchdog_.async_wait(
        [weak = weak_from_this(), turn](const error_code& error) {
          if (error) return;
          if (auto self = weak.lock(); self && self->watch_turn_ == turn) {
            self->Abort();
          }
        });
  }
  void Unwatch() {
    ++watch_turn_;
    watchdog_.cancel();
  }

  using Moved = std::tuple<error_code, size_t>;
  asio::awaitable<Moved> ReadSome(asio::mutable_buffer buffer) {
    if (tls_) co_return co_await tls_->async_read_some(buffer, kAwait);
    co_return co_await socket_.async_read_some(buffer, kAwait);
  }
  asio::awaitable<Moved> WriteSome(asio::const_buffer buffer) {
    if (tls_) co_return co_await tls_->async_write_some(buffer, kAwait);
    co_return co_await socket_.async_write_some(buffer, kAwait);
  }

  // Reads ahead all the time: that is how a client's leaving is noticed while
  // its answer is in the making.
  asio::awaitable<void> Pump() {
    std::string piece(kReadBytes, '\0');
    while (!broken_) {
      while (in_.size() >= kAheadBytes && !broken_) {
        // Full: the other side of the buffer calls when it has taken some.
        asio::steady_timer& room = room_.emplace(*shared_->io);
        room.expires_at(Clock::time_point::max());
        co_await room.async_wait(kAwait);
      }
      const auto buffer = asio::buffer(piece);
      auto [error, n] = co_await ReadSome(buffer);
      if (error) {
        const bool eof = error == asio::error::eof ||
                         error == asio::ssl::error::stream_truncated;
        input_ended_ = true;
        if (channel_) {
          // Half closed: who said that this was the last request may still
          // read the answer.
          if (!eof) {
            channel_->SetBroken();
          } else if (!last_request_) {
            channel_->SetGone();
          }
        }
        if (!eof) broken_ = true;
        break;
      }
      if (lingering_) {
        lingered_ += n;
        if (lingered_ > kLingerBytes) break;
      } else {
        in_.append(piece, 0, n);
      }
      Notify();
    }
    input_ended_ = true;
    Notify();
  }

  void Consumed() {
    if (room_ && in_.size() < kAheadBytes) room_->cancel();
  }

  asio::awaitable<bool> WriteAll(std::string_view bytes) {
    while (!bytes.empty() && !broken_) {
      Watch(limits_.write_stall_ms);
      const auto buffer = asio::buffer(bytes.data(), bytes.size());
      auto [error, n] = co_await WriteSome(buffer);
      Unwatch();
      if (error) {
        broken_ = true;
        break;
      }
      bytes.remove_prefix(n);
    }
    co_return bytes.empty();
  }

  // Reads one head into head_. False: the connection is over (`problem` says
  // what to answer before).
  asio::awaitable<bool> ReadHead(std::optional<HttpProblem>* problem) {
    HeadReader reader(limits_.head_bytes);
    auto deadline = Clock::now() + milliseconds(in_.empty() ? limits_.idle_ms
                                                            : limits_.head_ms);
    bool begun = !in_.empty();
    for (;;) {
      *problem = reader.Take(&in_, &head_);
      Consumed();
      if (*problem || reader.done()) co_return !*problem;
      if (!begun && !in_.empty()) {
        begun = true;
        deadline = Clock::now() + milliseconds(limits_.head_ms);
      }
      if (input_ended_ || broken_ || (draining_ && in_.empty()))
        co_return false;
      waiting_for_request_ = true;
      const bool event = co_await WaitUntil(deadline);
      waiting_for_request_ = false;
      if (!event && !broken_) {
        if (begun) {
          *problem = HttpProblem{408, "The request's head took too long."};
        }
        co_return false;
      }
    }
  }

  asio::awaitable<std::optional<HttpProblem>> ReadBody(std::string* body,
                                                       BodyShare* share) {
    if (!has_body()) co_return std::nullopt;
    if (head_.expect_continue && in_.empty() &&
        !co_await WriteAll("HTTP/1.1 100 Continue\r\n\r\n")) {
      co_return HttpProblem{0, ""};
    }
    const auto end = Clock::now() + milliseconds(limits_.body_ms);
    BodyReader reader(head_, limits_.body_bytes);
    for (;;) {
      const size_t before = body->size();
      if (auto problem = reader.Take(&in_, body)) co_return problem;
      Consumed();
      if (!share->Add(body->size() - before)) {
        co_return HttpProblem{503,
                              "Too many large requests at the same time; "
                              "try again in a while."};
      }
      if (reader.done()) co_return std::nullopt;
      if (broken_) co_return HttpProblem{0, ""};
      if (input_ended_) {
        co_return HttpProblem{400, "The request ended inside its body."};
      }
      const auto stall = Clock::now() + milliseconds(limits_.body_stall_ms);
      if (!co_await WaitUntil(std::min(stall, end))) {
        co_return HttpProblem{408, "The request's body took too long."};
      }
    }
  }

  HttpHeaders CommonHeaders(const std::string& id) const {
    HttpHeaders headers = CorsHeaders(shared_->options.access, head_);
    headers.emplace_back("server", "carat/" CARAT_VERSION);
    headers.emplace_back("x-request-id", id);
    headers.emplace_back("x-content-type-options", "nosniff");
    return headers;
  }

  std::string NewId() {
    const std::string own = ClientsRequestId(head_);
    return own.empty() ? fmt::format("req-{:08x}", shared_->next_id++) : own;
  }

  std::shared_ptr<ReplyChannel> NewChannel(const std::string& id, bool keep) {
    auto channel = std::make_shared<ReplyChannel>(
        ReplyChannel::Framing{.minor_version = head_.minor_version,
                              .head_only = head_.method == "HEAD",
                              .keep_alive = keep && !draining_,
                              .headers = CommonHeaders(id)},
        [weak = weak_from_this(), io = shared_->io] {
          asio::post(*io, [weak] {
            if (auto self = weak.lock()) self->Notify();
          });
        });
    return channel;
  }

  void Report(RequestRecord record, const ReplyChannel& channel,
              Clock::time_point begin) const {
    if (!shared_->record) return;
    record.status = channel.status();
    record.response_bytes = channel.body_bytes();
    record.gone = channel.gone();
    record.answer = channel.answer();
    record.ms =
        std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
    shared_->record(record);
  }

  // An answer of the server itself.
  asio::awaitable<bool> Reply(int status, std::string_view type,
                              const std::string& body, HttpHeaders more,
                              bool keep) {
    const auto begin = Clock::now();
    const std::string id = NewId();
    auto channel = NewChannel(id, keep);
    SendBody(channel.get(), status, type, body, std::move(more));
    channel->Finish();
    Report({.id = id,
            .method = head_.method,
            .path = head_.path,
            .address = address_},
           *channel, begin);
    bool finished = false;
    const std::string bytes = channel->Take(&finished);
    co_return co_await WriteAll(bytes) && channel->keep_alive();
  }

  asio::awaitable<bool> Refuse(const HttpProblem& problem, bool keep) {
    if (problem.status == 0 || broken_) co_return false;
    co_return co_await Reply(problem.status, "application/json",
                             ErrorBody(problem, head_.path),
                             ErrorHeaders(problem), keep);
  }

  bool has_body() const { return head_.chunked || head_.content_length > 0; }

  // False: the connection ends.
  asio::awaitable<bool> ServeRequest() {
    head_ = RequestHead();
    std::optional<HttpProblem> problem;
    if (!co_await ReadHead(&problem)) {
      if (problem) co_await Refuse(*problem, false);
      co_return false;
    }
    const bool keep = head_.keep_alive;
    last_request_ = head_.asked_to_close;
    // Health is answered right here: it must not wait for a thread, a key or
    // a model.
    if ((head_.path == "/health" || head_.path == "/v1/health") &&
        (head_.method == "GET" || head_.method == "HEAD") && !has_body()) {
      co_return co_await Reply(200, "application/json", R"({"status":"ok"})",
                               {}, keep);
    }
    std::string caller;
    if (IsPreflight(head_) && !has_body()) {
      co_return co_await Preflight(keep);
    }
    if (auto refused = CheckHead(shared_->options, head_, &caller)) {
      // A body that was not read would be taken for the next request.
      co_return co_await Refuse(*refused, keep && !has_body());
    }
    HttpRequest request = {.method = head_.method,
                           .path = head_.path,
                           .query = head_.query,
                           .headers = head_.headers,
                           .caller = caller};
    BodyShare share(shared_);
    if (auto refused = co_await ReadBody(&request.body, &share)) {
      co_return co_await Refuse(*refused, false);
    }
    co_return co_await Hand(std::move(request), keep);
  }

  asio::awaitable<bool> Preflight(bool keep) {
    const AccessOptions& access = shared_->options.access;
    auto problem = CheckHost(access, head_);
    if (!problem) problem = CheckOrigin(access, head_);
    if (problem) co_return co_await Refuse(*problem, keep);
    co_return co_await Reply(204, "text/plain", "", PreflightHeaders(head_),
                             keep);
  }

  asio::awaitable<bool> Hand(HttpRequest request, bool keep) {
    const auto begin = Clock::now();
    const std::string id = NewId();
    RequestRecord record = {.id = id,
                            .method = request.method,
                            .path = request.path,
                            .address = address_,
                            .caller = request.caller,
                            .request_bytes = request.body.size()};
    channel_ = NewChannel(id, keep);
    if (input_ended_ && !last_request_) channel_->SetGone();
    ++shared_->requests;
    auto job = [shared = shared_, channel = channel_,
                moved = std::make_shared<HttpRequest>(std::move(request))] {
      RunHandler(shared->handler, shared->options.limits.body_bytes,
                 std::move(*moved), channel.get());
      channel->Finish();
      --shared->requests;
    };
    if (!shared_->workers->TryRun(std::move(job))) {
      --shared_->requests;
      channel_.reset();
      // A name of its own: GCC 12 destroys such a temporary twice.
      const HttpProblem busy = {
          503, "The server answers as many requests as it may; try again."};
      co_return co_await Refuse(busy, keep);
    }
    bool finished = false;
    while (!finished && !broken_) {
      const std::string bytes = channel_->Take(&finished);
      if (!bytes.empty()) {
        if (!co_await WriteAll(bytes)) break;
      } else if (!finished) {
        co_await WaitUntil(Clock::time_point::max());
      }
    }
    if (broken_) channel_->SetBroken();
    Report(record, *channel_, begin);
    const bool again = !broken_ && channel_->keep_alive();
    channel_.reset();
    co_return again;
  }

  // Lets the last bytes arrive: a socket closed with unread input resets the
  // connection, and the client loses the answer.
  asio::awaitable<void> Farewell() {
    if (!broken_) {
      error_code ignored;
      if (tls_) {
        Watch(2000);
        co_await tls_->async_shutdown(kAwait);
        Unwatch();
      } else {
        socket_.shutdown(tcp::socket::shutdown_send, ignored);
        lingering_ = true;
        in_.clear();
        Consumed();
        const auto end = Clock::now() + kLinger;
        while (!input_ended_ && !broken_ && !draining_) {
          if (!co_await WaitUntil(end)) break;
        }
      }
    }
    Abort();
  }

  ConnectionShared* shared_;
  const ServerLimits& limits_;
  tcp::socket socket_;
  std::optional<asio::ssl::stream<tcp::socket&>> tls_;
  std::string address_;
  std::function<void()> closed_;
  asio::steady_timer event_;
  asio::steady_timer watchdog_;
  std::optional<asio::steady_timer> room_;
  uint64_t watch_turn_ = 0;
  bool notified_ = false;

  std::string in_;  // read, not yet used
  bool input_ended_ = false;
  bool broken_ = false;
  bool draining_ = false;
  bool waiting_for_request_ = false;
  bool lingering_ = false;
  size_t lingered_ = 0;

  RequestHead head_;
  bool last_request_ = false;
  std::shared_ptr<ReplyChannel> channel_;
};

void StartConnection(ConnectionShared* shared, int fd, bool v6,
                     std::string address, std::function<void()> closed) {
  tcp::socket socket(*shared->io);
  error_code error;
  socket.assign(v6 ? tcp::v6() : tcp::v4(), fd, error);
  if (!error) socket.set_option(tcp::no_delay(true), error);
  std::make_shared<Connection>(shared, std::move(socket), std::move(address),
                               std::move(closed))
      ->Run();
}

void DrainConnections(ConnectionShared* shared) {
  const std::set<Connection*> open = shared->open;
  for (Connection* connection : open) connection->Drain();
}

void AbortConnections(ConnectionShared* shared) {
  const std::set<Connection*> open = shared->open;
  for (Connection* connection : open) connection->Abort();
}

}  // namespace carat
