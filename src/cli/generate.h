// One generation on behalf of a person: streams, listens to Ctrl-C, counts.
#ifndef CARAT_CLI_GENERATE_H_
#define CARAT_CLI_GENERATE_H_

#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "carat/request.h"
#include "runtime/engine.h"

namespace carat {

// Submits the request and hands every event to `sink` until Done. Ctrl-C and a
// sink that returns false cancel it. Needs no InterruptGuard outside.
Result<Done> RunGeneration(
    Engine& engine, const GenerateRequest& request,
    const std::function<bool(const GenerateEvent&)>& sink);

// Where the thoughts of an answer go.
enum class Thoughts { kHide, kShow };
// Whether the text of an answer is written at all.
enum class Answers { kPrint, kKeep };

// Writes text to stdout as it comes (thoughts, when shown, to stderr) and
// remembers all of it as a message.
class AnswerPrinter {
 public:
  explicit AnswerPrinter(Thoughts thoughts, Answers answers = Answers::kPrint)
      : thoughts_(thoughts), answers_(answers) {}
  // False when the reader of stdout has gone.
  bool operator()(const GenerateEvent& event);
  // A newline, unless the text ended with one.
  void EndLine();

  std::string text() const { return message_.text(); }
  // Thought, text and calls in the order they came; the role is the
  // assistant's.
  const Message& message() const { return message_; }
  std::vector<ToolCall> calls() const;

 private:
  void EndThought();

  const Thoughts thoughts_;
  const Answers answers_;
  bool thought_open_ = false;  // its line on stderr has no newline yet
  Message message_ = {Role::kAssistant, std::vector<Part>()};
};

// {"id":"...","name":"...","arguments":{...}}, the arguments as the model
// wrote them.
std::string CallLine(const ToolCall& call);

// "[12 prompt tokens, 310 tokens/s; 87 tokens, 61.2 tokens/s; first after
// 0.21 s]"
std::string TimingLine(const Done& done);
// Tokens per second of either phase; 0 when nothing was timed.
double PrefillSpeed(const Done& done);
double DecodeSpeed(const Done& done);
// finish_reason, usage, timings and seed as members of `out`.
void DoneToJson(const Done& done, Json* out);

}  // namespace carat

#endif  // CARAT_CLI_GENERATE_H_
