#include "server/request_log.h"

#include <fmt/format.h>

#include "base/json.h"
#include "base/utf8.h"
#include "server/metrics.h"

namespace carat {

std::string FormatRecord(LogFormat format, const RequestRecord& record) {
  // The route, not the path: a path may carry what a client typed.
  const std::string route = RouteLabel(record.path);
  if (format == LogFormat::kJson) {
    return Json(Json::Object{{"event", "request"},
                             {"id", record.id},
                             {"method", SanitizeUtf8(record.method)},
                             {"route", route},
                             {"status", record.status},
                             {"ms", record.ms},
                             {"request_bytes", record.request_bytes},
                             {"response_bytes", record.response_bytes},
                             {"address", record.address},
                             {"caller", record.caller},
                             {"gone", record.gone}})
        .Dump();
  }
  return fmt::format(
      "event=request id={} method={} route={} status={} ms={:.1f} "
      "request_bytes={} response_bytes={} address={} caller={} gone={}",
      record.id, record.method.empty() ? "-" : record.method, route,
      record.status, record.ms, record.request_bytes, record.response_bytes,
      record.address, record.caller.empty() ? "-" : record.caller, record.gone);
}

}  // namespace carat
