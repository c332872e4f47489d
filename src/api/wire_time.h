// Points in time and durations as the protocols write them.
#ifndef CARAT_API_WIRE_TIME_H_
#define CARAT_API_WIRE_TIME_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace carat {

// Nanoseconds since 1970.
int64_t WallClockNs();

// "2026-11-24T10:30:00.123456789Z"; whole seconds come without a fraction.
std::string Rfc3339(int64_t ns_since_1970);

// Nanoseconds since 1970 of an RFC 3339 time, with any offset.
std::optional<int64_t> ParseRfc3339(std::string_view text);

// Nanoseconds of "300s" or "3.5s" (proto3 JSON). Never negative.
std::optional<int64_t> ParseProtoDuration(std::string_view text);

// Nanoseconds of "5m", "1h30m", "-1s", "1.5h", "100ms" (Go).
std::optional<int64_t> ParseGoDuration(std::string_view text);

}  // namespace carat

#endif  // CARAT_API_WIRE_TIME_H_
