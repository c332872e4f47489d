// Everything that whoever starts the HTTP server decides.
#ifndef CARAT_SERVER_SERVER_OPTIONS_H_
#define CARAT_SERVER_SERVER_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace carat {

// Beside Ollama's 11434, so that both can run on one machine.
inline constexpr int kDefaultPort = 11435;

struct AccessOptions {
  // SHA-256 of each accepted key, in hexadecimal; none: no key is asked for.
  std::vector<std::string> key_digests;
  // Answer only requests whose Host is an IP address, localhost or one of
  // `allowed_hosts`: a name of someone else that leads here is an attack (DNS
  // rebinding).
  bool check_host = true;
  std::vector<std::string> allowed_hosts;
  // Origins of web pages that may ask; "*" is all of them.
  std::vector<std::string> allowed_origins;
};

struct ServerLimits {
  size_t head_bytes = 32 << 10;
  uint64_t body_bytes = uint64_t{64} << 20;  // also once decompressed
  // Of all bodies in memory at the same time.
  uint64_t all_bodies_bytes = uint64_t{1} << 30;
  int connections = 2048;
  int connections_per_address = 1024;
  int requests = 256;           // handlers at the same time
  int head_ms = 10'000;         // from the first byte to the empty line
  int body_stall_ms = 30'000;   // without a byte of the body
  int body_ms = 600'000;        // for all of the body
  int idle_ms = 120'000;        // between two requests
  int write_stall_ms = 60'000;  // in which a client takes nothing
};

struct ServerOptions {
  std::string host = "127.0.0.1";  // an address or a name
  int port = kDefaultPort;         // 0: a free one
  // PEM files; empty: no TLS.
  std::string tls_certificate, tls_key;
  AccessOptions access;
  ServerLimits limits;
};

}  // namespace carat

#endif  // CARAT_SERVER_SERVER_OPTIONS_H_
