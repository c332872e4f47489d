// One generation on behalf of a person: streams, listens to Ctrl-C, counts.
#ifndef CARAT_CLI_GENERATE_H_
#define CARAT_CLI_GENERATE_H_

#include <functional>
#include <string>

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

// Writes text to stdout as it comes and remembers all of it.
class TextPrinter {
 public:
  // False when the reader of stdout has gone.
  bool operator()(const GenerateEvent& event);
  const std::string& text() const { return text_; }
  // A newline, unless the text ended with one.
  void EndLine() const;

 private:
  std::string text_;
};

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
