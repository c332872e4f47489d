#include "api/openai/read_responses.h"

#include <fmt/format.h>

#include <utility>

#include "api/openai/read_parts.h"
#include "api/volatile_lines.h"
#include "base/utf8.h"

namespace carat {
namespace {

constexpr int64_t kMaxTopLogprobs = 20;
constexpr const char* kFreeText =
    R"({"type":"object","properties":{"input":{"type":"string"}},)"
    R"("required":["input"]})";

Status RefuseUnsupported(const Json& body) {
  Fields fields(body, "");
  if (fields.Bool("background").value_or(false)) {
    return Unsupported(
        "'background' is not supported: answers are computed while the "
        "client waits.");
  }
  CARAT_RETURN_IF_ERROR(fields.status());
  constexpr std::pair<const char*, const char*> kRefused[] = {
      {"conversation", "send 'previous_response_id' instead"},
      {"prompt", "no prompt templates are stored here"}};
  for (const auto& [name, hint] : kRefused) {
    if (fields.Has(name)) {
      return Unsupported(fmt::format("'{}' is not supported; {}.", name, hint));
    }
  }
  return OkStatus();
}

Status AddTool(const Json& tool, const std::string& where,
               const std::string& name_space, bool custom,
               ResponsesRequest* out) {
  CARAT_RETURN_IF_ERROR(Fields(tool, where).status());
  Json flat = tool;
  const Json* name = tool.Find("name");
  const bool named = name != nullptr && name->is_string();
  const std::string own_name = named ? name->as_string() : "";
  if (named && !own_name.empty()) {
    flat.Set("name", FlatName(name_space, own_name));
  }
  if (custom) flat.Set("parameters", *Json::Parse(kFreeText));
  CARAT_RETURN_IF_ERROR(ReadFunction(flat, where, &out->generate.tools));
  out->tools.push_back({.flat_name = out->generate.tools.back().name,
                        .name_space = name_space,
                        .name = own_name,
                        .custom = custom});
  return OkStatus();
}

Status ReadNamespace(Fields* fields, const std::string& where,
                     ResponsesRequest* out) {
  const std::string name = fields->String("name").value_or("");
  const Json* tools = fields->Array("tools");
  if (name.empty()) fields->Fail("name", "a non-empty string");
  CARAT_RETURN_IF_ERROR(fields->status());
  if (tools == nullptr) return OkStatus();
  for (size_t i = 0; i < tools->as_array().size(); ++i) {
    const std::string place = fmt::format("{}.tools[{}]", where, i);
    Fields member(tools->as_array()[i], place);
    const std::string type = member.String("type").value_or("function");
    CARAT_RETURN_IF_ERROR(member.status());
    if (type != "function" && type != "custom") continue;
    CARAT_RETURN_IF_ERROR(
        AddTool(tools->as_array()[i], place, name, type == "custom", out));
  }
  return OkStatus();
}

Status ReadLogprobs(Fields* fields, ResponsesRequest* out) {
  const auto top = fields->Int("top_logprobs");
  for (const std::string& name : fields->Strings("include")) {
    out->logprobs_wanted |= name == "message.output_text.logprobs";
  }
  CARAT_RETURN_IF_ERROR(fields->status());
  if (top && (*top < 0 || *top > kMaxTopLogprobs)) {
    return InvalidArgument(
        fmt::format("'top_logprobs' must be from 0 to {}, found {}.",
                    kMaxTopLogprobs, *top));
  }
  out->logprobs_wanted |= top.value_or(0) > 0;
  if (out->logprobs_wanted) out->sampling.logprobs = top.value_or(0);
  return OkStatus();
}

// "text": {"format": ..}.
Status ReadTextConfig(Fields* fields, OutputConstraint* constraint) {
  const Json* given = fields->Object("text");
  CARAT_RETURN_IF_ERROR(fields->status());
  if (given == nullptr) return OkStatus();
  Fields text(*given, "text");
  const Json* format = text.Any("format");
  if (format == nullptr) return OkStatus();
  return ReadFormat(*format, "text.format", constraint);
}

// What answers repeat from their request.
Json Echo(const Json& body) {
  const std::pair<const char*, Json> kMembers[] = {
      {"instructions", nullptr},
      {"max_output_tokens", nullptr},
      {"metadata", Json::MakeObject()},
      {"parallel_tool_calls", true},
      {"previous_response_id", nullptr},
      {"reasoning", Json::Object{{"effort", nullptr}, {"summary", nullptr}}},
      {"safety_identifier", nullptr},
      {"prompt_cache_key", nullptr},
      {"text", Json::Object{{"format", Json::Object{{"type", "text"}}}}},
      {"tool_choice", "auto"},
      {"tools", Json::MakeArray()},
      {"top_logprobs", 0},
      {"truncation", "disabled"},
      {"user", nullptr}};
  Json echo = Json::MakeObject();
  for (const auto& [name, fallback] : kMembers) {
    const Json* given = body.Find(name);
    echo.Set(name, given && !given->is_null() ? *given : fallback);
  }
  return echo;
}

}  // namespace

Status ReadResponseTools(const Json& list, ResponsesRequest* out) {
  for (size_t i = 0; i < list.as_array().size(); ++i) {
    const std::string where = fmt::format("tools[{}]", i);
    const Json& tool = list.as_array()[i];
    Fields fields(tool, where);
    const std::string type = fields.String("type").value_or("function");
    CARAT_RETURN_IF_ERROR(fields.status());
    if (type == "function" || type == "custom") {
      CARAT_RETURN_IF_ERROR(AddTool(tool, where, "", type == "custom", out));
    } else if (type == "namespace") {
      CARAT_RETURN_IF_ERROR(ReadNamespace(&fields, where, out));
    }
    // Agents always list OpenAI's hosted tools; without them they still work.
  }
  return OkStatus();
}

Result<ResponsesRequest> ReadResponsesRequest(const Json& body,
                                              ThinkDefault think,
                                              const ItemLookup& items) {
  Fields fields(body, "");
  CARAT_RETURN_IF_ERROR(fields.status());
  CARAT_RETURN_IF_ERROR(RefuseUnsupported(body));
  ResponsesRequest out;
  GenerateRequest& request = out.generate;
  out.model = fields.String("model").value_or("");
  const std::string instructions =
      WithoutVolatileLines(fields.String("instructions").value_or(""));
  if (!instructions.empty()) {
    request.messages.emplace_back(Role::kDeveloper, instructions);
    out.instruction_messages = 1;
  }
  const Json* input = fields.Any("input");
  if (input == nullptr) fields.Fail("input", "a string or an array of items");
  CARAT_RETURN_IF_ERROR(fields.status());
  CARAT_RETURN_IF_ERROR(ReadInput(*input, items, &request.messages));
  DropVolatileLines(&request.messages);
  CARAT_RETURN_IF_ERROR(ReadLogprobs(&fields, &out));
  ReadSampling(&fields, &out.sampling, &request);
  ReadTokenLimit(&fields, "max_output_tokens", &request.max_tokens);
  CARAT_RETURN_IF_ERROR(ReadThinking(&fields, think, &request));
  if (const Json* tools = fields.Array("tools")) {
    CARAT_RETURN_IF_ERROR(ReadResponseTools(*tools, &out));
  }
  if (const Json* choice = fields.Any("tool_choice")) {
    CARAT_RETURN_IF_ERROR(ReadToolChoice(*choice, &request.tool_choice));
  }
  request.tool_choice.allow_parallel =
      fields.Bool("parallel_tool_calls").value_or(true);
  CARAT_RETURN_IF_ERROR(ReadTextConfig(&fields, &request.constraint));
  out.previous_id = fields.String("previous_response_id").value_or("");
  out.stream = fields.Bool("stream").value_or(false);
  out.store = fields.Bool("store").value_or(true);
  CARAT_RETURN_IF_ERROR(fields.status());
  out.echo = Echo(body);
  return out;
}

}  // namespace carat
