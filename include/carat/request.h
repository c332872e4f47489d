// What a program asks a model for, and what comes back. The command line, the
// HTTP protocols and the library speak only these types. Plain values.
#ifndef CARAT_REQUEST_H_
#define CARAT_REQUEST_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "carat/message.h"
#include "carat/sampling_params.h"

namespace carat {

// A shape that the answer must have.
struct OutputConstraint {
  enum class Kind : uint8_t { kNone, kJson, kJsonSchema, kRegex, kGbnf };
  Kind kind = Kind::kNone;
  std::string text;  // the schema, pattern or grammar; empty for kJson
};

struct GenerateRequest {
  // The prompt, in exactly one of three forms: messages, rendered by the
  // model's chat format; plain text, continued as it stands (BOS is added);
  // or token ids, used as they are.
  std::vector<Message> messages;
  std::string prompt;
  std::vector<int32_t> prompt_tokens;

  std::vector<ToolDeclaration> tools;
  ToolChoice tool_choice;
  bool think = false;
  bool preserve_thinking = false;
  // The last message is the beginning of the assistant's answer.
  bool continue_last_message = false;
  OutputConstraint constraint;

  SamplingParams sampling;
  int64_t max_tokens = -1;          // of the whole output; -1: until it ends
  int64_t max_thought_tokens = -1;  // of the thought alone; -1: no own limit
  std::vector<std::string> stop;    // strings that end the answer
  bool ignore_end = false;          // go on after end-of-generation tokens
  // PromptDone tells the probabilities of the prompt's own tokens; needs
  // sampling.logprobs. The prompt is then read slowly, and all of it.
  bool prompt_logprobs = false;

  // Whom the request is for (a key, a connection): callers take turns.
  std::string caller;
  double deadline_s = 0;  // from submission on; then kDeadline. 0: none
};

// One generated token's probabilities, when asked for.
struct TokenProbability {
  int32_t id = -1;
  std::string text;
  float logprob = 0;
  std::vector<std::pair<int32_t, float>> top;  // most likely first
};

struct TextDelta {
  std::string text;
};
struct ThoughtDelta {
  std::string text;
};
struct ToolCallStart {
  int index = 0;
  std::string id, name;
};
struct ToolCallDelta {
  int index = 0;
  std::string arguments;
};
struct ToolCallDone {
  int index = 0;
  ToolCall call;
};

// Right after the prompt has been read.
struct PromptDone {
  int64_t prompt_tokens = 0, cached_tokens = 0;
  // When asked for: of every token of the prompt. Nothing comes before the
  // first one, so it has neither logprob nor top.
  std::vector<TokenProbability> probabilities;
};

enum class FinishReason : uint8_t {
  kStop,  // the model ended its turn
  kStopString,
  kToolCalls,  // the model waits for results
  kMaxTokens,
  kContextFull,
  kCancelled,
  kDeadline,       // the request's time was over
  kRepetition,     // it repeats itself without end
  kMalformedCall,  // it tried to call a tool and wrote no readable call
  kError,
};
// "stop", "stop_string", "tool_calls", "max_tokens", "context_full",
// "cancelled", "deadline", "repetition", "malformed_tool_call" or "error".
const char* FinishReasonName(FinishReason reason);

struct Usage {
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;   // of the prompt, reused from earlier work
  int64_t output_tokens = 0;   // all that was generated
  int64_t thought_tokens = 0;  // of the output
};

struct Timings {
  double queue_ms = 0;
  double prefill_ms = 0;      // from start to the first logits
  double first_token_ms = 0;  // from submission
  double decode_ms = 0;       // from the first token to the last
};

struct Done {
  FinishReason reason = FinishReason::kStop;
  std::string stop_string;  // the one that was found
  std::string error;        // kError, kMalformedCall: a full sentence
  Usage usage;
  Timings timings;
  uint64_t seed = 0;  // the one that was used
};

// Every stream ends with exactly one Done.
using GenerateEvent =
    std::variant<PromptDone, TextDelta, ThoughtDelta, ToolCallStart,
                 ToolCallDelta, ToolCallDone, TokenProbability, Done>;

}  // namespace carat

#endif  // CARAT_REQUEST_H_
