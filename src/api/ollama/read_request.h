// The bodies of /api/chat and /api/generate.
#ifndef CARAT_API_OLLAMA_READ_REQUEST_H_
#define CARAT_API_OLLAMA_READ_REQUEST_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/model_traits.h"
#include "base/json.h"
#include "base/status.h"
#include "carat/request.h"

namespace carat {

// What is read before the model is loaded.
struct OllamaHead {
  std::string model;
  bool stream = true;
  std::optional<int64_t> keep_alive_s;  // < 0: for ever
  bool empty = false;                   // nothing to answer: load or unload
  bool render_only = false;
};
Result<OllamaHead> ReadOllamaHead(const Json& body);

// How long a model stays: a number of seconds or a duration like "5m".
Result<std::optional<int64_t>> ReadKeepAlive(const Json* value);

struct OllamaRequest {
  GenerateRequest generate;
  bool raw = false;        // "prompt" goes to the model as it is
  std::string raw_prompt;  // of a raw request
  std::optional<int> logprobs;
};
Result<OllamaRequest> ReadOllamaChat(const Json& body,
                                     const ModelTraits& traits);
Result<OllamaRequest> ReadOllamaGenerate(const Json& body,
                                         const ModelTraits& traits);

// The array "messages". Errors name the place.
Result<std::vector<Message>> ReadOllamaMessages(const Json& messages,
                                                const ModelTraits& traits);
// Pictures, and sounds by their first bytes, from base64. `where` names the
// array in errors.
Result<std::vector<Media>> ReadOllamaImages(const Json& images,
                                            const std::string& where,
                                            const ModelTraits& traits);

}  // namespace carat

#endif  // CARAT_API_OLLAMA_READ_REQUEST_H_
