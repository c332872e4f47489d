#include "api/gemini/read_interaction.h"

#include <fmt/format.h>

#include <utility>

#include "api/fields.h"
#include "api/gemini/path.h"
#include "api/gemini/schema.h"
#include "api/sampling_fields.h"
#include "base/utf8.h"

namespace carat {
namespace {

bool IsStep(const Json& value) {
  const Json* type = value.Find("type");
  if (type == nullptr || !type->is_string()) return false;
  for (const char* known : {"user_input", "model_output", "thought",
                            "function_call", "function_result"}) {
    if (type->as_string() == known) return true;
  }
  return false;
}

Json UserStep(Json content) {
  Json step = Json::MakeObject();
  step.Set("type", "user_input");
  step.Set("content", std::move(content));
  return step;
}

Json TextContent(std::string text) {
  Json content = Json::MakeObject();
  content.Set("type", "text");
  content.Set("text", std::move(text));
  return content;
}

// A string, one content, contents or steps: all become steps.
Result<Json> StepsOf(const Json* input) {
  Json steps = Json::MakeArray();
  if (input == nullptr) {
    return InvalidArgument(
        "'input' is missing; expected a text, contents or "
        "steps.");
  }
  Json contents = Json::MakeArray();
  if (input->is_string()) {
    contents.Append(TextContent(input->as_string()));
  } else if (input->is_object()) {
    if (IsStep(*input)) {
      steps.Append(*input);
    } else {
      contents.Append(*input);
    }
  } else if (input->is_array()) {
    for (const Json& item : input->as_array()) {
      if (IsStep(item)) {
        steps.Append(item);
      } else {
        contents.Append(item);
      }
    }
    if (!steps.as_array().empty() && !contents.as_array().empty()) {
      return InvalidArgument(
          "'input' mixes steps and contents; give either, or put the contents "
          "into a step of type user_input.");
    }
  } else {
    return InvalidArgument(
        fmt::format("'input' must be a text, contents or steps, found {}.",
                    input->type_name()));
  }
  if (!contents.as_array().empty()) steps.Append(UserStep(std::move(contents)));
  return steps;
}

// Brings one content into the form of generateContent's parts, so that both
// protocols read media alike.
Result<Json> PartOf(const Json& content, const std::string& where) {
  if (content.is_string()) {
    Json part = Json::MakeObject();
    part.Set("text", content.as_string());
    return part;
  }
  Fields fields(content, where);
  const std::string type = fields.String("type").value_or("text");
  CARAT_RETURN_IF_ERROR(fields.status());
  Json part = Json::MakeObject();
  if (type == "text") {
    const auto text = fields.String("text");
    if (!text) fields.Fail("text", "a string");
    CARAT_RETURN_IF_ERROR(fields.status());
    part.Set("text", *text);
    return part;
  }
  if (type != "image" && type != "audio" && type != "video" &&
      type != "document") {
    return InvalidArgument(
        fmt::format("'{}' is {}; known types are text, image, audio, video "
                    "and document.",
                    fields.Path("type"), QuoteForMessage(type)));
  }
  const auto data = fields.String("data");
  const auto uri = fields.String("uri");
  std::string mime_type = fields.String("mime_type").value_or("");
  const std::string resolution = fields.String("resolution").value_or("");
  CARAT_RETURN_IF_ERROR(fields.status());
  if (data.has_value() == uri.has_value()) {
    return InvalidArgument(
        fmt::format("'{}' must have either 'data' or 'uri'.", where));
  }
  if (mime_type.empty() && data) mime_type = type + "/*";
  Json inner = Json::MakeObject();
  if (!mime_type.empty()) inner.Set("mimeType", mime_type);
  inner.Set(data ? "data" : "fileUri", data ? *data : *uri);
  part.Set(data ? "inlineData" : "fileData", std::move(inner));
  if (!resolution.empty()) {
    std::string level = "MEDIA_RESOLUTION_";
    for (const char c : resolution) {
      level += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    Json wanted = Json::MakeObject();
    wanted.Set("level", level);
    part.Set("mediaResolution", std::move(wanted));
  }
  return part;
}

Result<Json> PartsOf(const Json* content, const std::string& where) {
  Json parts = Json::MakeArray();
  if (content == nullptr) return parts;
  if (!content->is_array()) {
    CARAT_ASSIGN_OR_RETURN(Json part, PartOf(*content, where));
    parts.Append(std::move(part));
    return parts;
  }
  for (size_t i = 0; i < content->as_array().size(); ++i) {
    CARAT_ASSIGN_OR_RETURN(Json part, PartOf(content->as_array()[i],
                                             fmt::format("{}[{}]", where, i)));
    parts.Append(std::move(part));
  }
  return parts;
}

// What a function returned: text, an object, or contents of text.
Result<Json> ResponseOf(Fields& fields, const std::string& where) {
  const Json* result = fields.Any("result");
  Json response = Json::MakeObject();
  if (result != nullptr && result->is_object()) return *result;
  if (result != nullptr && result->is_array()) {
    std::string text;
    for (const Json& item : result->as_array()) {
      const Json* piece = item.Find("text");
      if (piece == nullptr || !piece->is_string()) {
        return Unsupported(fmt::format(
            "'{}.result' may hold contents of type text only.", where));
      }
      text += piece->as_string();
    }
    response.Set("result", std::move(text));
  } else if (result != nullptr) {
    response.Set("result", *result);
  }
  return response;
}

// One step as a content of generateContent.
Result<Json> ContentOf(const Json& step, const std::string& where) {
  Fields fields(step, where);
  const std::string type = fields.String("type").value_or("");
  Json content = Json::MakeObject();
  Json parts = Json::MakeArray();
  content.Set("role", type == "user_input" ? "user" : "model");
  if (type == "user_input" || type == "model_output") {
    CARAT_ASSIGN_OR_RETURN(parts,
                           PartsOf(fields.Any("content"), where + ".content"));
  } else if (type == "thought") {
    CARAT_ASSIGN_OR_RETURN(parts,
                           PartsOf(fields.Any("summary"), where + ".summary"));
    for (Json& part : parts.as_array()) part.Set("thought", true);
  } else if (type == "function_call") {
    Json call = Json::MakeObject();
    if (const auto id = fields.String("id")) call.Set("id", *id);
    if (const auto name = fields.String("name")) call.Set("name", *name);
    if (const Json* given = fields.Object("arguments")) {
      call.Set("args", *given);
    }
    Json part = Json::MakeObject();
    part.Set("functionCall", std::move(call));
    parts.Append(std::move(part));
  } else if (type == "function_result") {
    Json result = Json::MakeObject();
    const auto id = fields.String("call_id");
    if (id) result.Set("id", *id);
    // The call that it answers tells the name, if this does not.
    const auto name = fields.String("name");
    result.Set("name", name ? *name : id.value_or(""));
    CARAT_ASSIGN_OR_RETURN(Json response, ResponseOf(fields, where));
    result.Set("response", std::move(response));
    Json part = Json::MakeObject();
    part.Set("functionResponse", std::move(result));
    parts.Append(std::move(part));
    content.Set("role", "user");
  } else {
    return InvalidArgument(
        fmt::format("'{}.type' is {}; known steps are user_input, "
                    "model_output, thought, function_call and "
                    "function_result.",
                    where, QuoteForMessage(type)));
  }
  CARAT_RETURN_IF_ERROR(fields.status());
  content.Set("parts", std::move(parts));
  return content;
}

Status ReadTools(Fields& body, const ModelTraits& traits,
                 GenerateRequest* out) {
  const Json* tools = body.Array("tools");
  CARAT_RETURN_IF_ERROR(body.status());
  if (tools == nullptr || tools->as_array().empty()) return OkStatus();
  for (size_t i = 0; i < tools->as_array().size(); ++i) {
    const std::string where = fmt::format("tools[{}]", i);
    Fields fields(tools->as_array()[i], where);
    const std::string type = fields.String("type").value_or("");
    ToolDeclaration tool;
    tool.name = fields.String("name").value_or("");
    tool.description = fields.String("description").value_or("");
    CARAT_RETURN_IF_ERROR(fields.status());
    if (type != "function") {
      return Unsupported(fmt::format(
          "'{}.type' is {}: this server runs no tools of its own, only "
          "functions can be declared.",
          where, QuoteForMessage(type)));
    }
    if (tool.name.empty()) fields.Fail("name", "the name of a function");
    CARAT_RETURN_IF_ERROR(fields.status());
    if (const Json* schema = fields.Any("parameters")) {
      // JSON schema by the book; some clients write types in upper case.
      CARAT_ASSIGN_OR_RETURN(
          Json read, JsonSchemaFromOpenApi(*schema, where + ".parameters"));
      tool.parameters = read.Dump();
    }
    out->tools.push_back(std::move(tool));
  }
  if (!traits.tools) {
    return Unsupported(
        fmt::format("'tools' declares functions, which the model '{}' was not "
                    "trained to call; leave them out or use another model.",
                    traits.name));
  }
  return OkStatus();
}

// "auto", "any" ..., or {"allowed_tools": {"mode", "tools"}}.
Status ReadToolChoice(Fields& config, GenerateRequest* out) {
  const Json* choice = config.Any("tool_choice");
  if (choice == nullptr) return OkStatus();
  std::string mode;
  if (choice->is_string()) {
    mode = choice->as_string();
  } else {
    Fields outer(*choice, config.Path("tool_choice"));
    const Json* allowed = outer.Object("allowed_tools");
    CARAT_RETURN_IF_ERROR(outer.status());
    if (allowed != nullptr) {
      Fields fields(*allowed, outer.Path("allowed_tools"));
      mode = fields.String("mode").value_or("auto");
      out->tool_choice.names = fields.Strings("tools");
      CARAT_RETURN_IF_ERROR(fields.status());
    }
  }
  if (mode == "any") {
    out->tool_choice.mode = ToolChoice::Mode::kRequired;
  } else if (mode == "none") {
    out->tool_choice.mode = ToolChoice::Mode::kNone;
  } else if (mode != "auto" && mode != "validated") {
    config.Fail("tool_choice",
                "\"auto\", \"any\", \"none\", \"validated\" or an object with "
                "'allowed_tools'");
  }
  return config.status();
}

Status ReadThinkingLevel(Fields& config, const ModelTraits& traits,
                         GenerateRequest* out) {
  const auto level = config.String("thinking_level");
  CARAT_RETURN_IF_ERROR(config.status());
  if (!level) return OkStatus();
  ThinkingLevel wanted = ThinkingLevel::kOff;
  if (*level == "low") {
    wanted = ThinkingLevel::kLow;
  } else if (*level == "medium") {
    wanted = ThinkingLevel::kMedium;
  } else if (*level == "high") {
    wanted = ThinkingLevel::kHigh;
  } else if (*level != "minimal") {
    return InvalidArgument(
        fmt::format("'{}' is {}; known levels are minimal, low, medium and "
                    "high.",
                    config.Path("thinking_level"), QuoteForMessage(*level)));
  }
  if (wanted != ThinkingLevel::kOff && !traits.thinking) {
    return Unsupported(
        fmt::format("'{}' asks for thinking, which the model '{}' does not "
                    "do; leave it out.",
                    config.Path("thinking_level"), traits.name));
  }
  ApplyThinking(wanted, out);
  return OkStatus();
}

Status ReadConfig(Fields& body, const ModelTraits& traits,
                  GenerateRequest* out) {
  const Json* found = body.Object("generation_config");
  CARAT_RETURN_IF_ERROR(body.status());
  const Json none = Json::MakeObject();
  Fields config(found ? *found : none, "generation_config");
  SamplingFields sampling;
  sampling.temperature = config.Number("temperature");
  sampling.top_p = config.Number("top_p");
  sampling.seed = config.Int("seed");
  if (const auto most = config.Int("max_output_tokens")) {
    if (*most < 1) config.Fail("max_output_tokens", "an integer from 1 on");
    out->max_tokens = *most;
  }
  out->stop = config.Strings("stop_sequences");
  CARAT_RETURN_IF_ERROR(config.status());
  out->sampling = sampling.Over(traits.sampling);
  CARAT_RETURN_IF_ERROR(ReadThinkingLevel(config, traits, out));
  return ReadToolChoice(config, out);
}

// {"type": "text", "mime_type", "schema"}, a list with one of them, or a bare
// schema.
Status ReadFormat(Fields& body, GenerateRequest* out) {
  const Json* format = body.Any("response_format");
  std::string type = body.String("response_mime_type").value_or("");
  CARAT_RETURN_IF_ERROR(body.status());
  const std::string where = "response_format";
  if (format != nullptr && format->is_array()) {
    if (format->as_array().size() != 1) {
      return Unsupported("'response_format' must have exactly one entry.");
    }
    format = &format->as_array()[0];
  }
  const Json* schema = format;
  if (format != nullptr && format->is_object()) {
    const Json* kind = format->Find("type");
    if (kind != nullptr && *kind == Json("text")) {
      Fields fields(*format, where);
      const std::string own = fields.String("mime_type").value_or("");
      schema = fields.Any("schema");
      CARAT_RETURN_IF_ERROR(fields.status());
      if (!own.empty()) type = own;
      if (type.empty() && schema != nullptr) type = "application/json";
    } else if (kind != nullptr &&
               (*kind == Json("image") || *kind == Json("audio") ||
                *kind == Json("video"))) {
      return Unsupported(
          fmt::format("'response_format' asks for {}; the models write text.",
                      kind->as_string()));
    } else {
      type = "application/json";
    }
  } else if (format != nullptr) {
    return InvalidArgument(fmt::format(
        "'response_format' must be an object, found {}.", format->type_name()));
  }
  if (type.empty() || type == "text/plain") return OkStatus();
  if (type != "application/json") {
    return InvalidArgument(
        fmt::format("The answer's type {} is not known; possible are "
                    "text/plain and application/json.",
                    QuoteForMessage(type)));
  }
  if (schema == nullptr) {
    out->constraint = {OutputConstraint::Kind::kJson, ""};
    return OkStatus();
  }
  CARAT_ASSIGN_OR_RETURN(Json read, JsonSchemaFromOpenApi(*schema, where));
  out->constraint = {OutputConstraint::Kind::kJsonSchema, read.Dump()};
  return OkStatus();
}

}  // namespace

Result<InteractionHead> ReadInteractionHead(const Json& body) {
  Fields fields(body, "");
  InteractionHead out;
  for (const char* name :
       {"agent", "agent_config", "webhook_config", "environment",
        "continuation_token", "cached_content"}) {
    if (!fields.Has(name)) continue;
    return Unsupported(
        fmt::format("'{}' is not supported by this server.", name));
  }
  if (fields.Bool("background").value_or(false)) {
    return Unsupported(
        "'background' is not supported by this server; stream the answer.");
  }
  const std::string model = fields.String("model").value_or("");
  out.model = std::string(GeminiModelName(model));
  if (out.model.empty()) fields.Fail("model", "the name of a model");
  out.previous = fields.String("previous_interaction_id").value_or("");
  out.store = fields.Bool("store").value_or(true);
  out.stream = fields.Bool("stream").value_or(false);
  if (const Json* config = fields.Object("generation_config")) {
    Fields inner(*config, "generation_config");
    const std::string shown =
        inner.String("thinking_summaries").value_or("none");
    if (shown != "auto" && shown != "none") {
      inner.Fail("thinking_summaries", "\"auto\" or \"none\"");
    }
    CARAT_RETURN_IF_ERROR(inner.status());
    out.show_thoughts = shown == "auto";
  }
  for (const std::string& kind : fields.Strings("response_modalities")) {
    if (kind == "text" || kind == "TEXT") continue;
    return Unsupported(
        fmt::format("'response_modalities' asks for {}; the models write "
                    "text.",
                    QuoteForMessage(kind)));
  }
  CARAT_RETURN_IF_ERROR(fields.status());
  CARAT_ASSIGN_OR_RETURN(out.steps, StepsOf(fields.Any("input")));
  return out;
}

Result<GenerateRequest> ReadInteraction(const Json& body, const Json& steps,
                                        const ModelTraits& traits,
                                        FileSource* files) {
  if (!traits.chat) {
    return Unsupported(fmt::format(
        "The model '{}' has no chat format (it is a base model); use an "
        "instruction-tuned model.",
        traits.name));
  }
  Fields fields(body, "");
  GenerateRequest out;
  const ContentsReader reader{.traits = &traits, .files = files};
  if (const Json* system = fields.Any("system_instruction")) {
    CARAT_ASSIGN_OR_RETURN(out.messages,
                           reader.System(*system, "system_instruction"));
  }
  Json contents = Json::MakeArray();
  for (size_t i = 0; i < steps.as_array().size(); ++i) {
    CARAT_ASSIGN_OR_RETURN(
        Json content,
        ContentOf(steps.as_array()[i], fmt::format("input[{}]", i)));
    contents.Append(std::move(content));
  }
  CARAT_ASSIGN_OR_RETURN(auto messages, reader.Contents(contents, "input"));
  if (messages.empty()) {
    return InvalidArgument("'input' is empty; expected something to answer.");
  }
  for (Message& message : messages) out.messages.push_back(std::move(message));
  CARAT_RETURN_IF_ERROR(ReadTools(fields, traits, &out));
  CARAT_RETURN_IF_ERROR(ReadConfig(fields, traits, &out));
  CARAT_RETURN_IF_ERROR(ReadFormat(fields, &out));
  return out;
}

}  // namespace carat
