// What a protocol has to know of a loaded model to read a request for it.
#ifndef CARAT_API_MODEL_TRAITS_H_
#define CARAT_API_MODEL_TRAITS_H_

#include <string>
#include <string_view>
#include <vector>

#include "api/model_host.h"
#include "carat/message.h"
#include "carat/request.h"
#include "carat/sampling_params.h"
#include "runtime/model_info.h"

namespace carat {

struct ModelTraits {
  std::string name;
  SamplingParams sampling;  // the model's own
  bool chat = true;         // has a chat format
  bool tools = false;
  bool thinking = false;
  bool vision = false;
  bool audio = false;
};

ModelTraits TraitsOf(const ModelLease& lease);
ModelTraits TraitsOf(const HostedModel& model, const ModelInfo& info);

// Whether the model can take in media of this kind.
bool Takes(const ModelTraits& traits, MediaKind kind);
// "an image", "a sound", "a video".
const char* MediaKindPhrase(MediaKind kind);

// How much to think. Gemma knows on and off; limits of the thought make the
// levels in between.
enum class ThinkingLevel { kOff, kLow, kMedium, kHigh };

// Sets `think` and `max_thought_tokens`: low 1,024 tokens, medium 8,192, high
// without a limit.
void ApplyThinking(ThinkingLevel level, GenerateRequest* request);

}  // namespace carat

#endif  // CARAT_API_MODEL_TRAITS_H_
