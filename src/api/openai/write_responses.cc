#include "api/openai/write_responses.h"

#include <cmath>
#include <ctime>
#include <utility>

#include "api/collected.h"
#include "api/failure.h"
#include "api/ids.h"
#include "api/openai/error.h"
#include "api/openai/write_chat.h"
#include "api/sse.h"

namespace carat {
namespace {

// 0.95f as 0.95, not as 0.949999988079071.
double Short(float value) { return std::round(value * 1e6) / 1e6; }

// Goes through the same states for a whole body as for a stream, only that
// nobody hears the events.
class ResponseWriter : public AnswerWriter {
 public:
  explicit ResponseWriter(ResponseAnswer answer) : answer_(std::move(answer)) {}

  void Add(int, const GenerateEvent& event, std::string* out) override {
    Begin(out);
    const std::vector<TokenProbability> tokens = probabilities_.Add(event);
    if (const auto* thought = std::get_if<ThoughtDelta>(&event)) {
      AddThought(thought->text, out);
    } else if (const auto* text = std::get_if<TextDelta>(&event)) {
      AddText(text->text, tokens, out);
    } else if (const auto* start = std::get_if<ToolCallStart>(&event)) {
      StartCall(*start, out);
    } else if (const auto* more = std::get_if<ToolCallDelta>(&event)) {
      AddArguments(more->arguments, out);
    } else if (const auto* call = std::get_if<ToolCallDone>(&event)) {
      FinishCall(call->call, out);
    } else if (const auto* done = std::get_if<Done>(&event)) {
      Finish(*done, out);
    }
  }

  void End(std::string* out) override {
    if (!answer_.stream) *out += response_.Dump();
  }

  std::string KeepAlive() override {
    if (!answer_.stream) return " ";
    std::string out;
    Begin(&out);
    if (out.empty()) out = kSseComment;
    return out;
  }

  int Fail(const Status& status, std::string* body) override {
    *body = OpenAiError(status).Dump();
    return HttpStatusOf(status.code());
  }

 private:
  enum class Open { kNothing, kThought, kText, kCall };

  void Emit(const char* type, Json members, std::string* out) {
    if (!answer_.stream) return;
    Json data = Json::Object{{"type", type}, {"sequence_number", sequence_++}};
    for (auto& [key, value] : members.as_object()) {
      data.Set(key, std::move(value));
    }
    AppendSseEvent(type, data, out);
  }

  // `members` with the place of the open item in front.
  Json Placed(Json members) const {
    Json out =
        Json::Object{{"item_id", *item_.Find("id")}, {"output_index", index_}};
    for (auto& [key, value] : members.as_object()) {
      out.Set(key, std::move(value));
    }
    return out;
  }

  Json Response(const char* status) const {
    Json body = Json::Object{{"id", answer_.id},
                             {"object", "response"},
                             {"created_at", answer_.created_s},
                             {"completed_at", nullptr},
                             {"status", status},
                             {"background", false},
                             {"error", nullptr},
                             {"incomplete_details", nullptr},
                             {"model", answer_.model},
                             {"output", output_}};
    for (const auto& [key, value] : answer_.echo.as_object()) {
      body.Set(key, value);
    }
    body.Set("store", answer_.store);
    body.Set("temperature", Short(answer_.sampling.temperature));
    body.Set("top_p", Short(answer_.sampling.top_p));
    body.Set("service_tier", "default");
    body.Set("usage", nullptr);
    return body;
  }

  void Begin(std::string* out) {
    if (begun_) return;
    begun_ = true;
    for (const char* type : {"response.created", "response.in_progress"}) {
      Emit(type, Json::Object{{"response", Response("in_progress")}}, out);
    }
  }

  void OpenItem(Open kind, Json item, std::string* out) {
    Close("completed", out);
    open_ = kind;
    text_.clear();
    item_ = std::move(item);
    Emit("response.output_item.added",
         Json::Object{{"output_index", index_}, {"item", item_}}, out);
  }

  void CloseItem(std::string* out) {
    Emit("response.output_item.done",
         Json::Object{{"output_index", index_}, {"item", item_}}, out);
    output_.Append(item_);
    open_ = Open::kNothing;
    ++index_;
  }

  // Ends the open item, whatever it is.
  void Close(const char* status, std::string* out) {
    switch (open_) {
      case Open::kNothing:
        return;
      case Open::kThought:
        return CloseThought(out);
      case Open::kText:
        return CloseText(status, out);
      case Open::kCall:
        // Only an answer that was cut leaves a call open.
        item_.Set("status", "incomplete");
        if (!custom_) item_.Set("arguments", text_);
        return CloseItem(out);
    }
  }

  void AddThought(const std::string& more, std::string* out) {
    if (open_ != Open::kThought) {
      OpenItem(Open::kThought,
               Json::Object{{"id", NewId("rs_")},
                            {"type", "reasoning"},
                            {"summary", Json::MakeArray()}},
               out);
      Emit("response.reasoning_summary_part.added",
           Placed(Json::Object{{"summary_index", 0}, {"part", Summary("")}}),
           out);
    }
    text_ += more;
    Emit("response.reasoning_summary_text.delta",
         Placed(Json::Object{{"summary_index", 0}, {"delta", more}}), out);
  }

  static Json Summary(const std::string& text) {
    return Json::Object{{"type", "summary_text"}, {"text", text}};
  }

  void CloseThought(std::string* out) {
    Emit("response.reasoning_summary_text.done",
         Placed(Json::Object{{"summary_index", 0}, {"text", text_}}), out);
    Emit("response.reasoning_summary_part.done",
         Placed(Json::Object{{"summary_index", 0}, {"part", Summary(text_)}}),
         out);
    Json summary = Json::MakeArray();
    summary.Append(Summary(text_));
    item_.Set("summary", std::move(summary));
    said_.parts.emplace_back(Thought{text_});
    CloseItem(out);
  }

  Json TextPart() const {
    return Json::Object{{"type", "output_text"},
                        {"text", text_},
                        {"annotations", Json::MakeArray()},
                        {"logprobs", logprobs_}};
  }

  void AddText(const std::string& more,
               const std::vector<TokenProbability>& tokens, std::string* out) {
    if (open_ != Open::kText) {
      logprobs_ = Json::MakeArray();
      OpenItem(Open::kText,
               Json::Object{{"id", NewId("msg_")},
                            {"type", "message"},
                            {"status", "in_progress"},
                            {"role", "assistant"},
                            {"content", Json::MakeArray()}},
               out);
      Emit("response.content_part.added",
           Placed(Json::Object{{"content_index", 0}, {"part", TextPart()}}),
           out);
    }
    text_ += more;
    Json list = Json::MakeArray();
    if (!tokens.empty()) {
      list = *ChatLogprobs(tokens, *answer_.tokenizer).Find("content");
      for (const Json& entry : list.as_array()) logprobs_.Append(entry);
    }
    Emit("response.output_text.delta",
         Placed(Json::Object{{"content_index", 0},
                             {"delta", more},
                             {"logprobs", std::move(list)}}),
         out);
  }

  void CloseText(const char* status, std::string* out) {
    Emit("response.output_text.done",
         Placed(Json::Object{
             {"content_index", 0}, {"text", text_}, {"logprobs", logprobs_}}),
         out);
    Emit("response.content_part.done",
         Placed(Json::Object{{"content_index", 0}, {"part", TextPart()}}), out);
    Json content = Json::MakeArray();
    content.Append(TextPart());
    item_.Set("content", std::move(content));
    item_.Set("status", status);
    said_.parts.emplace_back(Text{text_});
    CloseItem(out);
  }

  ResponseTool ToolNamed(const std::string& flat_name) const {
    for (const ResponseTool& tool : answer_.tools) {
      if (tool.flat_name == flat_name) return tool;
    }
    return {.flat_name = flat_name, .name_space = {}, .name = flat_name};
  }

  void StartCall(const ToolCallStart& start, std::string* out) {
    const ResponseTool tool = ToolNamed(start.name);
    custom_ = tool.custom;
    Json item =
        Json::Object{{"id", NewId(custom_ ? "ctc_" : "fc_")},
                     {"type", custom_ ? "custom_tool_call" : "function_call"},
                     {"status", "in_progress"},
                     {"call_id", start.id},
                     {"name", tool.name}};
    if (!tool.name_space.empty()) item.Set("namespace", tool.name_space);
    item.Set(custom_ ? "input" : "arguments", "");
    OpenItem(Open::kCall, std::move(item), out);
  }

  void AddArguments(const std::string& more, std::string* out) {
    text_ += more;
    // A custom tool's input is known once its argument is complete.
    if (custom_) return;
    Emit("response.function_call_arguments.delta",
         Placed(Json::Object{{"delta", more}}), out);
  }

  void FinishCall(const ToolCall& call, std::string* out) {
    if (custom_) {
      std::string input;
      const Result<Json> arguments = Json::Parse(call.arguments);
      const Json* given = arguments.ok() ? arguments->Find("input") : nullptr;
      if (given != nullptr && given->is_string()) input = given->as_string();
      Emit("response.custom_tool_call_input.delta",
           Placed(Json::Object{{"delta", input}}), out);
      Emit("response.custom_tool_call_input.done",
           Placed(Json::Object{{"input", input}}), out);
      item_.Set("input", input);
    } else {
      Emit("response.function_call_arguments.done",
           Placed(Json::Object{{"name", *item_.Find("name")},
                               {"arguments", call.arguments}}),
           out);
      item_.Set("arguments", call.arguments);
    }
    item_.Set("status", "completed");
    said_.parts.emplace_back(call);
    CloseItem(out);
  }

  static Json UsageJson(const Usage& usage) {
    return Json::Object{
        {"input_tokens", usage.prompt_tokens},
        {"input_tokens_details",
         Json::Object{{"cached_tokens", usage.cached_tokens}}},
        {"output_tokens", usage.output_tokens},
        {"output_tokens_details",
         Json::Object{{"reasoning_tokens", usage.thought_tokens}}},
        {"total_tokens", usage.prompt_tokens + usage.output_tokens}};
  }

  void Finish(const Done& done, std::string* out) {
    const Status failed = FailureOf(done);
    const bool cut = std::string_view(ChatFinish(done.reason)) == "length";
    const char* status = !failed.ok() ? "failed"
                         : cut        ? "incomplete"
                                      : "completed";
    Close(failed.ok() && !cut ? "completed" : "incomplete", out);
    response_ = Response(status);
    response_.Set("completed_at", static_cast<int64_t>(std::time(nullptr)));
    response_.Set("usage", UsageJson(done.usage));
    if (cut) {
      response_.Set("incomplete_details",
                    Json::Object{{"reason", "max_output_tokens"}});
    }
    if (!failed.ok()) {
      response_.Set("error", Json::Object{{"code", "server_error"},
                                          {"message", failed.message()}});
    } else if (answer_.finished) {
      answer_.finished(response_, std::move(said_));
    }
    const std::string type = std::string("response.") + status;
    Emit(type.c_str(), Json::Object{{"response", response_}}, out);
  }

  ResponseAnswer answer_;
  TextProbabilities probabilities_;
  bool begun_ = false;
  int64_t sequence_ = 0;
  int64_t index_ = 0;  // of the open item
  Open open_ = Open::kNothing;
  bool custom_ = false;  // the open call is of a custom tool
  Json item_;
  std::string text_;  // of the open item: its text, thought or arguments
  Json logprobs_;
  Json output_ = Json::MakeArray();
  Message said_{Role::kAssistant, std::vector<Part>()};
  Json response_;
};

}  // namespace

std::unique_ptr<AnswerWriter> NewResponseWriter(ResponseAnswer answer) {
  return std::make_unique<ResponseWriter>(std::move(answer));
}

}  // namespace carat
