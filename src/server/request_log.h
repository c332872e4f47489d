// One line a request on stderr, as key=value pairs (logfmt) or JSON. Never
// prompts, answers, queries or keys.
#ifndef CARAT_SERVER_REQUEST_LOG_H_
#define CARAT_SERVER_REQUEST_LOG_H_

#include <string>

#include "server/http_server.h"

namespace carat {

enum class LogFormat { kOff, kLogfmt, kJson };

std::string FormatRecord(LogFormat format, const RequestRecord& record);

}  // namespace carat

#endif  // CARAT_SERVER_REQUEST_LOG_H_
