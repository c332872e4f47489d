// The part of a request that runs on the handler's own thread.
#ifndef CARAT_SERVER_RUN_HANDLER_H_
#define CARAT_SERVER_RUN_HANDLER_H_

#include <cstdint>

#include "api/http.h"
#include "server/http_server.h"

namespace carat {

// Undoes the body's content encoding, at most `body_bytes` of it, and calls
// the handler. Whatever it throws becomes an error of the request.
void RunHandler(const HttpHandler& handler, uint64_t body_bytes,
                HttpRequest request, HttpReply* reply);

}  // namespace carat

#endif  // CARAT_SERVER_RUN_HANDLER_H_
