// When a generation ends: a stop token, a stop string in the decoded text, or
// the token limit. Stop strings are found wherever token borders fall; text
// that could be the beginning of one is held back until that is decided, so
// nothing at or behind a stop string is ever emitted, and what is emitted never
// ends inside a UTF-8 character. One owner, one thread.
#ifndef CARAT_SAMPLING_STOP_H_
#define CARAT_SAMPLING_STOP_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace carat {

// Watches a stream of text. The stop string that is complete first, byte by
// byte, wins (of several complete at the same byte, the longest), so the result
// does not depend on how the text was cut into pieces.
class StopStrings {
 public:
  // Errors: an empty or overlong string, too many, or invalid UTF-8.
  static Result<StopStrings> Create(const std::vector<std::string>& stops);

  // Takes the next piece of text and returns what may be shown now. After a
  // match: nothing more.
  std::string Add(std::string_view piece);
  // The text ended without a stop string: returns what was held back. An
  // incomplete character at the very end becomes U+FFFD.
  std::string Flush();

  bool matched() const { return matched_ >= 0; }
  // Index of the stop string found, or -1.
  int matched_index() const { return matched_; }

 private:
  struct Pattern {
    std::string text;
    // fail[n]: length of the longest proper border of the first n bytes
    // (Knuth, Morris, Pratt).
    std::vector<uint32_t> fail;
    uint32_t state = 0;  // bytes of text that the stream's end matches
  };
  static Pattern MakePattern(const std::string& text);
  static bool Step(Pattern* pattern, char byte);
  size_t HeldBack() const;

  std::vector<Pattern> patterns_;
  std::string pending_;
  int matched_ = -1;
};

enum class StopReason {
  kNone,
  kStopToken,
  kStopString,
  kMaxTokens,
};

// All the rules together, for one generation.
class StopRules {
 public:
  // max_tokens < 0: no limit.
  static Result<StopRules> Create(const std::vector<std::string>& strings,
                                  std::vector<int32_t> tokens,
                                  int64_t max_tokens);

  // Before a token's text is shown: true when it ends the generation; its text
  // is then not to be added.
  bool IsStopToken(int32_t token) const;
  // Counts one generated token with its newly complete text; returns what may
  // be shown. Look at reason() afterwards.
  std::string Add(std::string_view text);
  // Ends on a stop token. Returns text that was held back.
  std::string FinishOnToken();
  // Ends for another reason (limit, cancel): returns text held back, unless a
  // stop string was found. `tail`: what the detokenizer still held.
  std::string Finish(std::string_view tail = {});

  StopReason reason() const { return reason_; }
  int64_t tokens() const { return count_; }
  // The stop string found, as an index into the list; -1 when none.
  int matched_index() const { return strings_.matched_index(); }

 private:
  StopStrings strings_;
  std::vector<int32_t> tokens_;  // sorted
  int64_t max_tokens_ = -1;
  int64_t count_ = 0;
  StopReason reason_ = StopReason::kNone;
};

}  // namespace carat

#endif  // CARAT_SAMPLING_STOP_H_
