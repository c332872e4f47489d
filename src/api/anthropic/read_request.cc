#include "api/anthropic/read_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/utf8.h"

namespace carat {
namespace {

Status ReadTools(const Json& list, std::vector<ToolDeclaration>* tools) {
  for (size_t i = 0; i < list.as_array().size(); ++i) {
    const std::string where = fmt::format("tools[{}]", i);
    Fields fields(list.as_array()[i], where);
    const std::string type = fields.String("type").value_or("custom");
    CARAT_RETURN_IF_ERROR(fields.status());
    if (type != "custom") {
      return Unsupported(fmt::format(
          "'{}.type' is {}, a tool of Anthropic's own that this server does "
          "not have; declare it with a name and an input_schema, or remove it.",
          where, QuoteForMessage(type)));
    }
    ToolDeclaration tool;
    tool.name = fields.String("name").value_or("");
    if (tool.name.empty()) fields.Fail("name", "a non-empty string");
    tool.description = fields.String("description").value_or("");
    if (const Json* schema = fields.Object("input_schema")) {
      tool.parameters = schema->Dump();
    }
    CARAT_RETURN_IF_ERROR(fields.status());
    const bool known =
        std::any_of(tools->begin(), tools->end(),
                    [&](const auto& t) { return t.name == tool.name; });
    if (known) {
      return InvalidArgument(fmt::format(
          "'{}.name' is {}, the name of an earlier tool; names must differ.",
          where, QuoteForMessage(tool.name)));
    }
    tools->push_back(std::move(tool));
  }
  return OkStatus();
}

Status ReadToolChoice(const Json& json, ToolChoice* choice) {
  Fields fields(json, "tool_choice");
  const std::string type = fields.String("type").value_or("");
  choice->allow_parallel =
      !fields.Bool("disable_parallel_tool_use").value_or(false);
  const std::string name = fields.String("name").value_or("");
  if (type == "tool" && name.empty()) fields.Fail("name", "a tool's name");
  CARAT_RETURN_IF_ERROR(fields.status());
  if (type == "auto") {
    choice->mode = ToolChoice::Mode::kAuto;
  } else if (type == "none") {
    choice->mode = ToolChoice::Mode::kNone;
  } else if (type == "any" || type == "tool") {
    choice->mode = ToolChoice::Mode::kRequired;
    if (type == "tool") choice->names.push_back(name);
  } else {
    return InvalidArgument(fmt::format(
        "'tool_choice.type' must be auto, any, tool or none, found {}.",
        QuoteForMessage(type)));
  }
  return OkStatus();
}

// Gemma knows no efforts: they become budgets.
Result<int64_t> EffortBudget(const std::string& effort) {
  constexpr std::pair<std::string_view, int64_t> kEfforts[] = {{"low", 1024},
                                                               {"medium", 8192},
                                                               {"high", 24576},
                                                               {"xhigh", -1},
                                                               {"max", -1}};
  for (const auto& [name, budget] : kEfforts) {
    if (effort == name) return budget;
  }
  return InvalidArgument(fmt::format(
      "'output_config.effort' must be low, medium, high, xhigh or max, found "
      "{}.",
      QuoteForMessage(effort)));
}

Status ReadThinking(const Json& json, MessagesRequest* out) {
  Fields fields(json, "thinking");
  const std::string type = fields.String("type").value_or("");
  const auto budget = fields.Int("budget_tokens");
  out->omit_thoughts = fields.String("display").value_or("") == "omitted";
  CARAT_RETURN_IF_ERROR(fields.status());
  if (type == "disabled") return OkStatus();
  if (type != "enabled" && type != "adaptive" && type != "between_tools") {
    return InvalidArgument(fmt::format(
        "'thinking.type' must be enabled, adaptive or disabled, found {}.",
        QuoteForMessage(type)));
  }
  out->generate.think = true;
  if (budget && *budget < 1) {
    return InvalidArgument(fmt::format(
        "'thinking.budget_tokens' must be positive, found {}.", *budget));
  }
  if (budget) out->generate.max_thought_tokens = *budget;
  return OkStatus();
}

Status ReadFormat(const Json& json, const std::string& where,
                  OutputConstraint* constraint) {
  Fields fields(json, where);
  const std::string type = fields.String("type").value_or("");
  CARAT_RETURN_IF_ERROR(fields.status());
  if (type != "json_schema") {
    return InvalidArgument(
        fmt::format("'{}.type' must be json_schema, found {}.", where,
                    QuoteForMessage(type)));
  }
  const Json* schema = fields.Object("schema");
  if (schema == nullptr) fields.Fail("schema", "an object");
  CARAT_RETURN_IF_ERROR(fields.status());
  *constraint = {OutputConstraint::Kind::kJsonSchema, schema->Dump()};
  return OkStatus();
}

Status ReadOutputConfig(const Json& json, GenerateRequest* request) {
  Fields fields(json, "output_config");
  const auto effort = fields.String("effort");
  const Json* format = fields.Object("format");
  CARAT_RETURN_IF_ERROR(fields.status());
  if (effort) {
    CARAT_ASSIGN_OR_RETURN(const int64_t budget, EffortBudget(*effort));
    // A budget in numbers says more.
    if (request->max_thought_tokens < 0) request->max_thought_tokens = budget;
  }
  if (format == nullptr) return OkStatus();
  return ReadFormat(*format, "output_config.format", &request->constraint);
}

Status ReadLimits(Fields* fields, MessagesRequest* out) {
  const auto limit = fields->Int("max_tokens");
  CARAT_RETURN_IF_ERROR(fields->status());
  if (limit && *limit < 1) {
    return InvalidArgument(
        fmt::format("'max_tokens' must be positive, found {}.", *limit));
  }
  out->generate.max_tokens = limit.value_or(-1);
  out->generate.stop = fields->Strings("stop_sequences");
  out->stream = fields->Bool("stream").value_or(false);
  out->sampling.temperature = fields->Number("temperature");
  out->sampling.top_p = fields->Number("top_p");
  out->sampling.top_k = fields->Int("top_k");
  out->sampling.seed = fields->Int("seed");  // not Anthropic's: local
  const Json* servers = fields->Array("mcp_servers");
  CARAT_RETURN_IF_ERROR(fields->status());
  if (servers != nullptr && !servers->as_array().empty()) {
    return Unsupported(
        "'mcp_servers' is not supported: this server calls no others; declare "
        "their tools in 'tools'.");
  }
  return OkStatus();
}

}  // namespace

Result<MessagesRequest> ReadMessagesRequest(const Json& body) {
  Fields fields(body, "");
  CARAT_RETURN_IF_ERROR(fields.status());
  MessagesRequest out;
  GenerateRequest& request = out.generate;
  out.model = fields.String("model").value_or("");
  CARAT_RETURN_IF_ERROR(ReadAnthropicMessages(&fields, &request.messages));
  CARAT_RETURN_IF_ERROR(ReadLimits(&fields, &out));
  if (const Json* tools = fields.Array("tools")) {
    CARAT_RETURN_IF_ERROR(ReadTools(*tools, &request.tools));
  }
  if (const Json* choice = fields.Object("tool_choice")) {
    CARAT_RETURN_IF_ERROR(ReadToolChoice(*choice, &request.tool_choice));
  }
  if (const Json* thinking = fields.Object("thinking")) {
    CARAT_RETURN_IF_ERROR(ReadThinking(*thinking, &out));
  }
  if (const Json* config = fields.Object("output_config")) {
    CARAT_RETURN_IF_ERROR(ReadOutputConfig(*config, &request));
  }
  if (const Json* format = fields.Object("output_format")) {
    CARAT_RETURN_IF_ERROR(
        ReadFormat(*format, "output_format", &request.constraint));
  }
  CARAT_RETURN_IF_ERROR(fields.status());
  // A last message of the assistant's is the beginning of the answer.
  const Message& last = request.messages.back();
  request.continue_last_message =
      last.role == Role::kAssistant && !last.has_tool_calls();
  return out;
}

}  // namespace carat
