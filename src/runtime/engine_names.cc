// Names of what the engine reports.
#include "runtime/engine.h"

namespace carat {

const char* KeptName(LoadReport::Kept kept) {
  switch (kept) {
    case LoadReport::Kept::kNotAsked:
      return "off";
    case LoadReport::Kept::kFound:
      return "found";
    case LoadReport::Kept::kWritten:
      return "written";
    case LoadReport::Kept::kFailed:
      return "failed";
  }
  return "unknown";
}

const char* FinishReasonName(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kStopString:
      return "stop_string";
    case FinishReason::kToolCalls:
      return "tool_calls";
    case FinishReason::kMaxTokens:
      return "max_tokens";
    case FinishReason::kContextFull:
      return "context_full";
    case FinishReason::kCancelled:
      return "cancelled";
    case FinishReason::kDeadline:
      return "deadline";
    case FinishReason::kRepetition:
      return "repetition";
    case FinishReason::kMalformedCall:
      return "malformed_tool_call";
    case FinishReason::kError:
      return "error";
  }
  return "unknown";
}

}  // namespace carat
