// Who may ask: API keys, the Host header, web pages of other origins. Pure
// functions over a request's head.
#ifndef CARAT_SERVER_ACCESS_H_
#define CARAT_SERVER_ACCESS_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http.h"
#include "base/status.h"
#include "server/request_head.h"
#include "server/server_options.h"

namespace carat {

// The digests of the keys in a file: one a line, '#' begins a comment. Errors:
// the file cannot be read, others than its owner may read it, no key in it, a
// key shorter than 16 bytes.
Result<std::vector<std::string>> ReadKeyFile(const std::string& path);

// The request may go on; `caller` is who asks (empty without keys). The key
// is looked for in Authorization: Bearer, x-api-key, x-goog-api-key and ?key=.
std::optional<HttpProblem> CheckKey(const AccessOptions& access,
                                    const RequestHead& head,
                                    std::string* caller);

std::optional<HttpProblem> CheckHost(const AccessOptions& access,
                                     const RequestHead& head);

// A web page of another origin may not make this server work.
std::optional<HttpProblem> CheckOrigin(const AccessOptions& access,
                                       const RequestHead& head);

// All of these and the length of the body: whether the body may come.
std::optional<HttpProblem> CheckHead(const ServerOptions& options,
                                     const RequestHead& head,
                                     std::string* caller);

// Headers that let an allowed origin read the answer; none for others.
HttpHeaders CorsHeaders(const AccessOptions& access, const RequestHead& head);
bool IsPreflight(const RequestHead& head);
// What an allowed origin may send.
HttpHeaders PreflightHeaders(const RequestHead& head);

// "127.0.0.1", "[::1]", "::1", "localhost".
bool IsLoopbackName(std::string_view host);

}  // namespace carat

#endif  // CARAT_SERVER_ACCESS_H_
