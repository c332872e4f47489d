// From generated tokens to events: thoughts, text and tool calls told apart,
// stop strings found, endless repetition noticed. One per generation, used by
// the engine's thread.
#ifndef CARAT_RUNTIME_OUTPUT_PIPELINE_H_
#define CARAT_RUNTIME_OUTPUT_PIPELINE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "carat/request.h"
#include "chat/output_parser.h"
#include "sampling/stop.h"
#include "tokenizer/tokenizer.h"

namespace carat {

// Notices that the last tokens are one short sequence over and over.
class RepetitionDetector {
 public:
  // True once some period of at most kMaxPeriod tokens has repeated for
  // kMinTokens tokens and kMinTimes times.
  bool Add(TokenId id);
  static constexpr int kMaxPeriod = 64;
  static constexpr int kMinTokens = 512;
  static constexpr int kMinTimes = 8;

 private:
  std::vector<TokenId> last_;  // ring of kMaxPeriod tokens
  int64_t count_ = 0;
  std::vector<int> run_ = std::vector<int>(kMaxPeriod + 1, 0);  // by period
};

class OutputPipeline {
 public:
  using Emit = std::function<void(GenerateEvent)>;

  struct Options {
    const ChatFormat* format = nullptr;  // null: plain text
    OutputState state = OutputState::kContent;
    std::string call_id_prefix;
  };
  // Errors: invalid stop strings.
  static Result<std::unique_ptr<OutputPipeline>> Create(
      const GenerateRequest& request, const Tokenizer* tokenizer,
      const Options& options, Emit emit);

  // Takes one token (not an ending one). Afterwards `finished()` may be set.
  void Add(TokenId id);
  // The end-of-generation token `id` was chosen.
  void AddEnd(TokenId id);
  // The output ends from outside.
  void Cut(FinishReason reason);

  bool IsEnd(TokenId id) const { return stop_.IsStopToken(id); }
  const std::optional<FinishReason>& finished() const { return finished_; }
  const std::string& error() const { return error_; }
  std::string stop_string() const;
  bool in_thought() const;
  int64_t thought_tokens() const { return thought_tokens_; }

 private:
  OutputPipeline(StopRules stop, Emit emit)
      : stop_(std::move(stop)), emit_(std::move(emit)) {}
  // Emits what the parser found; returns the answer's text.
  void Deliver(std::vector<OutputEvent> events);
  void EmitText(std::string text);
  void Finish(FinishReason reason);
  void EndParser(OutputParser::Cut cut);

  const Tokenizer* tokenizer_ = nullptr;
  StopRules stop_;
  Emit emit_;
  std::optional<OutputParser> parser_;
  StreamDecoder decoder_{nullptr};
  RepetitionDetector repetition_;
  bool watch_repetition_ = true;
  std::vector<std::string> stop_strings_;
  std::string call_id_prefix_;
  std::vector<std::string> call_names_;
  int64_t thought_tokens_ = 0;
  std::optional<FinishReason> finished_;
  std::string error_;
};

}  // namespace carat

#endif  // CARAT_RUNTIME_OUTPUT_PIPELINE_H_
