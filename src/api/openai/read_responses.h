// Bodies of POST /v1/responses.
#ifndef CARAT_API_OPENAI_READ_RESPONSES_H_
#define CARAT_API_OPENAI_READ_RESPONSES_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "api/openai/read_request.h"
#include "base/json.h"
#include "base/status.h"

namespace carat {

// How a tool was declared, for giving its calls back the same way. The model
// knows every tool as a function under its flat name: "namespace.name".
struct ResponseTool {
  std::string flat_name;
  std::string name_space;  // empty: none
  std::string name;
  bool custom = false;  // takes free text: one argument, "input"
};

struct ResponsesRequest {
  std::string model;
  GenerateRequest generate;  // messages: the instructions, then the input
  SamplingFields sampling;
  std::vector<ResponseTool> tools;
  // How many messages at the front are this request's instructions: they are
  // not carried over to the next.
  size_t instruction_messages = 0;
  std::string previous_id;  // empty: none
  bool stream = false;
  bool store = true;
  bool logprobs_wanted = false;
  Json echo;  // members that the answer repeats
};

// Finds an item that {"type": "item_reference"} names.
using ItemLookup = std::function<std::optional<Json>(const std::string& id)>;

Result<ResponsesRequest> ReadResponsesRequest(const Json& body,
                                              ThinkDefault think,
                                              const ItemLookup& items);

// The "input" of a request as messages.
Status ReadInput(const Json& input, const ItemLookup& items,
                 std::vector<Message>* messages);
// "tools": functions, namespaces and custom tools; tools that OpenAI itself
// would run are left out.
Status ReadResponseTools(const Json& list, ResponsesRequest* out);

// The flat name of a tool in a namespace.
std::string FlatName(const std::string& name_space, const std::string& name);

}  // namespace carat

#endif  // CARAT_API_OPENAI_READ_RESPONSES_H_
