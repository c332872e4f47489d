// Errors as values. A Status says what went wrong, where, what was expected,
// what was found and what to do next, as one or two full sentences. Result<T>
// is a T or the Status that explains its absence. Both are cheap to move and
// safe to share between threads once built.
#ifndef CARAT_BASE_STATUS_H_
#define CARAT_BASE_STATUS_H_

#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

namespace carat {

enum class StatusCode {
  kOk,
  kInvalidArgument,     // the caller's request is wrong
  kNotFound,            // a file, model or name does not exist
  kMalformed,           // foreign bytes that break their format
  kUnsupported,         // well-formed, but not something carat can do
  kResourceExhausted,   // memory, context or a limit
  kFailedPrecondition,  // right request, wrong state
  kPermissionDenied,    // right request, but not from here or not here
  kCancelled,
  kDeadlineExceeded,
  kUnavailable,
  kInternal,
};

// The code's lower-case name, e.g. "invalid argument".
const char* StatusCodeName(StatusCode code);

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message)
      : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

  // The same error with "context: " put before its message.
  Status WithContext(const std::string& context) const;

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

inline Status OkStatus() { return Status(); }
Status InvalidArgument(std::string message);
Status NotFound(std::string message);
Status Malformed(std::string message);
Status Unsupported(std::string message);
Status ResourceExhausted(std::string message);
Status FailedPrecondition(std::string message);
Status Internal(std::string message);

namespace internal {
[[noreturn]] void DieOnBadResult(const Status& status);
}  // namespace internal

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}  // NOLINT: implicit on purpose
  Result(Status status) : status_(std::move(status)) {
    if (status_.ok()) {
      status_ = Status(StatusCode::kInternal, "Result built from an OK status");
    }
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  // Precondition: ok(). Anything else is a programmer's mistake.
  T& value() & {
    if (!ok()) internal::DieOnBadResult(status_);
    return *value_;
  }
  const T& value() const& {
    if (!ok()) internal::DieOnBadResult(status_);
    return *value_;
  }
  T&& value() && {
    if (!ok()) internal::DieOnBadResult(status_);
    return std::move(*value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  Status status_;
  std::optional<T> value_;
};

#define CARAT_CONCAT_INNER(a, b) a##b
#define CARAT_CONCAT(a, b) CARAT_CONCAT_INNER(a, b)

#define CARAT_RETURN_IF_ERROR(expr)              \
  do {                                           \
    ::carat::Status carat_status = (expr);       \
    if (!carat_status.ok()) return carat_status; \
  } while (false)

// CARAT_ASSIGN_OR_RETURN(auto x, F()): x = *F(), or return F()'s error.
#define CARAT_ASSIGN_OR_RETURN(lhs, expr) \
  CARAT_ASSIGN_OR_RETURN_INNER(CARAT_CONCAT(carat_result_, __LINE__), lhs, expr)
#define CARAT_ASSIGN_OR_RETURN_INNER(result, lhs, expr) \
  auto result = (expr);                                 \
  if (!result.ok()) return result.status();             \
  lhs = std::move(result).value()

}  // namespace carat

#endif  // CARAT_BASE_STATUS_H_
