#include "api/wire_time.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cmath>
#include <utility>

namespace carat {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
// Beyond 290 years nanoseconds leave 64 bits.
constexpr double kMostSeconds = 9.2e9;

// A decimal number at the start of `text`, which loses it.
std::optional<double> TakeNumber(std::string_view* text) {
  size_t end = 0;
  while (end < text->size() && (((*text)[end] >= '0' && (*text)[end] <= '9') ||
                                (*text)[end] == '.')) {
    ++end;
  }
  double value = 0;
  const char* stop = text->data() + end;
  const auto [rest, error] = std::from_chars(text->data(), stop, value);
  if (end == 0 || error != std::errc() || rest != stop) return std::nullopt;
  text->remove_prefix(end);
  return value;
}

// `digits` digits at the start of `text`, which loses them.
std::optional<int> TakeDigits(std::string_view* text, size_t digits) {
  if (text->size() < digits) return std::nullopt;
  int value = 0;
  for (size_t i = 0; i < digits; ++i) {
    const char c = (*text)[i];
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text->remove_prefix(digits);
  return value;
}

bool Take(std::string_view* text, std::string_view either) {
  if (text->empty() || either.find(text->front()) == either.npos) return false;
  text->remove_prefix(1);
  return true;
}

// "Z" or "+01:00", in minutes.
std::optional<int> TakeOffset(std::string_view* text) {
  if (Take(text, "Zz")) return 0;
  if (text->empty()) return std::nullopt;
  const int sign = text->front() == '-' ? -1 : 1;
  if (!Take(text, "+-")) return std::nullopt;
  const auto hours = TakeDigits(text, 2);
  if (!hours || !Take(text, ":")) return std::nullopt;
  const auto minutes = TakeDigits(text, 2);
  if (!minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  return sign * (*hours * 60 + *minutes);
}

}  // namespace

int64_t WallClockNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string Rfc3339(int64_t ns_since_1970) {
  using std::chrono::floor;
  const std::chrono::sys_time<std::chrono::nanoseconds> time{
      std::chrono::nanoseconds(ns_since_1970)};
  const auto day = floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  std::string out = fmt::format(
      "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      clock.hours().count(), clock.minutes().count(), clock.seconds().count());
  const int64_t fraction = clock.subseconds().count();
  if (fraction != 0) out += fmt::format(".{:09}", fraction);
  return out + "Z";
}

std::optional<int64_t> ParseRfc3339(std::string_view text) {
  const auto year = TakeDigits(&text, 4);
  if (!year || !Take(&text, "-")) return std::nullopt;
  const auto month = TakeDigits(&text, 2);
  if (!month || !Take(&text, "-")) return std::nullopt;
  const auto day = TakeDigits(&text, 2);
  if (!day || !Take(&text, "Tt ")) return std::nullopt;
  const auto hour = TakeDigits(&text, 2);
  if (!hour || !Take(&text, ":")) return std::nullopt;
  const auto minute = TakeDigits(&text, 2);
  if (!minute || !Take(&text, ":")) return std::nullopt;
  const auto second = TakeDigits(&text, 2);
  // A leap second counts as the next one.
  if (!second || *hour > 23 || *minute > 59 || *second > 60) {
    return std::nullopt;
  }
  int64_t fraction = 0;
  if (Take(&text, ".")) {
    int64_t unit = kSecond;
    if (text.empty() || text.front() < '0' || text.front() > '9') {
      return std::nullopt;
    }
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
      unit /= 10;
      fraction += unit * (text.front() - '0');
      text.remove_prefix(1);
    }
  }
  const auto offset_minutes = TakeOffset(&text);
  if (!offset_minutes || !text.empty()) return std::nullopt;
  const std::chrono::year_month_day date{
      std::chrono::year(*year),
      std::chrono::month(static_cast<unsigned>(*month)),
      std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok() || *year < 1700 || *year > 2250) return std::nullopt;
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  const int64_t seconds = days * 86400 + *hour * 3600 +
                          (*minute - *offset_minutes) * int64_t{60} + *second;
  return seconds * kSecond + fraction;
}

std::optional<int64_t> ParseProtoDuration(std::string_view text) {
  const auto seconds = TakeNumber(&text);
  if (!seconds || text != "s" || *seconds > kMostSeconds) return std::nullopt;
  return static_cast<int64_t>(*seconds * kSecond);
}

std::optional<int64_t> ParseGoDuration(std::string_view text) {
  constexpr std::pair<std::string_view, double> kUnits[] = {
      {"ns", 1e-9}, {"us", 1e-6}, {"\u00b5s", 1e-6}, {"\u03bcs", 1e-6},
      {"ms", 1e-3}, {"s", 1.0},   {"m", 60.0},       {"h", 3600.0}};
  const bool negative = text.starts_with('-');
  Take(&text, "+-");
  if (text == "0") return 0;
  if (text.empty()) return std::nullopt;
  double total_s = 0;
  while (!text.empty()) {
    const auto number = TakeNumber(&text);
    if (!number) return std::nullopt;
    bool found = false;
    for (const auto& [name, seconds] : kUnits) {
      if (!text.starts_with(name)) continue;
      // "m" does not take the beginning of "ms": that stands before it.
      text.remove_prefix(name.size());
      total_s += *number * seconds;
      found = true;
      break;
    }
    if (!found || total_s > kMostSeconds) return std::nullopt;
  }
  const int64_t ns = static_cast<int64_t>(std::llround(total_s * 1e9));
  return negative ? -ns : ns;
}

}  // namespace carat
