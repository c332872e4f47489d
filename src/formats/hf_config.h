// The small JSON files beside a Hugging Face checkpoint, from memory.
#ifndef CARAT_FORMATS_HF_CONFIG_H_
#define CARAT_FORMATS_HF_CONFIG_H_

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/status.h"

namespace carat {

// config.json, generation_config.json and the like: one JSON object of at
// most 8 MiB.
Result<Json> ParseConfigJson(std::string_view text);

// The chat template inside tokenizer_config.json or chat_template.json: a
// string, or a list of named templates of which "default" (or the only one)
// counts. Empty when there is none.
Result<std::string> ChatTemplateOf(const Json& config);

}  // namespace carat

#endif  // CARAT_FORMATS_HF_CONFIG_H_
