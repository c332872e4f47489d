// What the requests of OpenAI's three generating endpoints have in common.
#ifndef CARAT_API_OPENAI_READ_PARTS_H_
#define CARAT_API_OPENAI_READ_PARTS_H_

#include <string>
#include <string_view>
#include <vector>

#include "api/fields.h"
#include "api/openai/read_request.h"
#include "api/sampling_fields.h"
#include "base/json.h"
#include "base/status.h"
#include "carat/request.h"

namespace carat {

// Content as a string or as parts: text, input_text, output_text and refusal
// become Text; anything else is an error that names the part.
Status ReadContent(const Json& content, const std::string& where,
                   std::vector<Part>* parts);
// The same for a tool's result, which the model reads as one string.
Status ReadResultContent(const Json& content, const std::string& where,
                         std::string* text);
// The "messages" of a chat request.
Result<std::vector<Message>> ReadChatMessages(const Json& list);

// temperature, top_p, penalties, seed, logit_bias, stop and the extras of
// local servers: top_k, min_p, repeat_penalty.
void ReadSampling(Fields* fields, SamplingFields* sampling,
                  GenerateRequest* request);
// reasoning_effort, reasoning.effort, chat_template_kwargs and budgets.
Status ReadThinking(Fields* fields, ThinkDefault fallback,
                    GenerateRequest* request);
// Switches thinking by OpenAI's name of an effort; `path` is for the error.
Status SetEffort(const std::string& effort, const std::string& path,
                 GenerateRequest* request);
// A member that must be a count; -1 means no limit, as in llama.cpp.
void ReadTokenLimit(Fields* fields, std::string_view name, int64_t* limit);

// "tools" of a chat request.
Status ReadChatTools(const Json& list, std::vector<ToolDeclaration>* tools);
// One {"name", "description", "parameters"}.
Status ReadFunction(const Json& function, const std::string& where,
                    std::vector<ToolDeclaration>* tools);
// "tool_choice" in the spellings of chat and of responses.
Status ReadToolChoice(const Json& choice, ToolChoice* out);
// "response_format" or "text.format", with llama.cpp's shorter spellings.
Status ReadFormat(const Json& format, const std::string& where,
                  OutputConstraint* constraint);

}  // namespace carat

#endif  // CARAT_API_OPENAI_READ_PARTS_H_
