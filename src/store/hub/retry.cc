#include "store/hub/retry.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "base/utf8.h"

namespace carat {
namespace {

// Half to all of `wait`, so that many clients do not come back at once.
std::chrono::milliseconds Jittered(std::chrono::milliseconds wait) {
  static thread_local std::minstd_rand random(std::random_device{}());
  const int64_t half = wait.count() / 2;
  return std::chrono::milliseconds(
      half + std::uniform_int_distribution<int64_t>(0, half)(random));
}

}  // namespace

bool IsTransient(int http_status) {
  return http_status == 408 || http_status == 429 || http_status >= 500;
}

Status StatusOfAnswer(const FetchHead& head, const std::string& what) {
  const std::string code =
      head.error_code.empty()
          ? ""
          : fmt::format(" ({})", QuoteForMessage(head.error_code, 40));
  const auto text = [&](const std::string& rest) {
    return fmt::format("{} answers {}{} for {}{}", head.host, head.status, code,
                       what, rest);
  };
  if (IsTransient(head.status)) {
    return Status(StatusCode::kUnavailable, text("."));
  }
  if (head.status == 404) {
    return NotFound(text(": there is nothing by that name."));
  }
  return FailedPrecondition(text("."));
}

Status Retry::Wait(const Status& failure, int64_t retry_after_s) {
  if (failure.code() != StatusCode::kUnavailable) return failure;
  const std::chrono::seconds asked(std::max<int64_t>(retry_after_s, 0));
  if (asked > options_.longest_retry_after) {
    return Status(StatusCode::kUnavailable,
                  fmt::format("{} It asks to come back after {} s; try again "
                              "then, what has come is kept.",
                              failure.message(), asked.count()));
  }
  if (failures_ >= options_.retries) {
    return Status(
        StatusCode::kUnavailable,
        fmt::format("{} Given up after {} attempts; the next pull goes on from "
                    "what has come.",
                    failure.message(), failures_ + 1));
  }
  const auto backoff = std::min<std::chrono::milliseconds>(
      options_.first_wait * (int64_t{1} << std::min(failures_, 20)),
      options_.longest_wait);
  ++failures_;
  const auto wait =
      std::max<std::chrono::milliseconds>(Jittered(backoff), asked);
  if (!options_.sleep(wait)) {
    return Status(StatusCode::kCancelled, "The download was ended.");
  }
  return OkStatus();
}

}  // namespace carat
