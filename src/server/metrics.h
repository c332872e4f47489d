// What /metrics tells Prometheus: requests counted here, everything about
// models taken from their engines when asked. Thread-safe.
#ifndef CARAT_SERVER_METRICS_H_
#define CARAT_SERVER_METRICS_H_

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "api/model_host.h"
#include "runtime/engine_stats.h"
#include "server/http_server.h"

namespace carat {

// The path with its variable parts named, one of a small set: a label must not
// grow with what clients invent.
std::string RouteLabel(std::string_view path);

class Metrics {
 public:
  void Add(const RequestRecord& record);
  // The text format, version 0.0.4.
  std::string Render(const std::vector<RunningModel>& models,
                     const ServerStats& server);

 private:
  std::mutex mutex_;
  std::map<std::tuple<std::string, std::string, int>, uint64_t> requests_;
  Histogram seconds_ = {.005, .01, .05, .1, .5, 1, 2.5, 5, 10, 30, 60, 300};
  uint64_t request_bytes_ = 0;
  uint64_t response_bytes_ = 0;
  uint64_t gone_ = 0;
};

}  // namespace carat

#endif  // CARAT_SERVER_METRICS_H_
