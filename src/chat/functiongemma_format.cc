#include "chat/conversation.h"
#include "chat/gemma3_format.h"
#include "chat/python_text.h"
#include "chat/tool_syntax.h"

namespace carat {
namespace {

constexpr std::string_view kTurnOpen = "<start_of_turn>";
constexpr std::string_view kTurnClose = "<end_of_turn>";
constexpr std::string_view kCallOpen = "<start_function_call>";
constexpr std::string_view kCallClose = "<end_function_call>";
constexpr std::string_view kResultOpen = "<start_function_response>";
constexpr std::string_view kResultClose = "<end_function_response>";
constexpr std::string_view kQuote = "<escape>";

// Without this sentence in front of the declarations the model does not call.
constexpr std::string_view kInstruction =
    "You are a model that can do function calling with the following "
    "functions";

constexpr ToolSpelling kSpelling = {.quote = kQuote, .always_describe = true};

class Renderer {
 public:
  explicit Renderer(const RenderOptions& options)
      : options_(options), repair_(options.faults == TemplateFaults::kRepair) {}

  Result<RenderedPrompt> Render(std::span<const Message> messages) {
    out_.Control("<bos>");
    CARAT_ASSIGN_OR_RETURN(const size_t consumed, DeveloperTurn(messages));
    CARAT_ASSIGN_OR_RETURN(
        const std::vector<Turn> turns,
        SortIntoTurns(messages.subspan(consumed), options_.faults));
    if (options_.ending == PromptEnding::kPrefill &&
        (turns.empty() || turns.back().role != Role::kAssistant ||
         !turns.back().calls.empty())) {
      return InvalidArgument(
          "To go on inside the last message it must be the assistant's and "
          "hold no tool calls.");
    }
    bool open = false;  // inside a model turn
    for (size_t i = 0; i < turns.size(); ++i) {
      const Turn* next = i + 1 < turns.size() ? &turns[i + 1] : nullptr;
      CARAT_RETURN_IF_ERROR(OneTurn(turns[i], next, &open));
    }
    if (options_.ending == PromptEnding::kGenerate && !open) {
      out_.Control(kTurnOpen);
      out_.Text("model\n");
    }
    return RenderedPrompt{out_.Take(), OutputState::kContent};
  }

 private:
  Result<size_t> DeveloperTurn(std::span<const Message> messages) {
    const bool given =
        !messages.empty() && (messages.front().role == Role::kSystem ||
                              messages.front().role == Role::kDeveloper);
    if (!given && options_.tools.empty()) return size_t{0};
    out_.Control(kTurnOpen);
    out_.Text("developer\n");
    if (given) {
      for (const Part& part : messages.front().parts) {
        const Text* text = std::get_if<Text>(&part);
        if (text != nullptr) out_.Text(PythonStrip(text->text));
      }
    } else if (repair_) {
      out_.Text(kInstruction);
    }
    for (const ToolDeclaration& tool : options_.tools) {
      out_.Control("<start_function_declaration>");
      CARAT_RETURN_IF_ERROR(WriteDeclaration(
          WithParameters(tool), kSpelling,
          repair_ ? SchemaShape::kNormalize : SchemaShape::kAsGiven, &out_));
      out_.Control("<end_function_declaration>");
    }
    out_.Control(kTurnClose);
    out_.Text("\n");
    return given ? size_t{1} : size_t{0};
  }

  // A function that takes nothing still declares an object.
  static ToolDeclaration WithParameters(ToolDeclaration tool) {
    if (tool.parameters.empty()) tool.parameters = R"({"type":"object"})";
    return tool;
  }

  Status OneTurn(const Turn& turn, const Turn* next, bool* open) {
    const bool model = turn.role == Role::kAssistant;
    if (!(model && *open)) {
      out_.Control(kTurnOpen);
      out_.Text(RoleWord(turn.role));
      out_.Text("\n");
    }
    *open = false;
    for (const Part* part : turn.content) {
      const Text* text = std::get_if<Text>(part);
      if (text == nullptr) {
        return Unsupported(
            "FunctionGemma reads text only, but a message "
            "holds media.");
      }
      out_.Text(PythonStrip(text->text));
    }
    for (size_t c = 0; c < turn.calls.size(); ++c) {
      out_.Control(kCallOpen);
      out_.Text("call:" + turn.calls[c]->name + "{");
      WriteMembers(turn.arguments[c], kSpelling, &out_);
      out_.Text("}");
      out_.Control(kCallClose);
    }
    for (const AnsweredCall& answer : turn.results) {
      CARAT_RETURN_IF_ERROR(Answer(answer));
    }
    if (next == nullptr && options_.ending == PromptEnding::kPrefill) {
      return OkStatus();
    }
    if (!turn.calls.empty()) {
      const bool model_next = next != nullptr && next->role == Role::kAssistant;
      if (next == nullptr && turn.results.empty()) out_.Control(kResultOpen);
      *open = next == nullptr || model_next;
      if (*open) return OkStatus();
    }
    out_.Control(kTurnClose);
    out_.Text("\n");
    return OkStatus();
  }

  static std::string_view RoleWord(Role role) {
    switch (role) {
      case Role::kAssistant:
        return "model";
      case Role::kSystem:
      case Role::kDeveloper:
        return "developer";
      default:
        return "user";
    }
  }

  Status Answer(const AnsweredCall& answer) {
    // The trained transcripts show results as objects, so text that is a JSON
    // object is shown as one.
    CARAT_ASSIGN_OR_RETURN(ExactJson value, ResultValue(*answer.result, true));
    if (!answer.result->media.empty()) {
      return Unsupported(
          "FunctionGemma reads text only, but a tool returned media.");
    }
    out_.Control(kResultOpen);
    out_.Text("response:" + answer.name + "{");
    if (value.is_object()) {
      WriteMembers(value, kSpelling, &out_);
    } else {
      out_.Text("value:");
      WriteValue(value, KeyStyle::kBare, kSpelling, &out_);
    }
    out_.Text("}");
    out_.Control(kResultClose);
    return OkStatus();
  }

  const RenderOptions& options_;
  const bool repair_;
  SegmentBuilder out_;
};

}  // namespace

const ChatSyntax& FunctionGemmaFormat::syntax() const {
  static const ChatSyntax kSyntax = {
      .thought_open = {},
      .thought_name = {},
      .thought_close = {},
      .call_open = kCallOpen,
      .call_close = kCallClose,
      .quote = kQuote,
      .result_open = kResultOpen,
      .turn_end = kTurnClose,
      .trim = AnswerTrim::kBothEnds,
      .reserved = {kTurnOpen, kTurnClose, kCallOpen, kCallClose, kResultOpen,
                   kResultClose, kQuote, "<start_function_declaration>",
                   "<end_function_declaration>"},
      .suppressed = {"<start_of_image>", "<image_soft_token>",
                     "<end_of_image>"},
  };
  return kSyntax;
}

Result<RenderedPrompt> FunctionGemmaFormat::Render(
    std::span<const Message> messages, const RenderOptions& options) const {
  CARAT_RETURN_IF_ERROR(CheckSupported(*this, options));
  return Renderer(options).Render(messages);
}

}  // namespace carat
