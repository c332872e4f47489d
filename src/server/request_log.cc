#include "server/request_log.h"

#include <fmt/format.h>

#include "base/json.h"
#include "base/utf8.h"
#include "server/metrics.h"

namespace carat {

namespace {

// Names of models come from files: quoted when they could end the value.
std::string LogfmtValue(const std::string& text) {
  const bool plain = text.find_first_of(" =\"\\\n\r\t") == std::string::npos;
  return plain ? SanitizeUtf8(text) : JsonQuote(SanitizeUtf8(text));
}

}  // namespace

std::string FormatRecord(LogFormat format, const RequestRecord& record) {
  // The route, not the path: a path may carry what a client typed.
  const std::string route = RouteLabel(record.path);
  const AnswerFacts& answer = record.answer;
  if (format == LogFormat::kJson) {
    Json line = Json::Object{{"event", "request"},
                             {"id", record.id},
                             {"method", SanitizeUtf8(record.method)},
                             {"route", route},
                             {"status", record.status},
                             {"ms", record.ms},
                             {"request_bytes", record.request_bytes},
                             {"response_bytes", record.response_bytes},
                             {"address", record.address},
                             {"caller", record.caller},
                             {"gone", record.gone}};
    if (!answer.model.empty()) {
      line.Set("model", SanitizeUtf8(answer.model));
      line.Set("prompt_tokens", answer.prompt_tokens);
      line.Set("cached_tokens", answer.cached_tokens);
      line.Set("output_tokens", answer.output_tokens);
      line.Set("first_token_ms", answer.first_token_ms);
    }
    return line.Dump();
  }
  std::string line = fmt::format(
      "event=request id={} method={} route={} status={} ms={:.1f} "
      "request_bytes={} response_bytes={} address={} caller={} gone={}",
      record.id, record.method.empty() ? "-" : record.method, route,
      record.status, record.ms, record.request_bytes, record.response_bytes,
      record.address, record.caller.empty() ? "-" : record.caller, record.gone);
  if (!answer.model.empty()) {
    line += fmt::format(
        " model={} prompt_tokens={} cached_tokens={} output_tokens={} "
        "first_token_ms={:.1f}",
        LogfmtValue(answer.model), answer.prompt_tokens, answer.cached_tokens,
        answer.output_tokens, answer.first_token_ms);
  }
  return line;
}

}  // namespace carat
