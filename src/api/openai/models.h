// GET /v1/models and /v1/models/{id}.
#ifndef CARAT_API_OPENAI_MODELS_H_
#define CARAT_API_OPENAI_MODELS_H_

#include <string>

#include "api/model_host.h"
#include "base/json.h"
#include "base/status.h"

namespace carat {

// One body for the clients of OpenAI, Anthropic and Gemini v1, who all ask
// here. The context length stands under every name that agents look for.
Json ModelList(ModelHost* host);
Result<Json> ModelEntry(ModelHost* host, const std::string& name);

}  // namespace carat

#endif  // CARAT_API_OPENAI_MODELS_H_
