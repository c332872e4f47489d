#include "api/gemini/read_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "api/fields.h"
#include "api/gemini/schema.h"
#include "api/sampling_fields.h"
#include "base/utf8.h"

namespace carat {
namespace {

constexpr Fields::Style kProto = Fields::Style::kProto;
constexpr int64_t kMostCandidates = 8;
constexpr int64_t kMostLogprobs = 20;

std::string Upper(std::string text) {
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return text;
}

Status ReadToolConfig(Fields& body, GenerateRequest* out) {
  const Json* found = body.Object("toolConfig");
  CARAT_RETURN_IF_ERROR(body.status());
  if (found == nullptr) return OkStatus();
  Fields config(*found, "toolConfig", kProto);
  const Json* calling = config.Object("functionCallingConfig");
  CARAT_RETURN_IF_ERROR(config.status());
  if (calling == nullptr) return OkStatus();
  Fields fields(*calling, "toolConfig.functionCallingConfig", kProto);
  const std::string mode = Upper(fields.String("mode").value_or(""));
  out->tool_choice.names = fields.Strings("allowedFunctionNames");
  CARAT_RETURN_IF_ERROR(fields.status());
  if (mode == "ANY") {
    out->tool_choice.mode = ToolChoice::Mode::kRequired;
  } else if (mode == "NONE") {
    out->tool_choice.mode = ToolChoice::Mode::kNone;
    out->tool_choice.names.clear();
  } else if (mode.empty() || mode == "AUTO" || mode == "VALIDATED" ||
             mode == "MODE_UNSPECIFIED") {
    // Calls fit their schema in every mode, so VALIDATED is AUTO.
    out->tool_choice.mode = ToolChoice::Mode::kAuto;
  } else {
    return InvalidArgument(
        fmt::format("'{}' is {}; known modes are AUTO, ANY, NONE and "
                    "VALIDATED.",
                    fields.Path("mode"), QuoteForMessage(mode)));
  }
  return OkStatus();
}

Status NoThinking(const Fields& fields, std::string_view name,
                  const ModelTraits& traits) {
  return Unsupported(
      fmt::format("'{}' asks for thinking, which the model '{}' does not do; "
                  "leave it out.",
                  fields.Path(name), traits.name));
}

Status ReadThinking(Fields& config, const ModelTraits& traits,
                    GeminiRequest* out) {
  const Json* found = config.Object("thinkingConfig");
  CARAT_RETURN_IF_ERROR(config.status());
  if (found == nullptr) return OkStatus();
  Fields fields(*found, config.Path("thinkingConfig"), kProto);
  out->include_thoughts = fields.Bool("includeThoughts").value_or(false);
  const auto budget = fields.Int("thinkingBudget");
  const auto level = fields.String("thinkingLevel");
  CARAT_RETURN_IF_ERROR(fields.status());
  const char* asked_by = "includeThoughts";
  if (level && Upper(*level) != "THINKING_LEVEL_UNSPECIFIED") {
    asked_by = "thinkingLevel";
    const std::string name = Upper(*level);
    if (name == "MINIMAL") {
      ApplyThinking(ThinkingLevel::kOff, &out->generate);
    } else if (name == "LOW") {
      ApplyThinking(ThinkingLevel::kLow, &out->generate);
    } else if (name == "MEDIUM") {
      ApplyThinking(ThinkingLevel::kMedium, &out->generate);
    } else if (name == "HIGH") {
      ApplyThinking(ThinkingLevel::kHigh, &out->generate);
    } else {
      return InvalidArgument(
          fmt::format("'{}' is {}; known levels are MINIMAL, LOW, MEDIUM and "
                      "HIGH.",
                      fields.Path("thinkingLevel"), QuoteForMessage(*level)));
    }
  }
  if (budget) {
    asked_by = "thinkingBudget";
    if (*budget < -1) {
      return InvalidArgument(
          fmt::format("'{}' is {}; expected a number of tokens, 0 for off or "
                      "-1 for no limit.",
                      fields.Path("thinkingBudget"), *budget));
    }
    out->generate.think = *budget != 0;
    out->generate.max_thought_tokens = *budget > 0 ? *budget : -1;
  }
  if (!budget && !level && out->include_thoughts) out->generate.think = true;
  if (out->generate.think && !traits.thinking) {
    return NoThinking(fields, asked_by, traits);
  }
  return OkStatus();
}

Status ReadSampling(Fields& config, const ModelTraits& traits,
                    GenerateRequest* out) {
  SamplingFields sampling;
  sampling.temperature = config.Number("temperature");
  sampling.top_p = config.Number("topP");
  sampling.top_k = config.Int("topK");
  sampling.presence_penalty = config.Number("presencePenalty");
  sampling.frequency_penalty = config.Number("frequencyPenalty");
  sampling.seed = config.Int("seed");
  const bool wanted = config.Bool("responseLogprobs").value_or(false);
  const auto logprobs = config.Int("logprobs");
  if (logprobs && (*logprobs < 0 || *logprobs > kMostLogprobs)) {
    config.Fail("logprobs", "an integer from 0 to 20");
  }
  if (wanted) sampling.logprobs = logprobs.value_or(0);
  CARAT_RETURN_IF_ERROR(config.status());
  if (logprobs && !wanted) {
    return InvalidArgument(fmt::format("'{}' needs '{}' to be true.",
                                       config.Path("logprobs"),
                                       config.Path("responseLogprobs")));
  }
  out->sampling = sampling.Over(traits.sampling);
  return OkStatus();
}

// One of the enum's values, as a grammar.
Result<std::string> EnumGrammar(const Json& schema, const std::string& where) {
  const Json* values = schema.Find("enum");
  if (values == nullptr || !values->is_array() || values->as_array().empty()) {
    return InvalidArgument(fmt::format(
        "'{}' must have an 'enum' of strings for the type text/x.enum.",
        where));
  }
  std::string grammar = "root ::= ";
  for (size_t i = 0; i < values->as_array().size(); ++i) {
    const Json& value = values->as_array()[i];
    if (!value.is_string() || value.as_string().empty()) {
      return InvalidArgument(fmt::format(
          "'{}.enum[{}]' must be a string that is not empty.", where, i));
    }
    if (i > 0) grammar += " | ";
    grammar += JsonQuote(value.as_string());
  }
  return grammar;
}

Status ReadShape(Fields& config, GenerateRequest* out) {
  const std::string type = config.String("responseMimeType").value_or("");
  const Json* open = config.Any("responseSchema");
  const Json* plain = config.Any("responseJsonSchema");
  if (plain == nullptr) plain = config.Any("_responseJsonSchema");
  CARAT_RETURN_IF_ERROR(config.status());
  if (open != nullptr && plain != nullptr) {
    return InvalidArgument(fmt::format(
        "'{}' and '{}' exclude each other; give one of them.",
        config.Path("responseSchema"), config.Path("responseJsonSchema")));
  }
  const std::string where =
      config.Path(open ? "responseSchema" : "responseJsonSchema");
  Json schema;
  if (open != nullptr) {
    CARAT_ASSIGN_OR_RETURN(schema, JsonSchemaFromOpenApi(*open, where));
  } else if (plain != nullptr) {
    CARAT_ASSIGN_OR_RETURN(schema, OrderedJsonSchema(*plain, where));
  }
  if (type == "text/x.enum") {
    CARAT_ASSIGN_OR_RETURN(std::string grammar, EnumGrammar(schema, where));
    out->constraint = {OutputConstraint::Kind::kGbnf, std::move(grammar)};
  } else if (type == "application/json") {
    if (schema.is_null()) {
      out->constraint = {OutputConstraint::Kind::kJson, ""};
    } else {
      out->constraint = {OutputConstraint::Kind::kJsonSchema, schema.Dump()};
    }
  } else if (!type.empty() && type != "text/plain") {
    return InvalidArgument(
        fmt::format("'{}' is {}; known types are text/plain, application/json "
                    "and text/x.enum.",
                    config.Path("responseMimeType"), QuoteForMessage(type)));
  } else if (!schema.is_null()) {
    return InvalidArgument(
        fmt::format("'{}' needs '{}' to be application/json.", where,
                    config.Path("responseMimeType")));
  }
  return OkStatus();
}

// Fields that ask for something other than what would come.
Status RefuseOutputs(Fields& config) {
  for (const std::string& kind : config.Strings("responseModalities")) {
    if (Upper(kind) == "TEXT" || Upper(kind) == "MODALITY_UNSPECIFIED") {
      continue;
    }
    return Unsupported(fmt::format("'{}' asks for {}; the models write text.",
                                   config.Path("responseModalities"),
                                   QuoteForMessage(kind)));
  }
  for (const char* name : {"responseFormat", "imageConfig", "translationConfig",
                           "audioTranscriptionConfig"}) {
    if (!config.Has(name)) continue;
    return Unsupported(
        fmt::format("'{}' is not supported; leave it out{}.", config.Path(name),
                    std::string_view(name) == "responseFormat"
                        ? " and use responseMimeType and responseSchema"
                        : ""));
  }
  return config.status();
}

Status ReadConfig(Fields& body, const ModelTraits& traits, GeminiRequest* out) {
  const Json* found = body.Object("generationConfig");
  CARAT_RETURN_IF_ERROR(body.status());
  const Json empty = Json::MakeObject();
  Fields config(found ? *found : empty, "generationConfig", kProto);
  GenerateRequest& generate = out->generate;
  CARAT_RETURN_IF_ERROR(ReadSampling(config, traits, &generate));
  if (const auto most = config.Int("maxOutputTokens")) {
    if (*most < 1) config.Fail("maxOutputTokens", "an integer from 1 on");
    generate.max_tokens = *most;
  }
  generate.stop = config.Strings("stopSequences");
  if (const auto count = config.Int("candidateCount")) {
    if (*count < 1 || *count > kMostCandidates) {
      config.Fail("candidateCount", "an integer from 1 to 8");
    }
    out->candidates = static_cast<int>(std::clamp<int64_t>(*count, 1, 8));
  }
  CARAT_RETURN_IF_ERROR(config.status());
  CARAT_RETURN_IF_ERROR(RefuseOutputs(config));
  CARAT_RETURN_IF_ERROR(ReadThinking(config, traits, out));
  return ReadShape(config, &generate);
}

Status ReadTools(Fields& body, const ModelTraits& traits,
                 GenerateRequest* out) {
  if (const Json* tools = body.Array("tools")) {
    CARAT_ASSIGN_OR_RETURN(out->tools, ReadGeminiTools(*tools, "tools"));
  }
  CARAT_RETURN_IF_ERROR(ReadToolConfig(body, out));
  if (out->tools.empty()) return OkStatus();
  if (!traits.tools) {
    return Unsupported(
        fmt::format("'tools' declares functions, which the model '{}' was not "
                    "trained to call; leave them out or use another model.",
                    traits.name));
  }
  return OkStatus();
}

Status CheckModel(const ModelTraits& traits) {
  if (traits.chat) return OkStatus();
  return Unsupported(
      fmt::format("The model '{}' has no chat format (it is a base model), "
                  "which contents need; use an instruction-tuned model.",
                  traits.name));
}

}  // namespace

Result<GeminiRequest> ReadGeminiPrefix(const Json& body,
                                       const ModelTraits& traits,
                                       FileSource* files) {
  CARAT_RETURN_IF_ERROR(CheckModel(traits));
  Fields fields(body, "", kProto);
  CARAT_RETURN_IF_ERROR(fields.status());
  GeminiRequest out;
  const ContentsReader reader{.traits = &traits, .files = files};
  if (const Json* system = fields.Any("systemInstruction")) {
    CARAT_ASSIGN_OR_RETURN(out.generate.messages,
                           reader.System(*system, "systemInstruction"));
  }
  if (const Json* contents = fields.Any("contents")) {
    CARAT_ASSIGN_OR_RETURN(auto messages,
                           reader.Contents(*contents, "contents"));
    for (Message& message : messages) {
      out.generate.messages.push_back(std::move(message));
    }
  }
  CARAT_RETURN_IF_ERROR(ReadConfig(fields, traits, &out));
  CARAT_RETURN_IF_ERROR(ReadTools(fields, traits, &out.generate));
  return out;
}

Result<GeminiRequest> ReadGeminiRequest(const Json& body,
                                        const ModelTraits& traits,
                                        FileSource* files) {
  CARAT_ASSIGN_OR_RETURN(GeminiRequest out,
                         ReadGeminiPrefix(body, traits, files));
  const auto& messages = out.generate.messages;
  const bool asks =
      std::any_of(messages.begin(), messages.end(),
                  [](const Message& m) { return m.role != Role::kSystem; });
  if (!asks) {
    return InvalidArgument(
        "'contents' is missing or empty; expected at least one content with a "
        "part, like [{\"parts\": [{\"text\": \"Hello\"}]}].");
  }
  return out;
}

Result<Json> WithGeminiPrefix(const Json& prefix, const Json& body) {
  if (!prefix.is_object() || !body.is_object()) {
    return InvalidArgument("The request's body must be a JSON object.");
  }
  Json out = body;
  const auto put = [&](const char* camel, const char* snake) -> Status {
    const Json* cached = prefix.Find(camel);
    if (cached == nullptr) cached = prefix.Find(snake);
    if (cached == nullptr) return OkStatus();
    if (Fields(body, "", kProto).Has(camel)) {
      return InvalidArgument(fmt::format(
          "'{}' may not be given together with 'cachedContent', which sets it.",
          camel));
    }
    out.Set(camel, *cached);
    return OkStatus();
  };
  CARAT_RETURN_IF_ERROR(put("systemInstruction", "system_instruction"));
  CARAT_RETURN_IF_ERROR(put("tools", "tools"));
  CARAT_RETURN_IF_ERROR(put("toolConfig", "tool_config"));
  Json contents = Json::MakeArray();
  for (const Json* source : {prefix.Find("contents"), body.Find("contents")}) {
    if (source == nullptr) continue;
    if (!source->is_array()) {
      contents.Append(*source);
      continue;
    }
    for (const Json& content : source->as_array()) contents.Append(content);
  }
  out.Set("contents", std::move(contents));
  return out;
}

}  // namespace carat
