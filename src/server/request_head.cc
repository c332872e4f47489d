#include "server/request_head.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/utf8.h"

namespace carat {
namespace {

constexpr size_t kMaxMethodBytes = 32;
// More digits than any length that is ever accepted.
constexpr size_t kMaxLengthDigits = 18;

HttpProblem Bad(std::string message) { return {400, std::move(message)}; }

bool IsTokenChar(unsigned char c) {
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
      (c >= 'A' && c <= 'Z')) {
    return true;
  }
  return c != 0 &&
         std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) !=
             std::string_view::npos;
}

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// Visible ASCII only: no blanks, no control characters, no raw UTF-8.
bool IsTarget(std::string_view target) {
  return !target.empty() &&
         std::all_of(target.begin(), target.end(),
                     [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
}

bool IsFieldValue(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char raw) {
    const unsigned char c = static_cast<unsigned char>(raw);
    return c == '\t' || (c >= 0x20 && c != 0x7f);
  });
}

// "http://host:port/path?query" as proxies send it.
bool TakeAuthority(std::string_view* target, RequestHead* out) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (Lower(target->substr(0, scheme.size())) != scheme) continue;
    target->remove_prefix(scheme.size());
    const size_t end = std::min(target->find_first_of("/?"), target->size());
    out->host = std::string(target->substr(0, end));
    target->remove_prefix(end);
    return !out->host.empty();
  }
  return true;
}

std::optional<HttpProblem> ParseTarget(std::string_view target,
                                       RequestHead* out) {
  if (!IsTarget(target)) {
    return Bad(
        "The request target holds characters that a URL cannot hold; "
        "percent-encode them.");
  }
  if (target == "*" && out->method == "OPTIONS") {
    out->path = "*";
    return std::nullopt;
  }
  if (!TakeAuthority(&target, out)) {
    return Bad("The request target names no host.");
  }
  const size_t question = target.find('?');
  out->path = std::string(target.substr(0, question));
  if (question != std::string_view::npos) {
    out->query = std::string(target.substr(question + 1));
  }
  if (out->path.empty() && !out->host.empty()) out->path = "/";
  if (!out->path.starts_with('/')) {
    return Bad("The request target must begin with a slash.");
  }
  return std::nullopt;
}

std::optional<HttpProblem> ParseRequestLine(std::string_view line,
                                            RequestHead* out) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return Bad("The request line is not \"METHOD TARGET HTTP/1.1\".");
  }
  const std::string_view method = line.substr(0, first);
  if (!IsHttpToken(method) || method.size() > kMaxMethodBytes) {
    return Bad("The request line does not begin with a method.");
  }
  out->method = std::string(method);
  const std::string_view version = line.substr(last + 1);
  if (version == "HTTP/1.1") {
    out->minor_version = 1;
  } else if (version == "HTTP/1.0") {
    out->minor_version = 0;
  } else if (version.starts_with("HTTP/")) {
    return HttpProblem{505, "This server speaks HTTP/1.1 and HTTP/1.0."};
  } else {
    return Bad("The request line does not end with an HTTP version.");
  }
  return ParseTarget(line.substr(first + 1, last - first - 1), out);
}

std::optional<HttpProblem> ParseField(std::string_view line, RequestHead* out) {
  if (line.front() == ' ' || line.front() == '\t') {
    return Bad(
        "A header line begins with a blank; folded lines are not "
        "accepted.");
  }
  const size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  if (colon == std::string_view::npos || !IsHttpToken(name)) {
    return Bad("A header line is not \"Name: value\".");
  }
  const std::string_view value = Trim(line.substr(colon + 1));
  if (!IsFieldValue(value)) {
    return Bad(fmt::format("The header {} holds control characters.",
                           QuoteForMessage(name)));
  }
  if (out->headers.size() == kMaxHeaderFields) {
    return HttpProblem{431, fmt::format("The request has more than {} headers.",
                                        kMaxHeaderFields)};
  }
  out->headers.emplace_back(Lower(name), std::string(value));
  return std::nullopt;
}

size_t Count(const HttpHeaders& headers, std::string_view name) {
  return static_cast<size_t>(
      std::count_if(headers.begin(), headers.end(),
                    [&](const auto& field) { return field.first == name; }));
}

std::optional<HttpProblem> CheckHost(RequestHead* out) {
  const size_t hosts = Count(out->headers, "host");
  if (hosts > 1 || (hosts == 0 && out->minor_version > 0)) {
    return Bad(hosts == 0 ? "The request has no Host header."
                          : "The request has several Host headers.");
  }
  // A host in the target wins over the field (RFC 9112, 3.2.2).
  if (hosts == 1 && out->host.empty()) out->host = *out->Header("host");
  return std::nullopt;
}

// How the body's length is told (RFC 9112, section 6), and no second way.
std::optional<HttpProblem> CheckLength(RequestHead* out) {
  const size_t lengths = Count(out->headers, "content-length");
  const size_t encodings = Count(out->headers, "transfer-encoding");
  if (lengths > 1)
    return Bad("The request has several Content-Length headers.");
  if (encodings > 0) {
    if (lengths > 0) {
      return Bad("The request has both Content-Length and Transfer-Encoding.");
    }
    if (out->minor_version == 0) {
      return Bad("Transfer-Encoding does not exist in HTTP/1.0.");
    }
    if (encodings > 1 ||
        Lower(*out->Header("transfer-encoding")) != "chunked") {
      return HttpProblem{501, "The only Transfer-Encoding here is chunked."};
    }
    out->chunked = true;
    return std::nullopt;
  }
  if (lengths == 0) return std::nullopt;
  const std::string& digits = *out->Header("content-length");
  if (digits.empty() ||
      digits.find_first_not_of("0123456789") != std::string::npos) {
    return Bad("Content-Length is not a number.");
  }
  if (digits.size() > kMaxLengthDigits) {
    return HttpProblem{413, "Content-Length is beyond all limits."};
  }
  for (const char c : digits) {
    out->content_length =
        out->content_length * 10 + static_cast<uint64_t>(c - '0');
  }
  return std::nullopt;
}

std::optional<HttpProblem> CheckConnection(RequestHead* out) {
  out->keep_alive = out->minor_version > 0;
  for (const auto& [name, value] : out->headers) {
    if (name != "connection") continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      const size_t comma = rest.find(',');
      const std::string option = Lower(Trim(rest.substr(0, comma)));
      rest = comma == std::string_view::npos ? "" : rest.substr(comma + 1);
      if (option == "close") out->asked_to_close = true;
      if (option == "keep-alive") out->keep_alive = true;
    }
  }
  if (!out->keep_alive) out->asked_to_close = true;
  if (out->asked_to_close) out->keep_alive = false;
  const std::string* expect = out->Header("expect");
  if (expect == nullptr) return std::nullopt;
  if (Lower(*expect) != "100-continue") {
    return HttpProblem{417, "The only Expect here is 100-continue."};
  }
  out->expect_continue = out->minor_version > 0;
  return std::nullopt;
}

}  // namespace

bool IsHttpToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return IsTokenChar(static_cast<unsigned char>(c));
  });
}

std::string ClientsRequestId(const RequestHead& head) {
  const std::string* id = head.Header("x-request-id");
  return id != nullptr && IsHttpToken(*id) && id->size() <= 64 ? *id
                                                               : std::string();
}

const std::string* RequestHead::Header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return &value;
  }
  return nullptr;
}

HeadFinder::State HeadFinder::Look(std::string_view bytes) {
  for (; at_ < bytes.size(); ++at_) {
    const char c = bytes[at_];
    if (c == '\0') return State::kBad;
    if (c != '\n') continue;
    if (at_ == 0 || bytes[at_ - 1] != '\r') return State::kBad;
    const bool empty = at_ == line_ + 1;
    line_ = at_ + 1;
    // Empty lines before a request are skipped (RFC 9112, section 2.2).
    if (empty && at_ > 1) {
      const bool leading = bytes.substr(0, at_).find_first_not_of("\r\n") ==
                           std::string_view::npos;
      if (leading) continue;
      ++at_;
      return State::kFound;
    }
  }
  return State::kMore;
}

std::optional<HttpProblem> ParseHead(std::string_view bytes, RequestHead* out) {
  *out = RequestHead();
  while (bytes.starts_with("\r\n")) bytes.remove_prefix(2);
  bool first = true;
  for (;;) {
    const size_t end = bytes.find("\r\n");
    if (end == std::string_view::npos) {
      return Bad("The request's head does not end with an empty line.");
    }
    const std::string_view line = bytes.substr(0, end);
    bytes.remove_prefix(end + 2);
    if (line.find_first_of(std::string_view("\r\n\0", 3)) !=
        std::string_view::npos) {
      return Bad("A line of the request's head holds a bare CR, LF or NUL.");
    }
    if (line.empty()) break;
    auto problem = first ? ParseRequestLine(line, out) : ParseField(line, out);
    if (problem) return problem;
    first = false;
  }
  if (first) return Bad("The request is empty.");
  if (!bytes.empty()) return Bad("Bytes follow the request's head.");
  for (const auto check : {CheckHost, CheckLength, CheckConnection}) {
    if (auto problem = check(out)) return problem;
  }
  return std::nullopt;
}

}  // namespace carat
