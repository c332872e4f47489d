// Routes of no protocol: readiness, metrics, properties, tokens.
#ifndef CARAT_SERVER_OPERATIONS_H_
#define CARAT_SERVER_OPERATIONS_H_

#include <functional>

#include "api/http.h"
#include "api/model_host.h"
#include "server/http_server.h"
#include "server/metrics.h"

namespace carat {

struct OperationsContext {
  ModelHost* host = nullptr;
  Metrics* metrics = nullptr;
  std::function<bool()> ready;
  std::function<ServerStats()> stats;
};

// False when the path is none of these.
bool HandleOperation(const OperationsContext& context,
                     const HttpRequest& request, HttpReply* reply);

}  // namespace carat

#endif  // CARAT_SERVER_OPERATIONS_H_
