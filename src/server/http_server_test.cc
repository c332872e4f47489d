// The server over real sockets on the loopback interface.
#include "server/http_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/hash.h"

namespace carat {
namespace {

constexpr const char* kHealth =
    "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";

class Socket {
 public:
  explicit Socket(int port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    timeval patience = {.tv_sec = 60};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
  }
  ~Socket() { Close(); }
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  void HalfClose() { shutdown(fd_, SHUT_WR); }
  Socket& Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) break;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return *this;
  }
  // Reads until `end` was read or the connection ends.
  std::string ReadUntil(const std::string& end) {
    while (got_.find(end) == std::string::npos && More()) {
    }
    const size_t at = got_.find(end);
    const size_t n = at == std::string::npos ? got_.size() : at + end.size();
    std::string out = got_.substr(0, n);
    got_.erase(0, n);
    return out;
  }
  std::string ReadAll() {
    while (More()) {
    }
    return std::exchange(got_, {});
  }

 private:
  bool More() {
    char piece[4096];
    const ssize_t n = recv(fd_, piece, sizeof piece, 0);
    if (n > 0) got_.append(piece, static_cast<size_t>(n));
    return n > 0;
  }
  int fd_;
  std::string got_;
};

int StatusOf(const std::string& answer) {
  return answer.size() < 12 ? 0 : std::atoi(answer.c_str() + 9);
}

class HttpServerTest : public testing::Test {
 protected:
  void Start(ServerOptions options = {}) {
    options.port = 0;
    auto server = HttpServer::Start(
        options, [this](const HttpRequest& request, HttpReply* reply) {
          Handle(request, reply);
        });
    ASSERT_TRUE(server.ok()) << server.status().message();
    server_ = std::move(server).value();
  }

  void Handle(const HttpRequest& request, HttpReply* reply) {
    if (request.path == "/echo") {
      SendBody(reply, 200, "text/plain",
               request.method + " " + request.caller + " " + request.body);
    } else if (request.path == "/chunks") {
      reply->Start(200, {});
      reply->Write("one");
      reply->Write("two");
    } else if (request.path == "/flood") {
      reply->Start(200, {});
      const std::string piece(1 << 16, 'x');
      for (int i = 0; i < 1024 && reply->Write(piece); ++i) written_ = i + 1;
      flood_over_ = true;
    } else if (request.path == "/wait") {
      ++waiting_;
      reply->Start(200, {});
      while (!reply->gone() && !release_) {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      }
      saw_gone_ = reply->gone();
      reply->Write("done");
      --waiting_;
    } else if (request.path == "/throw") {
      throw std::runtime_error("boom");
    } else if (request.path == "/short") {
      reply->Start(200, {{"content-length", "10"}});
      reply->Write("abc");
    } else {
      SendBody(reply, 404, "text/plain", "no");
    }
  }

  int port() const { return server_->port(); }
  Socket Connect() const { return Socket(port()); }
  // The whole answer to one request on a connection of its own.
  std::string Ask(const std::string& method_and_path,
                  const std::string& fields = "",
                  const std::string& body = "") {
    std::string request = method_and_path +
                          " HTTP/1.1\r\nHost: localhost\r\n"
                          "Connection: close\r\n" +
                          fields;
    if (!body.empty()) {
      request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    }
    return Connect().Send(request + "\r\n" + body).ReadAll();
  }
  template <typename Condition>
  static bool Eventually(Condition condition) {
    for (int i = 0; i < 15000 && !condition(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return condition();
  }

  std::atomic<int> waiting_{0}, written_{0};
  std::atomic<bool> release_{false}, saw_gone_{false}, flood_over_{false};
  std::unique_ptr<HttpServer> server_;  // ends first
};

TEST_F(HttpServerTest, AnswersAndKeepsTheConnection) {
  Start();
  Socket socket = Connect();
  for (int i = 0; i < 3; ++i) {
    socket.Send(
        "POST /echo HTTP/1.1\r\nHost: a.localhost\r\n"
        "Content-Length: 5\r\n\r\nhello");
    EXPECT_NE(socket.ReadUntil("hello").find("200 OK"), std::string::npos);
  }
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  Start();
  const std::string one =
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n";
  const std::string last =
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
      "Content-Length: 1\r\n\r\n";
  const std::string all =
      Connect().Send(one + "a" + one + "b" + last + "c").ReadAll();
  const size_t a = all.find("POST  a"), b = all.find("POST  b"),
               c = all.find("POST  c");
  EXPECT_LT(a, b);
  EXPECT_LT(b, c);
  EXPECT_NE(c, std::string::npos);
}

TEST_F(HttpServerTest, ReadsAndWritesChunks) {
  Start();
  const std::string echo =
      Connect()
          .Send(
              "POST /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close"
              "\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
          .ReadAll();
  EXPECT_TRUE(echo.ends_with("POST  abc")) << echo;
  const std::string chunks = Ask("GET /chunks");
  EXPECT_TRUE(chunks.ends_with("3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")) << chunks;
  const std::string old =
      Connect().Send("GET /chunks HTTP/1.0\r\n\r\n").ReadAll();
  EXPECT_TRUE(old.ends_with("\r\n\r\nonetwo")) << old;
}

TEST_F(HttpServerTest, AnswersHeadWithoutABody) {
  Start();
  const std::string answer = Ask("HEAD /echo");
  EXPECT_EQ(StatusOf(answer), 200);
  EXPECT_NE(answer.find("content-length: 6\r\n"), std::string::npos) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
}

TEST_F(HttpServerTest, InvitesABodyThatWaits) {
  Start();
  Socket socket = Connect();
  socket.Send(
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
      "Expect: 100-continue\r\n\r\n");
  EXPECT_EQ(StatusOf(socket.ReadUntil("\r\n\r\n")), 100);
  socket.Send("ok");
  EXPECT_EQ(StatusOf(socket.ReadUntil("POST  ok")), 200);
}

TEST_F(HttpServerTest, SmuggledRequestsEndTheConnection) {
  Start();
  for (const std::string& fields : std::vector<std::string>{
           "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
           "Content-Length: 4\r\nContent-Length: 5\r\n",
           "Transfer-Encoding: chunked\r\n folded\r\n",
           "Content-Length: 4\n"}) {
    const std::string answer =
        Connect()
            .Send("POST /echo HTTP/1.1\r\nHost: localhost\r\n" + fields +
                  "\r\n0\r\n\r\n" + kHealth)
            .ReadAll();
    EXPECT_EQ(StatusOf(answer), 400) << fields;
    EXPECT_EQ(answer.find("HTTP/1.1", 9), std::string::npos) << answer;
  }
}

TEST_F(HttpServerTest, LimitsHeadsAndBodies) {
  ServerOptions options;
  options.limits.head_bytes = 1024;
  options.limits.body_bytes = 1000;
  Start(options);
  EXPECT_EQ(StatusOf(Ask("GET /echo", "X: " + std::string(2000, 'x') + "\r\n")),
            431);
  EXPECT_EQ(StatusOf(Ask("POST /echo", "", std::string(1001, 'x'))), 413);
  EXPECT_EQ(StatusOf(Ask("POST /echo", "", std::string(1000, 'x'))), 200);
  EXPECT_EQ(StatusOf(Connect()
                         .Send("POST /echo HTTP/1.1\r\nHost: localhost\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n3e9\r\n")
                         .ReadAll()),
            413);
}

TEST_F(HttpServerTest, GivesUpOnSlowHeadsAndBodies) {
  ServerOptions options;
  options.limits.head_ms = 50;
  options.limits.body_stall_ms = 50;
  options.limits.idle_ms = 100;
  Start(options);
  EXPECT_EQ(StatusOf(Connect().Send("GET /echo HT").ReadAll()), 408);
  EXPECT_EQ(StatusOf(Connect()
                         .Send("POST /echo HTTP/1.1\r\nHost: localhost\r\n"
                               "Content-Length: 9\r\n\r\nabc")
                         .ReadAll()),
            408);
  EXPECT_EQ(Connect().ReadAll(), "");
}

TEST_F(HttpServerTest, StalledAndIdleClientsDelayNobody) {
  Start();
  std::vector<Socket> sockets;
  for (int i = 0; i < 200; ++i) {
    sockets.push_back(Connect());
    sockets.back().Send(
        "POST /echo HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Length: 1000\r\n\r\nabc");
    sockets.push_back(Connect());
    sockets.back().Send(kHealth);
    sockets.back().ReadUntil("\"}");
  }
  EXPECT_EQ(StatusOf(Ask("GET /health")), 200);
  EXPECT_EQ(StatusOf(Ask("POST /echo", "", "x")), 200);
  EXPECT_GE(server_->stats().connections, 400);
}

TEST_F(HttpServerTest, LimitsConnectionsAndRequests) {
  ServerOptions options;
  options.limits.connections_per_address = 3;
  options.limits.requests = 1;
  Start(options);
  Socket busy = Connect();
  busy.Send("GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(Eventually([&] { return waiting_ == 1; }));
  const std::string answer = Ask("GET /echo");
  EXPECT_EQ(StatusOf(answer), 503);
  EXPECT_NE(answer.find("retry-after"), std::string::npos);
  EXPECT_EQ(StatusOf(Ask("GET /health")), 200);
  ASSERT_TRUE(Eventually([&] { return server_->stats().connections == 1; }));
  Socket second = Connect(), third = Connect();
  ASSERT_TRUE(Eventually([&] { return server_->stats().connections == 3; }));
  EXPECT_EQ(StatusOf(Connect().ReadAll()), 503);
  release_ = true;
}

TEST_F(HttpServerTest, SlowReadersHoldTheWriterAndThenLoseTheConnection) {
  ServerOptions options;
  options.limits.write_stall_ms = 300;
  Start(options);
  Socket socket = Connect();
  socket.Send("GET /flood HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(Eventually([&] { return flood_over_.load(); }));
  EXPECT_LT(written_, 1024);
}

TEST_F(HttpServerTest, HandlersLearnThatTheClientIsGone) {
  Start();
  Socket socket = Connect();
  socket.Send("GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(Eventually([&] { return waiting_ == 1; }));
  socket.Close();
  EXPECT_TRUE(Eventually([&] { return waiting_ == 0; }));
  EXPECT_TRUE(saw_gone_);
}

TEST_F(HttpServerTest, HalfClosedClientsOfOneRequestGetTheirAnswer) {
  Start();
  Socket socket = Connect();
  socket.Send(
      "GET /wait HTTP/1.1\r\nHost: localhost\r\n"
      "Connection: close\r\n\r\n");
  socket.HalfClose();
  ASSERT_TRUE(Eventually([&] { return waiting_ == 1; }));
  release_ = true;
  EXPECT_NE(socket.ReadAll().find("done"), std::string::npos);
  EXPECT_FALSE(saw_gone_);
}

TEST_F(HttpServerTest, BrokenHandlersBecomeErrors) {
  Start();
  EXPECT_EQ(StatusOf(Ask("GET /throw")), 500);
  Socket socket = Connect();
  socket.Send("GET /short HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(socket.ReadAll().ends_with("abc"));  // and then it is closed
}

TEST_F(HttpServerTest, AsksForAKeyEverywhereButAtHealth) {
  ServerOptions options;
  options.access.key_digests = {Sha256Hex("first-key-0123456789"),
                                Sha256Hex("second-key-0123456789")};
  Start(options);
  EXPECT_EQ(StatusOf(Ask("GET /health")), 200);
  EXPECT_EQ(StatusOf(Ask("GET /echo")), 401);
  EXPECT_EQ(StatusOf(Ask("GET /echo", "x-api-key: wrong\r\n")), 401);
  EXPECT_EQ(StatusOf(Ask("POST /echo", "", "unread body")), 401);
  const std::string key = "second-key-0123456789";
  for (const std::string& fields : std::vector<std::string>{
           "Authorization: Bearer " + key, "authorization: bearer " + key,
           "x-api-key: " + key, "x-goog-api-key: " + key}) {
    const std::string answer = Ask("GET /echo", fields + "\r\n");
    EXPECT_EQ(StatusOf(answer), 200) << fields;
    EXPECT_NE(answer.find("GET " + Sha256Hex(key).substr(0, 16)),
              std::string::npos);
  }
  EXPECT_EQ(StatusOf(Ask("GET /echo?key=" + key)), 200);
}

TEST_F(HttpServerTest, RefusesForeignHostsAndOrigins) {
  ServerOptions options;
  options.access.allowed_origins = {"http://good.example"};
  Start(options);
  const auto host = [&](const std::string& name) {
    return StatusOf(Connect()
                        .Send("GET /echo HTTP/1.1\r\nHost: " + name +
                              "\r\nConnection: close\r\n\r\n")
                        .ReadAll());
  };
  EXPECT_EQ(host("localhost:80"), 200);
  EXPECT_EQ(host("127.0.0.1"), 200);
  EXPECT_EQ(host("[::1]:80"), 200);
  EXPECT_EQ(host("evil.example"), 403);
  EXPECT_EQ(host("localhost.evil.example"), 403);
  EXPECT_EQ(StatusOf(Ask("GET /echo", "Origin: http://evil.example\r\n")), 403);
  EXPECT_EQ(StatusOf(Ask("GET /echo", "Origin: null\r\n")), 403);
  const std::string good = Ask("GET /echo", "Origin: http://good.example\r\n");
  EXPECT_NE(good.find("access-control-allow-origin: http://good.example"),
            std::string::npos);
  const std::string preflight =
      Ask("OPTIONS /v1/chat/completions",
          "Origin: http://good.example\r\nAccess-Control-Request-Method: POST"
          "\r\nAccess-Control-Request-Headers: x-stainless-os\r\n");
  EXPECT_EQ(StatusOf(preflight), 204);
  EXPECT_NE(preflight.find("access-control-allow-headers: x-stainless-os"),
            std::string::npos);
}

TEST_F(HttpServerTest, UndoesCompressionWithinTheLimit) {
  ServerOptions options;
  options.limits.body_bytes = 10000;
  Start(options);
  const auto zstd = [](const std::string& text) {
    std::string out(ZSTD_compressBound(text.size()), '\0');
    out.resize(
        ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
    return out;
  };
  const std::string small =
      Ask("POST /echo", "Content-Encoding: zstd\r\n", zstd("hello zstd"));
  EXPECT_TRUE(small.ends_with("hello zstd")) << small;
  EXPECT_EQ(StatusOf(Ask("POST /echo", "Content-Encoding: zstd\r\n",
                         zstd(std::string(1 << 20, 'x')))),
            413);
  const std::string cut = zstd("hello zstd");
  EXPECT_EQ(StatusOf(Ask("POST /echo", "Content-Encoding: zstd\r\n",
                         cut.substr(0, cut.size() - 3))),
            400);
  std::string deflated(100, '\0');
  uLongf n = deflated.size();
  compress(reinterpret_cast<Bytef*>(deflated.data()), &n,
           reinterpret_cast<const Bytef*>("hello zlib"), 10);
  deflated.resize(n);
  EXPECT_TRUE(Ask("POST /echo", "Content-Encoding: gzip\r\n", deflated)
                  .ends_with("hello zlib"));
  EXPECT_EQ(StatusOf(Ask("POST /echo", "Content-Encoding: gzip\r\n", "junk")),
            400);
  EXPECT_EQ(StatusOf(Ask("POST /echo", "Content-Encoding: br\r\n", "junk")),
            415);
}

TEST_F(HttpServerTest, DrainLetsAnswersFinish) {
  Start();
  Socket idle = Connect();
  idle.Send(kHealth);
  idle.ReadUntil("\"}");
  Socket socket = Connect();
  socket.Send("GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(Eventually([&] { return waiting_ == 1; }));
  std::thread stop([&] { server_->Stop(60000); });
  EXPECT_EQ(idle.ReadAll(), "");
  release_ = true;
  EXPECT_NE(socket.ReadUntil("done").find("done"), std::string::npos);
  stop.join();
  EXPECT_FALSE(saw_gone_);
}

TEST_F(HttpServerTest, DrainCancelsWhatTakesTooLong) {
  Start();
  Socket socket = Connect();
  socket.Send("GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(Eventually([&] { return waiting_ == 1; }));
  server_->Stop(20);
  EXPECT_TRUE(saw_gone_);
}

TEST(HttpServer, SaysWhyItCannotStart) {
  ServerOptions options = {.port = 0,
                           .tls_certificate = "/nonexistent.pem",
                           .tls_key = "/nonexistent.pem"};
  EXPECT_FALSE(HttpServer::Start(options, nullptr).ok());
  options = {.host = "256.1.1.1", .port = 0};
  EXPECT_FALSE(HttpServer::Start(options, nullptr).ok());
}

TEST_F(HttpServerTest, NewKeysCountForTheNextRequestOfOpenConnections) {
  ServerOptions options;
  options.access.key_digests = {Sha256Hex("the-old-key-0123456789")};
  Start(options);
  const auto ask = [](Socket& socket, const std::string& key) {
    return StatusOf(socket
                        .Send("POST /echo HTTP/1.1\r\nHost: localhost\r\n"
                              "x-api-key: " +
                              key + "\r\nContent-Length: 3\r\n\r\nend")
                        .ReadUntil("end"));
  };
  Socket socket(server_->port());
  EXPECT_EQ(ask(socket, "the-old-key-0123456789"), 200);
  server_->SetKeys({Sha256Hex("the-new-key-0123456789")});
  EXPECT_EQ(ask(socket, "the-new-key-0123456789"), 200);
  Socket other(server_->port());
  other.Send(
      "GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
      "x-api-key: the-old-key-0123456789\r\n\r\n");
  EXPECT_EQ(StatusOf(other.ReadAll()), 401);
}

}  // namespace
}  // namespace carat
