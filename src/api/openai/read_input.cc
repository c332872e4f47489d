#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "api/openai/read_parts.h"
#include "api/openai/read_responses.h"
#include "base/utf8.h"

namespace carat {
namespace {

// History of tools that run at OpenAI: nothing the model here can use.
constexpr std::string_view kSkipped[] = {"web_search_call",
                                         "file_search_call",
                                         "computer_call",
                                         "computer_call_output",
                                         "code_interpreter_call",
                                         "image_generation_call",
                                         "local_shell_call",
                                         "local_shell_call_output",
                                         "shell_call",
                                         "shell_call_output",
                                         "apply_patch_call",
                                         "apply_patch_call_output",
                                         "mcp_list_tools",
                                         "mcp_approval_request",
                                         "mcp_approval_response",
                                         "mcp_call",
                                         "tool_search_call",
                                         "tool_search_output",
                                         "compaction"};

// Thoughts, texts and calls of one turn are items of their own; here they
// are parts of one message.
Message* AssistantTurn(std::vector<Message>* messages) {
  if (messages->empty() || messages->back().role != Role::kAssistant) {
    messages->emplace_back(Role::kAssistant, std::vector<Part>());
  }
  return &messages->back();
}

Status ReadMessageItem(Fields* fields, const std::string& where,
                       std::vector<Message>* messages) {
  const std::string name = fields->String("role").value_or("");
  CARAT_RETURN_IF_ERROR(fields->status());
  constexpr std::pair<std::string_view, Role> kRoles[] = {
      {"user", Role::kUser},
      {"assistant", Role::kAssistant},
      {"system", Role::kSystem},
      {"developer", Role::kDeveloper}};
  const auto* role =
      std::find_if(std::begin(kRoles), std::end(kRoles),
                   [&](const auto& known) { return known.first == name; });
  if (role == std::end(kRoles)) {
    return InvalidArgument(fmt::format(
        "'{}.role' must be user, assistant, system or developer, found {}.",
        where, QuoteForMessage(name)));
  }
  const Json* content = fields->Any("content");
  if (content == nullptr) {
    fields->Fail("content", "a string or an array of parts");
    return fields->status();
  }
  std::vector<Part> parts;
  CARAT_RETURN_IF_ERROR(ReadContent(*content, where + ".content", &parts));
  if (role->second == Role::kAssistant) {
    Message* turn = AssistantTurn(messages);
    for (Part& part : parts) turn->parts.push_back(std::move(part));
  } else {
    messages->emplace_back(role->second, std::move(parts));
  }
  return OkStatus();
}

Status ReadCallItem(Fields* fields, bool custom,
                    std::vector<Message>* messages) {
  ToolCall call;
  call.id = fields->String("call_id").value_or("");
  const std::string name = fields->String("name").value_or("");
  if (name.empty()) fields->Fail("name", "a non-empty string");
  call.name = FlatName(fields->String("namespace").value_or(""), name);
  if (custom) {
    const std::string input = fields->String("input").value_or("");
    call.arguments = Json(Json::Object{{"input", input}}).Dump();
  } else {
    call.arguments = fields->String("arguments").value_or("");
  }
  CARAT_RETURN_IF_ERROR(fields->status());
  AssistantTurn(messages)->parts.emplace_back(std::move(call));
  return OkStatus();
}

Status ReadOutputItem(Fields* fields, const std::string& where,
                      std::vector<Message>* messages) {
  ToolResult result;
  result.call_id = fields->String("call_id").value_or("");
  const Json* output = fields->Any("output");
  if (output == nullptr) {
    fields->Fail("output", "a string or an array of parts");
  }
  CARAT_RETURN_IF_ERROR(fields->status());
  CARAT_RETURN_IF_ERROR(
      ReadResultContent(*output, where + ".output", &result.content));
  if (messages->empty() || messages->back().role != Role::kTool) {
    messages->emplace_back(Role::kTool, std::vector<Part>());
  }
  messages->back().parts.emplace_back(std::move(result));
  return OkStatus();
}

// The thought stands in "content"; answers of this server and of others that
// hide it have it in "summary".
Status ReadReasoningItem(Fields* fields, const std::string& where,
                         std::vector<Message>* messages) {
  std::vector<Part> parts;
  for (const char* name : {"content", "summary"}) {
    const Json* list = fields->Array(name);
    CARAT_RETURN_IF_ERROR(fields->status());
    if (list == nullptr || !parts.empty()) continue;
    CARAT_RETURN_IF_ERROR(
        ReadContent(*list, fmt::format("{}.{}", where, name), &parts));
  }
  std::string thought;
  for (const Part& part : parts) thought += std::get<Text>(part).text;
  if (!thought.empty()) {
    AssistantTurn(messages)->parts.emplace_back(Thought{std::move(thought)});
  }
  return OkStatus();
}

Status ReadItem(const Json& item, const std::string& where,
                const ItemLookup& items, std::vector<Message>* messages) {
  Fields fields(item, where);
  const std::string type = fields.String("type").value_or("message");
  CARAT_RETURN_IF_ERROR(fields.status());
  if (type == "message") return ReadMessageItem(&fields, where, messages);
  if (type == "function_call" || type == "custom_tool_call") {
    return ReadCallItem(&fields, type == "custom_tool_call", messages);
  }
  if (type == "function_call_output" || type == "custom_tool_call_output") {
    return ReadOutputItem(&fields, where, messages);
  }
  if (type == "reasoning") return ReadReasoningItem(&fields, where, messages);
  if (type == "item_reference") {
    const std::string id = fields.String("id").value_or("");
    CARAT_RETURN_IF_ERROR(fields.status());
    const std::optional<Json> found = items(id);
    if (!found) {
      return InvalidArgument(fmt::format(
          "'{}' refers to {}, which is not stored here (any more); send the "
          "item itself.",
          where, QuoteForMessage(id)));
    }
    // What is stored came from this server and refers to nothing.
    return ReadItem(
        *found, where, [](const std::string&) { return std::nullopt; },
        messages);
  }
  if (std::find(std::begin(kSkipped), std::end(kSkipped), type) !=
      std::end(kSkipped)) {
    return OkStatus();
  }
  return Unsupported(
      fmt::format("'{}.type' is {}, which this server does not "
                  "know; remove the item.",
                  where, QuoteForMessage(type)));
}

}  // namespace

std::string FlatName(const std::string& name_space, const std::string& name) {
  return name_space.empty() ? name : name_space + "." + name;
}

Status ReadInput(const Json& input, const ItemLookup& items,
                 std::vector<Message>* messages) {
  if (input.is_string()) {
    messages->emplace_back(Role::kUser, input.as_string());
    return OkStatus();
  }
  if (!input.is_array()) {
    return InvalidArgument(
        fmt::format("'input' must be a string or an array of items, found {}.",
                    input.type_name()));
  }
  for (size_t i = 0; i < input.as_array().size(); ++i) {
    CARAT_RETURN_IF_ERROR(ReadItem(
        input.as_array()[i], fmt::format("input[{}]", i), items, messages));
  }
  return OkStatus();
}

}  // namespace carat
