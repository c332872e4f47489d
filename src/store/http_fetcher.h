// HTTP requests that carat makes: to model hubs, and to a running carat. An
// interface, so that what is done with the answers can be tested without a
// network; the one real implementation is libcurl's, which alone sees sockets,
// TLS and the proxies of the environment (https_proxy, no_proxy ...).
//
// Threads: one request at a time for each fetcher.
#ifndef CARAT_STORE_HTTP_FETCHER_H_
#define CARAT_STORE_HTTP_FETCHER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace carat {

struct FetchRequest {
  std::string url;
  // Sent as "Authorization: Bearer" to the origin (scheme, host and port) of
  // `url` only, never to where a redirect leads, and never in the clear but to
  // this machine.
  std::string bearer;
  uint64_t from = 0;                // ask for the bytes from here on
  std::string if_range;             // only if the entity still has this tag
  uint64_t max_bytes = UINT64_MAX;  // of the body; more is an error
};

// The head of the final answer, redirects followed.
struct FetchHead {
  int status = 0;
  std::string etag;                                  // as sent, quotes included
  std::optional<uint64_t> length;                    // of this body
  std::optional<uint64_t> range_start, range_total;  // of Content-Range
  int64_t retry_after_s = 0;  // 0: the server did not say
  std::string error_code;     // X-Error-Code: the hub's word for what is wrong
  std::string host;           // who answered
  bool elsewhere = false;     // not the origin: a redirect led there
};

struct FetchSink {
  // Called once, before the body. An error ends the request and is returned.
  std::function<Status(const FetchHead&)> head;
  // A piece of the body.
  std::function<Status(std::string_view)> body;
  // Asked about once a second and with each piece; true ends the request.
  std::function<bool()> cancelled;
};

class HttpFetcher {
 public:
  virtual ~HttpFetcher() = default;
  // OK when an answer came to its end, whatever its status. Errors:
  // kUnavailable (may work when tried again: connections, time limits, bodies
  // cut short), kCancelled, and what will fail again (addresses, certificates,
  // limits).
  virtual Status Fetch(const FetchRequest& request, const FetchSink& sink) = 0;
};

struct FetchOptions {
  int connect_seconds = 30;
  int stall_seconds = 60;  // without a byte: kUnavailable
  bool use_proxies = true;
};

std::unique_ptr<HttpFetcher> NewHttpFetcher(const FetchOptions& options);

// A whole small body.
struct FetchedText {
  FetchHead head;
  std::string body;
};
Result<FetchedText> FetchText(HttpFetcher* fetcher, const FetchRequest& request,
                              const std::function<bool()>& cancelled);

}  // namespace carat

#endif  // CARAT_STORE_HTTP_FETCHER_H_
