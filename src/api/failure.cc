#include "api/failure.h"

namespace carat {

Status FailureOf(const Done& done) {
  switch (done.reason) {
    case FinishReason::kError:
      return Internal(done.error);
    case FinishReason::kMalformedCall:
      return Internal(done.error.empty()
                          ? "The model wrote a tool call that cannot be read."
                          : done.error);
    case FinishReason::kCancelled:
      return Status(StatusCode::kUnavailable,
                    "The answer was cancelled: the server is going down.");
    default:
      return OkStatus();
  }
}

}  // namespace carat
