// TLS over real sockets, with a certificate made here.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "base/test_folder.h"
#include "server/http_server.h"

namespace carat {
namespace {

namespace fs = std::filesystem;

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using File = std::unique_ptr<FILE, decltype(&fclose)>;

// Writes a key and a certificate that it has signed itself.
void MakeCertificate(const fs::path& certificate, const fs::path& key) {
  const Key pair(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const Certificate x509(X509_new(), X509_free);
  ASSERT_TRUE(pair && x509);
  X509_set_version(x509.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x509.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(x509.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(x509.get()), 3600);
  X509_set_pubkey(x509.get(), pair.get());
  X509_NAME* name = X509_get_subject_name(x509.get());
  X509_NAME_add_entry_by_txt(
      name, "CN", MBSTRING_ASC,
      reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
  X509_set_issuer_name(x509.get(), name);
  ASSERT_GT(X509_sign(x509.get(), pair.get(), EVP_sha256()), 0);
  const File out(fopen(certificate.c_str(), "w"), fclose);
  const File key_out(fopen(key.c_str(), "w"), fclose);
  ASSERT_EQ(PEM_write_X509(out.get(), x509.get()), 1);
  ASSERT_EQ(PEM_write_PrivateKey(key_out.get(), pair.get(), nullptr, nullptr, 0,
                                 nullptr, nullptr),
            1);
}

int Connect(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to = {};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  timeval patience = {.tv_sec = 60};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
  return fd;
}

class TlsTest : public testing::Test {
 protected:
  void SetUp() override {
    MakeCertificate(folder_ / "cert.pem", folder_ / "key.pem");
  }
  void TearDown() override { server_.reset(); }

  void Start(int head_ms = 60'000) {
    ServerOptions options = {.port = 0,
                             .tls_certificate = (folder_ / "cert.pem").string(),
                             .tls_key = (folder_ / "key.pem").string()};
    options.limits.head_ms = head_ms;
    auto server = HttpServer::Start(
        options, [](const HttpRequest& request, HttpReply* reply) {
          SendBody(reply, 200, "text/plain",
                   std::string(100'000, 'x') + request.body);
        });
    ASSERT_TRUE(server.ok()) << server.status().message();
    server_ = std::move(server).value();
  }

  // The answer to `bytes` over TLS of at most and at least these versions;
  // empty without a handshake.
  std::string Ask(const std::string& bytes, int least = TLS1_2_VERSION,
                  int most = TLS1_3_VERSION) {
    const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(
        SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
    SSL_CTX_set_security_level(context.get(), 0);  // old versions too
    SSL_CTX_set_min_proto_version(context.get(), least);
    SSL_CTX_set_max_proto_version(context.get(), most);
    SSL_CTX_load_verify_locations(context.get(), (folder_ / "cert.pem").c_str(),
                                  nullptr);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context.get()),
                                                        SSL_free);
    const int fd = Connect(server_->port());
    SSL_set_fd(ssl.get(), fd);
    std::string out;
    if (SSL_connect(ssl.get()) == 1) {
      SSL_write(ssl.get(), bytes.data(), static_cast<int>(bytes.size()));
      char piece[4096];
      int n = 0;
      while ((n = SSL_read(ssl.get(), piece, sizeof piece)) > 0) {
        out.append(piece, static_cast<size_t>(n));
      }
      ended_well_ = SSL_get_error(ssl.get(), n) == SSL_ERROR_ZERO_RETURN;
    }
    close(fd);
    return out;
  }

  const TestFolder top_;
  const fs::path folder_ = top_.path();
  bool ended_well_ = false;
  std::unique_ptr<HttpServer> server_;
};

constexpr const char* kRequest =
    "POST /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    "Content-Length: 3\r\n\r\nend";

TEST_F(TlsTest, AnswersOverEachVersionAndSaysGoodbye) {
  Start();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const std::string answer = Ask(kRequest, version, version);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    EXPECT_TRUE(answer.ends_with("xend"));
    EXPECT_TRUE(ended_well_) << "the answer could have been cut";
  }
}

TEST_F(TlsTest, OldVersionsGetNoHandshake) {
  Start();
  EXPECT_EQ(Ask(kRequest, TLS1_VERSION, TLS1_1_VERSION), "");
  EXPECT_NE(Ask(kRequest), "");
}

TEST_F(TlsTest, PlainHttpIsNotAnswered) {
  Start();
  const int fd = Connect(server_->port());
  const std::string request = kRequest;
  EXPECT_GT(send(fd, request.data(), request.size(), MSG_NOSIGNAL), 0);
  std::string got;
  char piece[4096];
  for (ssize_t n = 0; (n = recv(fd, piece, sizeof piece, 0)) > 0;) {
    got.append(piece, static_cast<size_t>(n));
  }
  close(fd);
  EXPECT_EQ(got.find("HTTP"), std::string::npos);
  EXPECT_NE(Ask(kRequest), "");
}

TEST_F(TlsTest, AHandshakeThatStallsIsGivenUp) {
  Start(50);
  const int fd = Connect(server_->port());
  EXPECT_GT(send(fd, "\x16\x03\x01", 3, MSG_NOSIGNAL), 0);
  char byte = 0;
  EXPECT_LE(recv(fd, &byte, 1, 0), 0);  // closed, not timed out here
  close(fd);
}

TEST_F(TlsTest, KeysThatDoNotBelongAreRefusedAtTheStart) {
  MakeCertificate(folder_ / "other.pem", folder_ / "other-key.pem");
  ServerOptions options = {.port = 0,
                           .tls_certificate = (folder_ / "cert.pem").string(),
                           .tls_key = (folder_ / "other-key.pem").string()};
  const auto server = HttpServer::Start(options, nullptr);
  ASSERT_FALSE(server.ok());
  EXPECT_NE(server.status().message().find("other-key.pem"), std::string::npos);
  std::ofstream(folder_ / "cert.pem") << "-----BEGIN CERTIFICATE-----\nAAAA\n";
  options.tls_key = (folder_ / "key.pem").string();
  EXPECT_FALSE(HttpServer::Start(options, nullptr).ok());
}

}  // namespace
}  // namespace carat
