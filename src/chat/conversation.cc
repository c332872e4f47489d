#include "chat/conversation.h"

#include <fmt/format.h>

#include "base/utf8.h"
#include "chat/tool_syntax.h"

namespace carat {
namespace {

// The name shown with the `index`th result behind `turn`'s calls.
Result<std::string> AnswerName(const Turn& turn, const ToolResult& result,
                               size_t index, TemplateFaults faults) {
  if (faults == TemplateFaults::kKeep) {
    // The template compares ids and takes the last match; a missing id equals
    // a missing id.
    std::string name = result.name.empty() ? "unknown" : result.name;
    for (const ToolCall* call : turn.calls) {
      if (call->id == result.call_id) name = call->name;
    }
    return name;
  }
  if (!result.call_id.empty()) {
    for (const ToolCall* call : turn.calls) {
      if (call->id == result.call_id) return call->name;
    }
  }
  if (!result.name.empty()) return result.name;
  if (result.call_id.empty() && index < turn.calls.size()) {
    return turn.calls[index]->name;
  }
  return InvalidArgument(fmt::format(
      "A tool result answers the call {}, but the assistant message before it "
      "has {} call(s) and none with that id.",
      QuoteForMessage(result.call_id), turn.calls.size()));
}

Status AddResults(const Message& message, TemplateFaults faults,
                  std::vector<Turn>* turns) {
  for (const Part& part : message.parts) {
    const ToolResult* result = std::get_if<ToolResult>(&part);
    if (result == nullptr) {
      return InvalidArgument(
          "A tool message may hold nothing but tool results.");
    }
    if (turns->empty() || turns->back().calls.empty()) {
      if (faults == TemplateFaults::kKeep) continue;  // silently dropped there
      return InvalidArgument(
          "A tool result answers no call: tool messages must directly follow "
          "the assistant message whose calls they answer.");
    }
    Turn& turn = turns->back();
    CARAT_ASSIGN_OR_RETURN(
        std::string name,
        AnswerName(turn, *result, turn.results.size(), faults));
    turn.results.push_back({std::move(name), result});
  }
  return OkStatus();
}

Status AddPart(const Part& part, Turn* turn) {
  if (const Thought* thought = std::get_if<Thought>(&part)) {
    turn->thought += thought->text;
  } else if (const ToolCall* call = std::get_if<ToolCall>(&part)) {
    if (turn->role != Role::kAssistant) {
      return InvalidArgument(
          fmt::format("A message of role {} holds a tool call; only the "
                      "assistant calls tools.",
                      RoleName(turn->role)));
    }
    CARAT_ASSIGN_OR_RETURN(ExactJson arguments, ParseArguments(*call));
    turn->calls.push_back(call);
    turn->arguments.push_back(std::move(arguments));
  } else if (std::holds_alternative<ToolResult>(part)) {
    return InvalidArgument(
        fmt::format("A message of role {} holds a tool result; results belong "
                    "into tool messages.",
                    RoleName(turn->role)));
  } else {
    turn->content.push_back(&part);
  }
  return OkStatus();
}

}  // namespace

std::string Turn::text() const {
  std::string joined;
  for (const Part* part : content) {
    if (const Text* text = std::get_if<Text>(part)) joined += text->text;
  }
  return joined;
}

Result<std::vector<Turn>> SortIntoTurns(std::span<const Message> messages,
                                        TemplateFaults faults) {
  std::vector<Turn> turns;
  for (const Message& message : messages) {
    if (message.role == Role::kTool) {
      CARAT_RETURN_IF_ERROR(AddResults(message, faults, &turns));
      continue;
    }
    turns.emplace_back();
    turns.back().role = message.role;
    for (const Part& part : message.parts) {
      CARAT_RETURN_IF_ERROR(AddPart(part, &turns.back()));
    }
  }
  return turns;
}

Result<ExactJson> ResultValue(const ToolResult& result, bool parse_json) {
  if (!result.json.empty()) {
    Result<ExactJson> value = ExactJson::Parse(result.json);
    if (value.ok()) return value;
    return InvalidArgument(fmt::format("The result of the tool {} is {}",
                                       QuoteForMessage(result.name),
                                       value.status().message()));
  }
  if (parse_json) {
    Result<ExactJson> value = ExactJson::Parse(result.content);
    if (value.ok() && value->is_object()) return value;
  }
  return ExactJson::String(result.content);
}

}  // namespace carat
