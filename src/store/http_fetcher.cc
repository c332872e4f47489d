#include "store/http_fetcher.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "base/utf8.h"
#include "store/gguf_names.h"

namespace carat {
namespace {

constexpr int kMaxRedirects = 8;
constexpr size_t kMaxHeaderValue = 1024;

std::string Trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return "";
  return std::string(
      text.substr(first, text.find_last_not_of(" \t\r\n") + 1 - first));
}

std::optional<uint64_t> Number(std::string_view text) {
  uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end || text.empty()) return std::nullopt;
  return value;
}

// "bytes 5-9/10".
void ReadContentRange(std::string_view text, FetchHead* head) {
  constexpr std::string_view kUnit = "bytes ";
  if (!text.starts_with(kUnit)) return;
  text.remove_prefix(kUnit.size());
  const size_t dash = text.find('-');
  const size_t slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos) return;
  head->range_start = Number(text.substr(0, dash));
  head->range_total = Number(text.substr(slash + 1));
}

struct Url {
  std::string scheme, host, port;
  bool operator==(const Url& other) const = default;
  bool is_local() const {
    return host == "localhost" || host == "::1" || host == "[::1]" ||
           host.starts_with("127.");
  }
};

Result<Url> ParseUrl(const std::string& text) {
  const std::unique_ptr<CURLU, void (*)(CURLU*)> url(curl_url(),
                                                     curl_url_cleanup);
  const auto part = [&](CURLUPart which) {
    char* value = nullptr;
    std::string out;
    if (curl_url_get(url.get(), which, &value, CURLU_DEFAULT_PORT) ==
        CURLUE_OK) {
      out = LowerAscii(value);
    }
    curl_free(value);
    return out;
  };
  Url out;
  if (url != nullptr &&
      curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) == CURLUE_OK) {
    out = {part(CURLUPART_SCHEME), part(CURLUPART_HOST), part(CURLUPART_PORT)};
    const bool plain = part(CURLUPART_USER).empty();
    if ((out.scheme == "https" || out.scheme == "http") && !out.host.empty() &&
        plain) {
      return out;
    }
  }
  return InvalidArgument(fmt::format(
      "{} is no address that carat asks; expected https://HOST/... without a "
      "user's name.",
      QuoteForMessage(text.substr(0, text.find('?')), 200)));
}

// What goes on during one request.
struct Exchange {
  const FetchRequest* request;
  const FetchSink* sink;
  CURL* curl;
  FetchHead head;
  bool head_given = false;
  bool redirect = false;
  uint64_t received = 0;
  Status status;  // why a callback ended the request
};

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 ||
         status == 308;
}

// Gives the head away as soon as it is complete. False ends the request.
bool GiveHead(Exchange* exchange) {
  if (exchange->head_given) return true;
  exchange->head_given = true;
  long code = 0;
  curl_easy_getinfo(exchange->curl, CURLINFO_RESPONSE_CODE, &code);
  exchange->head.status = static_cast<int>(code);
  curl_off_t wait = 0;
  curl_easy_getinfo(exchange->curl, CURLINFO_RETRY_AFTER, &wait);
  exchange->head.retry_after_s = wait;
  exchange->redirect = IsRedirect(exchange->head.status);
  if (!exchange->redirect) {
    exchange->status = exchange->sink->head(exchange->head);
  }
  return exchange->status.ok();
}

size_t OnHeader(char* data, size_t size, size_t count, void* user) {
  auto* exchange = static_cast<Exchange*>(user);
  const std::string_view line(data, size * count);
  if (line.starts_with("HTTP/")) {  // of this answer, not of a proxy or a 100
    exchange->head = {.host = exchange->head.host};
    return size * count;
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return size * count;
  const std::string name = LowerAscii(line.substr(0, colon));
  const std::string value =
      Trimmed(line.substr(colon + 1)).substr(0, kMaxHeaderValue);
  FetchHead& head = exchange->head;
  if (name == "etag") head.etag = value;
  if (name == "content-length") head.length = Number(value);
  if (name == "content-range") ReadContentRange(value, &head);
  if (name == "x-error-code") head.error_code = value;
  return size * count;
}

size_t OnBody(char* data, size_t size, size_t count, void* user) {
  auto* exchange = static_cast<Exchange*>(user);
  const size_t bytes = size * count;
  if (!GiveHead(exchange)) return 0;
  exchange->received += bytes;
  if (exchange->redirect) {
    // Nobody reads what stands beside a redirect.
    return exchange->received > (1 << 20) ? 0 : bytes;
  }
  if (exchange->received > exchange->request->max_bytes) {
    exchange->status = ResourceExhausted(
        fmt::format("{} sends more than {} bytes.", exchange->head.host,
                    exchange->request->max_bytes));
    return 0;
  }
  exchange->status = exchange->sink->body({data, bytes});
  return exchange->status.ok() ? bytes : 0;
}

int OnProgress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto* exchange = static_cast<Exchange*>(user);
  const auto& cancelled = exchange->sink->cancelled;
  if (!cancelled || !cancelled()) return 0;
  exchange->status = Status(StatusCode::kCancelled, "The download was ended.");
  return 1;
}

// Failures that come from the address or its certificate stay.
bool IsLasting(CURLcode code) {
  switch (code) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_OUT_OF_MEMORY:
      return true;
    default:
      return false;
  }
}

class CurlFetcher : public HttpFetcher {
 public:
  explicit CurlFetcher(const FetchOptions& options) : options_(options) {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
    curl_ = curl_easy_init();
  }
  ~CurlFetcher() override {
    if (curl_ != nullptr) curl_easy_cleanup(curl_);
  }
  CurlFetcher(const CurlFetcher&) = delete;
  CurlFetcher& operator=(const CurlFetcher&) = delete;

  Status Fetch(const FetchRequest& request, const FetchSink& sink) override;

 private:
  // One request without following; `next` is where a redirect leads.
  Status Once(const FetchRequest& request, const std::string& url,
              const FetchSink& sink, std::string* next);
  void SetOptions(const std::string& url, Exchange* exchange);

  FetchOptions options_;
  CURL* curl_;  // keeps connections alive
};

Status CurlFetcher::Fetch(const FetchRequest& request, const FetchSink& sink) {
  if (curl_ == nullptr) return Internal("libcurl cannot be used.");
  CARAT_ASSIGN_OR_RETURN(const Url origin, ParseUrl(request.url));
  std::string url = request.url;
  for (int hops = 0; hops <= kMaxRedirects; ++hops) {
    CARAT_ASSIGN_OR_RETURN(const Url at, ParseUrl(url));
    if (origin.scheme == "https" && at.scheme != "https") {
      return FailedPrecondition(fmt::format(
          "{} redirects to {} without encryption; this is not followed.",
          origin.host, at.host));
    }
    FetchRequest one = request;
    const bool clear = at.scheme == "http" && !at.is_local();
    if (at != origin || clear) one.bearer.clear();
    std::string next;
    const FetchSink marked = {.head =
                                  [&](const FetchHead& head) {
                                    FetchHead copy = head;
                                    copy.elsewhere = at != origin;
                                    return sink.head(copy);
                                  },
                              .body = sink.body,
                              .cancelled = sink.cancelled};
    CARAT_RETURN_IF_ERROR(Once(one, url, marked, &next));
    if (next.empty()) return OkStatus();
    url = std::move(next);
  }
  return FailedPrecondition(fmt::format("{} redirects more than {} times.",
                                        origin.host, kMaxRedirects));
}

void CurlFetcher::SetOptions(const std::string& url, Exchange* exchange) {
  curl_easy_reset(curl_);
  const auto set = [this](CURLoption option, auto value) {
    curl_easy_setopt(curl_, option, value);
  };
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_USERAGENT, "carat/" CARAT_VERSION);
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(options_.connect_seconds));
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(options_.stall_seconds));
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(CURLOPT_HEADERFUNCTION, OnHeader);
  set(CURLOPT_HEADERDATA, exchange);
  set(CURLOPT_WRITEFUNCTION, OnBody);
  set(CURLOPT_WRITEDATA, exchange);
  set(CURLOPT_XFERINFOFUNCTION, OnProgress);
  set(CURLOPT_XFERINFODATA, exchange);
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_BUFFERSIZE, 256L * 1024);
  if (!options_.use_proxies) set(CURLOPT_PROXY, "");
  // As the curl program: a company's own authorities.
  for (const char* name : {"CURL_CA_BUNDLE", "SSL_CERT_FILE"}) {
    const char* file = std::getenv(name);
    if (file == nullptr || *file == '\0') continue;
    set(CURLOPT_CAINFO, file);
    break;
  }
}

Status CurlFetcher::Once(const FetchRequest& request, const std::string& url,
                         const FetchSink& sink, std::string* next) {
  Exchange exchange = {.request = &request, .sink = &sink, .curl = curl_};
  CARAT_ASSIGN_OR_RETURN(const Url at, ParseUrl(url));
  exchange.head.host = at.host;
  SetOptions(url, &exchange);
  char message[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(curl_, CURLOPT_ERRORBUFFER, message);
  curl_slist* lines = nullptr;
  const auto add = [&lines](const std::string& line) {
    curl_slist* longer = curl_slist_append(lines, line.c_str());
    if (longer != nullptr) lines = longer;
  };
  if (!request.bearer.empty()) add("Authorization: Bearer " + request.bearer);
  if (request.from > 0) {
    add(fmt::format("Range: bytes={}-", request.from));
    if (!request.if_range.empty()) add("If-Range: " + request.if_range);
  }
  curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, lines);
  const CURLcode code = curl_easy_perform(curl_);
  if (code == CURLE_OK) GiveHead(&exchange);  // there was no body
  curl_slist_free_all(lines);
  curl_easy_setopt(curl_, CURLOPT_ERRORBUFFER, nullptr);
  if (!exchange.status.ok()) return exchange.status;
  if (code != CURLE_OK) {
    const std::string why = fmt::format(
        "{}: {}.", at.host, *message ? message : curl_easy_strerror(code));
    return Status(IsLasting(code) ? StatusCode::kFailedPrecondition
                                  : StatusCode::kUnavailable,
                  why);
  }
  if (!exchange.redirect) return OkStatus();
  char* target = nullptr;
  curl_easy_getinfo(curl_, CURLINFO_REDIRECT_URL, &target);
  if (target == nullptr) {
    return Malformed(at.host + " redirects without saying where to.");
  }
  *next = target;
  return OkStatus();
}

}  // namespace

std::unique_ptr<HttpFetcher> NewHttpFetcher(const FetchOptions& options) {
  return std::make_unique<CurlFetcher>(options);
}

Result<FetchedText> FetchText(HttpFetcher* fetcher, const FetchRequest& request,
                              const std::function<bool()>& cancelled) {
  FetchedText out;
  CARAT_RETURN_IF_ERROR(
      fetcher->Fetch(request, {.head =
                                   [&](const FetchHead& head) {
                                     out.head = head;
                                     return OkStatus();
                                   },
                               .body =
                                   [&](std::string_view bytes) {
                                     out.body += bytes;
                                     return OkStatus();
                                   },
                               .cancelled = cancelled}));
  return out;
}

}  // namespace carat
