#include "api/ollama/read_request.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "api/fields.h"
#include "api/ollama/packed_conversation.h"
#include "api/sampling_fields.h"
#include "api/volatile_lines.h"
#include "api/wire_time.h"
#include "base/utf8.h"
#include "chat/messages_json.h"

namespace carat {
namespace {

constexpr int64_t kMostTopLogprobs = 20;

// The sizes of the window and of batches are the server's; they are checked
// for their type only.
Status ReadOptions(Fields& body, const ModelTraits& traits,
                   GenerateRequest* out) {
  const Json* found = body.Object("options");
  CARAT_RETURN_IF_ERROR(body.status());
  const Json none = Json::MakeObject();
  Fields options(found ? *found : none, "options");
  SamplingFields sampling;
  sampling.temperature = options.Number("temperature");
  sampling.top_p = options.Number("top_p");
  sampling.min_p = options.Number("min_p");
  sampling.top_k = options.Int("top_k");
  sampling.repeat_penalty = options.Number("repeat_penalty");
  sampling.presence_penalty = options.Number("presence_penalty");
  sampling.frequency_penalty = options.Number("frequency_penalty");
  sampling.penalty_window = options.Int("repeat_last_n");
  // A negative seed means a fresh one.
  sampling.seed = options.Int("seed");
  if (sampling.seed && *sampling.seed < 0) sampling.seed.reset();
  if (const auto most = options.Int("num_predict"); most && *most > 0) {
    out->max_tokens = *most;
  }
  out->stop = options.Strings("stop");
  for (const char* name : {"num_ctx", "num_batch", "num_gpu", "main_gpu",
                           "num_thread", "num_keep", "draft_num_predict"}) {
    options.Int(name);
  }
  options.Bool("use_mmap");
  options.Number("typical_p");
  CARAT_RETURN_IF_ERROR(options.status());
  out->sampling = sampling.Over(traits.sampling);
  return OkStatus();
}

Status ReadThink(const Json* think, const ModelTraits& traits,
                 GenerateRequest* out) {
  if (think == nullptr) {  // as Ollama: a model that can think does
    ApplyThinking(traits.thinking ? ThinkingLevel::kHigh : ThinkingLevel::kOff,
                  out);
    return OkStatus();
  }
  ThinkingLevel level = ThinkingLevel::kOff;
  if (think->is_bool()) {
    if (think->as_bool()) level = ThinkingLevel::kHigh;
  } else if (*think == Json("low")) {
    level = ThinkingLevel::kLow;
  } else if (*think == Json("medium")) {
    level = ThinkingLevel::kMedium;
  } else if (*think == Json("high") || *think == Json("max")) {
    level = ThinkingLevel::kHigh;
  } else {
    return InvalidArgument(fmt::format(
        "'think' is {}; expected true, false, \"low\", \"medium\", \"high\" "
        "or \"max\".",
        think->Dump()));
  }
  if (level != ThinkingLevel::kOff && !traits.thinking) {
    return Unsupported(
        fmt::format("\"{}\" does not support thinking", traits.name));
  }
  ApplyThinking(level, out);
  return OkStatus();
}

Status ReadFormat(const Json* format, GenerateRequest* out) {
  if (format == nullptr || *format == Json("")) return OkStatus();
  if (*format == Json("json")) {
    out->constraint = {OutputConstraint::Kind::kJson, ""};
  } else if (format->is_object()) {
    out->constraint = {OutputConstraint::Kind::kJsonSchema, format->Dump()};
  } else {
    return InvalidArgument(
        fmt::format("'format' is {}; expected \"json\" or a JSON schema.",
                    QuoteForMessage(format->Dump())));
  }
  return OkStatus();
}

Status ReadTools(Fields& body, const ModelTraits& traits,
                 GenerateRequest* out) {
  const Json* tools = body.Array("tools");
  CARAT_RETURN_IF_ERROR(body.status());
  if (tools == nullptr || tools->as_array().empty()) return OkStatus();
  if (!traits.tools) {
    return Unsupported(
        fmt::format("\"{}\" does not support tools", traits.name));
  }
  CARAT_ASSIGN_OR_RETURN(out->tools, ToolsFromJson(tools->Dump()));
  return OkStatus();
}

// What both bodies share.
Status ReadCommon(Fields& body, const ModelTraits& traits, OllamaRequest* out) {
  CARAT_RETURN_IF_ERROR(ReadOptions(body, traits, &out->generate));
  CARAT_RETURN_IF_ERROR(ReadThink(body.Any("think"), traits, &out->generate));
  CARAT_RETURN_IF_ERROR(ReadFormat(body.Any("format"), &out->generate));
  const bool wanted = body.Bool("logprobs").value_or(false);
  const auto top = body.Int("top_logprobs");
  if (top && (*top < 0 || *top > kMostTopLogprobs)) {
    body.Fail("top_logprobs", "an integer from 0 to 20");
  }
  CARAT_RETURN_IF_ERROR(body.status());
  if (wanted) {
    out->logprobs = static_cast<int>(top.value_or(0));
    out->generate.sampling.logprobs = out->logprobs;
  }
  return OkStatus();
}

Status NeedsChat(const ModelTraits& traits) {
  if (traits.chat) return OkStatus();
  return Unsupported(fmt::format(
      "\"{}\" does not support chat: it is a base model. Use /api/generate "
      "with \"raw\": true.",
      traits.name));
}

Status RefuseUnsupported(const Fields& body) {
  const auto given = [&](std::string_view name) {
    const Json* value = body.Any(name);
    return value != nullptr && *value != Json("");
  };
  if (given("suffix")) {
    return Unsupported(
        "'suffix' asks to fill in the middle, which the model does not do.");
  }
  if (given("template")) {
    return Unsupported(
        "'template' cannot be used: carat writes prompts in the model's own "
        "format and runs no templates. For a prompt of your own, set \"raw\" "
        "to true.");
  }
  return OkStatus();
}

}  // namespace

Result<std::optional<int64_t>> ReadKeepAlive(const Json* value) {
  if (value == nullptr) return std::optional<int64_t>();
  std::optional<double> seconds;
  if (value->is_number()) {
    seconds = value->as_double();
  } else if (value->is_string()) {
    if (const auto ns = ParseGoDuration(value->as_string())) {
      seconds = static_cast<double>(*ns) / 1e9;
    }
  }
  if (!seconds) {
    return InvalidArgument(fmt::format(
        "'keep_alive' is {}; expected seconds or a duration like \"5m\".",
        QuoteForMessage(value->Dump())));
  }
  if (*seconds < 0 || *seconds > 1e9) return std::optional<int64_t>(-1);
  // Less than a second is not "unload now".
  return std::optional<int64_t>(static_cast<int64_t>(std::ceil(*seconds)));
}

Result<OllamaHead> ReadOllamaHead(const Json& body) {
  Fields fields(body, "");
  OllamaHead out;
  out.model = fields.String("model").value_or("");
  out.stream = fields.Bool("stream").value_or(true);
  out.render_only = fields.Bool("_debug_render_only").value_or(false);
  const Json* messages = fields.Array("messages");
  const Json* images = fields.Array("images");
  const bool no_images = images == nullptr || images->as_array().empty();
  out.empty = (messages == nullptr || messages->as_array().empty()) &&
              fields.String("prompt").value_or("").empty() && no_images;
  if (out.model.empty() && fields.status().ok()) {
    return InvalidArgument("'model' is required.");
  }
  CARAT_RETURN_IF_ERROR(fields.status());
  CARAT_ASSIGN_OR_RETURN(out.keep_alive_s,
                         ReadKeepAlive(fields.Any("keep_alive")));
  return out;
}

Result<OllamaRequest> ReadOllamaChat(const Json& body,
                                     const ModelTraits& traits) {
  CARAT_RETURN_IF_ERROR(NeedsChat(traits));
  Fields fields(body, "");
  CARAT_RETURN_IF_ERROR(fields.status());
  OllamaRequest out;
  const Json* messages = fields.Array("messages");
  CARAT_RETURN_IF_ERROR(fields.status());
  if (messages == nullptr) {
    fields.Fail("messages", "an array");
    return fields.status();
  }
  CARAT_ASSIGN_OR_RETURN(out.generate.messages,
                         ReadOllamaMessages(*messages, traits));
  CARAT_RETURN_IF_ERROR(ReadCommon(fields, traits, &out));
  CARAT_RETURN_IF_ERROR(ReadTools(fields, traits, &out.generate));
  // As Ollama: an answer that has begun is continued.
  const Message* last =
      out.generate.messages.empty() ? nullptr : &out.generate.messages.back();
  out.generate.continue_last_message = last != nullptr &&
                                       last->role == Role::kAssistant &&
                                       !last->has_tool_calls();
  return out;
}

Result<OllamaRequest> ReadOllamaGenerate(const Json& body,
                                         const ModelTraits& traits) {
  Fields fields(body, "");
  CARAT_RETURN_IF_ERROR(fields.status());
  CARAT_RETURN_IF_ERROR(RefuseUnsupported(fields));
  OllamaRequest out;
  const std::string prompt = fields.String("prompt").value_or("");
  const std::string system =
      WithoutVolatileLines(fields.String("system").value_or(""));
  const Json* images = fields.Array("images");
  out.raw = fields.Bool("raw").value_or(false);
  CARAT_RETURN_IF_ERROR(fields.status());
  CARAT_RETURN_IF_ERROR(ReadCommon(fields, traits, &out));
  std::vector<Media> media;
  if (images != nullptr) {
    CARAT_ASSIGN_OR_RETURN(media, ReadOllamaImages(*images, "images", traits));
  }
  const Json* context = fields.Any("context");
  const bool continues = context != nullptr && *context != Json::MakeArray();
  if (out.raw) {
    if (continues || !media.empty()) {
      return InvalidArgument(
          "'raw' takes the prompt as it is: leave 'context' and 'images' out.");
    }
    out.generate.think = false;
    out.raw_prompt = prompt;
    return out;
  }
  CARAT_RETURN_IF_ERROR(NeedsChat(traits));
  if (continues) {
    CARAT_ASSIGN_OR_RETURN(out.generate.messages, UnpackConversation(*context));
  }
  if (!system.empty()) {
    auto& messages = out.generate.messages;
    if (!messages.empty() && messages[0].role == Role::kSystem) {
      messages.erase(messages.begin());
    }
    messages.insert(messages.begin(), Message(Role::kSystem, system));
  }
  Message user(Role::kUser, std::vector<Part>());
  for (Media& one : media) user.parts.emplace_back(std::move(one));
  if (!prompt.empty()) user.parts.emplace_back(Text{prompt});
  out.generate.messages.push_back(std::move(user));
  return out;
}

}  // namespace carat
