// When to ask a server again, and after how long.
#ifndef CARAT_STORE_HUB_RETRY_H_
#define CARAT_STORE_HUB_RETRY_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "base/status.h"
#include "store/http_fetcher.h"

namespace carat {

struct RetryOptions {
  int retries = 6;  // in a row without a new byte
  std::chrono::milliseconds first_wait{500};
  std::chrono::seconds longest_wait{60};
  // A server that asks for more is not waited for.
  std::chrono::seconds longest_retry_after{300};
  // Waits; false when it was cancelled meanwhile. Tests do not wait.
  std::function<bool(std::chrono::milliseconds)> sleep;
};

// Statuses that another attempt may change: 408, 429, 5xx.
bool IsTransient(int http_status);

// The error that an answer with this status means, as kUnavailable when it is
// transient. `what` names what was asked for.
Status StatusOfAnswer(const FetchHead& head, const std::string& what);

// One sequence of attempts.
class Retry {
 public:
  explicit Retry(const RetryOptions& options) : options_(options) {}
  // After a failed attempt: waits and says whether to try again (OK), or gives
  // back the error to end with.
  Status Wait(const Status& failure, int64_t retry_after_s);
  // Something new has come: count from the start.
  void Progressed() { failures_ = 0; }

 private:
  RetryOptions options_;
  int failures_ = 0;
};

}  // namespace carat

#endif  // CARAT_STORE_HUB_RETRY_H_
