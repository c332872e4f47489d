// The options of `run` and `chat` that say how tokens are chosen and when a
// generation ends. What is not given comes from the model's own defaults.
#ifndef CARAT_CLI_SAMPLING_OPTIONS_H_
#define CARAT_CLI_SAMPLING_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "carat/request.h"

namespace CLI {
class App;
}  // namespace CLI

namespace carat {

struct SamplingArguments {
  std::optional<float> temperature, top_p, min_p;
  std::optional<float> repeat_penalty, presence_penalty, frequency_penalty;
  std::optional<int> top_k, penalty_window;
  std::optional<int64_t> seed;
  std::optional<int64_t> max_tokens;
  std::vector<std::string> stop;
  std::vector<std::string> logit_bias;  // "ID=VALUE"
  bool ignore_end = false;
};

void AddSamplingOptions(CLI::App& command, SamplingArguments* arguments);

// Writes `defaults`, changed by what was given, into the request. Escapes in
// stop strings (\n, \t, \\) are resolved.
Status ApplySampling(const SamplingArguments& arguments,
                     const SamplingParams& defaults, GenerateRequest* request);

}  // namespace carat

#endif  // CARAT_CLI_SAMPLING_OPTIONS_H_
