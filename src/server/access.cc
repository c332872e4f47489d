#include "server/access.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>

#include "api/gemini/context.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "server/message_reader.h"

namespace carat {
namespace {

constexpr size_t kMinKeyBytes = 16;

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// "example.com:80" -> "example.com", "[::1]:80" -> "::1".
std::string HostWithoutPort(std::string_view host) {
  if (host.starts_with('[')) {
    const size_t end = host.find(']');
    return end == std::string_view::npos ? std::string()
                                         : Lower(host.substr(1, end - 1));
  }
  std::string name = Lower(host.substr(0, host.find(':')));
  if (name.ends_with('.')) name.pop_back();
  return name;
}

bool IsIpAddress(const std::string& text) {
  in6_addr any;
  return inet_pton(AF_INET, text.c_str(), &any) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &any) == 1;
}

bool Contains(const std::vector<std::string>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

bool IsAllowedOrigin(const AccessOptions& access, std::string_view origin) {
  return Contains(access.allowed_origins, "*") ||
         Contains(access.allowed_origins, origin);
}

// A page that came from this server itself.
bool IsSameOrigin(std::string_view origin, const RequestHead& head) {
  const size_t slashes = origin.find("://");
  return slashes != std::string_view::npos &&
         Lower(origin.substr(slashes + 3)) == Lower(head.host);
}

// The keys a request carries, wherever clients put them.
std::vector<std::string> PresentedKeys(const RequestHead& head) {
  std::vector<std::string> keys;
  if (const std::string* value = head.Header("authorization")) {
    constexpr std::string_view kBearer = "bearer ";
    if (Lower(value->substr(0, kBearer.size())) == kBearer) {
      keys.push_back(value->substr(kBearer.size()));
    }
  }
  for (const char* name : {"x-api-key", "x-goog-api-key"}) {
    if (const std::string* value = head.Header(name)) keys.push_back(*value);
  }
  const HttpRequest query = {.query = head.query};
  if (auto key = query.Query("key")) keys.push_back(*key);
  return keys;
}

}  // namespace

Result<std::vector<std::string>> ReadKeyFile(const std::string& path) {
  struct stat info;
  std::ifstream in(path);
  if (!in || stat(path.c_str(), &info) != 0) {
    return NotFound(fmt::format("The key file {} cannot be read.", path));
  }
  if (!S_ISREG(info.st_mode) || (info.st_mode & 077) != 0) {
    return FailedPrecondition(fmt::format(
        "The key file {} must be a file that only its owner can read (its "
        "mode is {:03o}); run chmod 600 {}.",
        path, info.st_mode & 0777, path));
  }
  std::vector<std::string> digests;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    const size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string::npos || line[begin] == '#') continue;
    const std::string key =
        line.substr(begin, line.find_last_not_of(" \t\r") - begin + 1);
    if (key.size() < kMinKeyBytes) {
      return InvalidArgument(fmt::format(
          "{}, line {}: the key has {} characters; expected at least {}. "
          "openssl rand -hex 24 makes one.",
          path, number, key.size(), kMinKeyBytes));
    }
    digests.push_back(Sha256Hex(key));
  }
  if (digests.empty()) {
    return InvalidArgument(fmt::format(
        "The key file {} holds no key; write one on each line.", path));
  }
  return digests;
}

std::optional<HttpProblem> CheckKey(const AccessOptions& access,
                                    const RequestHead& head,
                                    std::string* caller) {
  caller->clear();
  if (access.key_digests.empty()) return std::nullopt;
  for (const std::string& key : PresentedKeys(head)) {
    // Digests are of one length, and every one is compared to its end: the
    // time tells nothing about the keys.
    const std::string digest = Sha256Hex(key);
    int found = 0;
    for (const std::string& known : access.key_digests) {
      found |= known.size() == digest.size() &&
               CRYPTO_memcmp(known.data(), digest.data(), digest.size()) == 0;
    }
    if (found != 0) {
      *caller = digest.substr(0, 16);
      return std::nullopt;
    }
  }
  return HttpProblem{
      401,
      "This server asks for an API key; send one as Authorization: Bearer, "
      "x-api-key or x-goog-api-key."};
}

std::optional<HttpProblem> CheckHost(const AccessOptions& access,
                                     const RequestHead& head) {
  if (!access.check_host) return std::nullopt;
  const std::string name = HostWithoutPort(head.host);
  if (name == "localhost" || name.ends_with(".localhost") ||
      IsIpAddress(name) || Contains(access.allowed_hosts, name)) {
    return std::nullopt;
  }
  // Without Host (HTTP/1.0) no browser is asking.
  if (head.host.empty()) return std::nullopt;
  return HttpProblem{403,
                     fmt::format("The host {} is not one of this server's "
                                 "names; carat serve --allow-host {} "
                                 "makes it one.",
                                 QuoteForMessage(name), QuoteForMessage(name))};
}

std::optional<HttpProblem> CheckOrigin(const AccessOptions& access,
                                       const RequestHead& head) {
  const std::string* origin = head.Header("origin");
  if (origin == nullptr || IsAllowedOrigin(access, *origin) ||
      IsSameOrigin(*origin, head)) {
    return std::nullopt;
  }
  return HttpProblem{
      403, fmt::format("Web pages of {} may not use this server; carat serve "
                       "--allow-origin lets them.",
                       QuoteForMessage(*origin))};
}

std::optional<HttpProblem> CheckHead(const ServerOptions& options,
                                     const RequestHead& head,
                                     std::string* caller) {
  if (auto problem = CheckHost(options.access, head)) return problem;
  if (auto problem = CheckOrigin(options.access, head)) return problem;
  // The address of an upload is a secret of its own: clients send its pieces
  // without a key.
  const HttpRequest request = {
      .path = head.path, .query = head.query, .headers = head.headers};
  if (!IsGeminiUploadPiece(request)) {
    if (auto problem = CheckKey(options.access, head, caller)) return problem;
  }
  const uint64_t most = options.limits.body_bytes;
  if (head.content_length > most) return BodyTooLarge(most);
  return std::nullopt;
}

HttpHeaders CorsHeaders(const AccessOptions& access, const RequestHead& head) {
  const std::string* origin = head.Header("origin");
  if (origin == nullptr || !IsAllowedOrigin(access, *origin)) return {};
  return {{"access-control-allow-origin", *origin},
          {"access-control-expose-headers", "x-request-id, retry-after"},
          {"vary", "origin"}};
}

bool IsPreflight(const RequestHead& head) {
  return head.method == "OPTIONS" && head.Header("origin") != nullptr &&
         head.Header("access-control-request-method") != nullptr;
}

HttpHeaders PreflightHeaders(const RequestHead& head) {
  HttpHeaders out = {
      {"access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE"},
      {"access-control-max-age", "600"}};
  // Clients send many headers of their own (x-stainless-*, x-goog-*,
  // anthropic-*); an allowed origin may send any, so what it asks for is
  // what it gets.
  const std::string* asked = head.Header("access-control-request-headers");
  if (asked != nullptr && asked->size() <= 4096) {
    out.emplace_back("access-control-allow-headers", *asked);
  }
  return out;
}

bool IsLoopbackName(std::string_view host) {
  const std::string name = Lower(host);
  return name == "localhost" || name == "::1" || name == "[::1]" ||
         (name.starts_with("127.") && IsIpAddress(name));
}

}  // namespace carat
