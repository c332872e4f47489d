// Server-sent events, in the two spellings the protocols need. One JSON value
// is one line: Dump writes no line breaks.
#ifndef CARAT_API_SSE_H_
#define CARAT_API_SSE_H_

#include <string>
#include <string_view>

#include "base/json.h"

namespace carat {

inline constexpr std::string_view kEventStream = "text/event-stream";
// A comment, which clients of these two spellings skip.
inline constexpr std::string_view kSseComment = ": keep-alive\n\n";

// "data: {..}" and a blank line.
inline void AppendSseData(const Json& data, std::string* out) {
  out->append("data: ").append(data.Dump()).append("\n\n");
}

// The same below "event: NAME".
inline void AppendSseEvent(std::string_view name, const Json& data,
                           std::string* out) {
  out->append("event: ").append(name).append("\n");
  AppendSseData(data, out);
}

}  // namespace carat

#endif  // CARAT_API_SSE_H_
