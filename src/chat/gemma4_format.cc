#include "chat/gemma4_format.h"

#include <algorithm>

#include "chat/conversation.h"
#include "chat/python_text.h"
#include "chat/tool_syntax.h"

namespace carat {
namespace {

constexpr std::string_view kBos = "<bos>";
constexpr std::string_view kTurnOpen = "<|turn>";
constexpr std::string_view kTurnClose = "<turn|>";
constexpr std::string_view kChannelOpen = "<|channel>";
constexpr std::string_view kChannelClose = "<channel|>";
constexpr std::string_view kCallOpen = "<|tool_call>";
constexpr std::string_view kCallClose = "<tool_call|>";
constexpr std::string_view kResultOpen = "<|tool_response>";
constexpr std::string_view kResultClose = "<tool_response|>";
constexpr std::string_view kQuote = "<|\"|>";

ToolSpelling SpellingOf(int revision) {
  return {.quote = kQuote,
          .null_word = revision >= 4 ? "null" : "None",
          .nullable_early = revision == 1,
          .comma_before_nested = revision == 1,
          .drop_keyword_properties = revision <= 2};
}

// Thoughts that a client left inside the text of an old answer, removed: the
// part of every piece before <channel|> from <|channel> on. An unclosed
// <|channel> takes the rest of the text with it.
std::string StripThoughts(std::string_view text) {
  std::string kept;
  for (;;) {
    const size_t close = text.find(kChannelClose);
    const std::string_view piece = text.substr(0, close);
    kept += piece.substr(0, piece.find(kChannelOpen));
    if (close == text.npos) break;
    text.remove_prefix(close + kChannelClose.size());
  }
  return std::string(PythonStrip(kept));
}

// Writes one conversation. What happened last decides how a turn is closed
// and how the prompt ends, as in the template.
class Renderer {
 public:
  Renderer(Gemma4Revision revision, const RenderOptions& options)
      : revision_(revision.number),
        large_(revision.large),
        options_(options),
        repair_(options.faults == TemplateFaults::kRepair),
        spelling_(SpellingOf(revision.number)) {}

  Result<RenderedPrompt> Render(std::span<const Message> messages) {
    out_.Control(kBos);
    CARAT_ASSIGN_OR_RETURN(size_t consumed, SystemTurn(messages));
    messages = messages.subspan(consumed);
    if (revision_ == 1 && !repair_) {
      CARAT_RETURN_IF_ERROR(FirstRevisionTurns(messages));
    } else {
      CARAT_RETURN_IF_ERROR(Turns(messages));
    }
    if (options_.ending == PromptEnding::kGenerate) GenerationPrompt();
    return RenderedPrompt{out_.Take(), state_};
  }

 private:
  enum class Last { kOther, kCall, kResult };

  // The one system turn in front: switch, instructions, declarations. Returns
  // how many messages it used up.
  Result<size_t> SystemTurn(std::span<const Message> messages) {
    const bool given =
        !messages.empty() && (messages.front().role == Role::kSystem ||
                              messages.front().role == Role::kDeveloper);
    if (!given && !options_.think && options_.tools.empty()) return size_t{0};
    out_.Control(kTurnOpen);
    out_.Text("system\n");
    if (options_.think) {
      out_.Control("<|think|>");
      if (revision_ >= 2) out_.Text("\n");
    }
    if (given) SystemText(messages.front());
    for (const ToolDeclaration& tool : options_.tools) {
      out_.Control("<|tool>");
      CARAT_RETURN_IF_ERROR(WriteDeclaration(
          tool, spelling_,
          repair_ ? SchemaShape::kNormalize : SchemaShape::kAsGiven, &out_));
      out_.Control("<tool|>");
    }
    CloseTurn();
    return given ? size_t{1} : size_t{0};
  }

  // One part is written as it is, several with a space behind each.
  void SystemText(const Message& message) {
    const bool several = message.parts.size() > 1;
    for (const Part& part : message.parts) {
      const Text* text = std::get_if<Text>(&part);
      if (text != nullptr) out_.Text(PythonStrip(text->text));
      if (several) out_.Text(" ");
    }
  }

  Status Turns(std::span<const Message> messages) {
    CARAT_ASSIGN_OR_RETURN(const std::vector<Turn> turns,
                           SortIntoTurns(messages, options_.faults));
    if (options_.ending == PromptEnding::kPrefill) {
      if (turns.empty() || turns.back().role != Role::kAssistant ||
          !turns.back().calls.empty()) {
        return InvalidArgument(
            "To go on inside the last message it must be the assistant's and "
            "hold no tool calls.");
      }
    }
    size_t after_user = 0;  // the first turn behind the last user's
    for (size_t i = 0; i < turns.size(); ++i) {
      if (turns[i].role == Role::kUser) after_user = i + 1;
    }
    for (size_t i = 0; i < turns.size(); ++i) {
      CARAT_RETURN_IF_ERROR(OneTurn(turns, i, i >= after_user));
    }
    return OkStatus();
  }

  Status OneTurn(const std::vector<Turn>& turns, size_t i, bool current) {
    const Turn& turn = turns[i];
    const bool model = turn.role == Role::kAssistant;
    const bool goes_on = model && i > 0 && (revision_ >= 2 || repair_) &&
                         turns[i - 1].role == Role::kAssistant;
    if (!goes_on) OpenTurn(turn.role);
    last_ = Last::kOther;
    const bool at_end = i + 1 == turns.size();
    const bool prefill = at_end && options_.ending == PromptEnding::kPrefill;
    if (prefill && turn.content.empty() && !turn.thought.empty()) {
      OpenThought(turn.thought);  // the model goes on thinking
      return OkStatus();
    }
    ThoughtOf(turn, current);

    const std::string content_text = PlainContent(turn);
    if (repair_) Content(turn);  // as the model produced it: before its calls
    for (size_t c = 0; c < turn.calls.size(); ++c) {
      Call(*turn.calls[c], turn.arguments[c]);
    }
    for (const AnsweredCall& answer : turn.results) {
      CARAT_RETURN_IF_ERROR(Answer(answer));
    }
    if (!repair_) Content(turn);

    if (prefill) return OkStatus();
    const Turn* next = at_end ? nullptr : &turns[i + 1];
    repair_ ? CloseRepaired(turn, next)
            : CloseAsTemplate(turn, next, !content_text.empty());
    return OkStatus();
  }

  void OpenTurn(Role role) {
    out_.Control(kTurnOpen);
    switch (role) {
      case Role::kAssistant:
        out_.Text("model");
        break;
      case Role::kDeveloper:
        out_.Text(repair_ ? "system" : "developer");
        break;
      default:
        out_.Text(RoleName(role));
    }
    out_.Text("\n");
  }

  void CloseTurn() {
    out_.Control(kTurnClose);
    out_.Text("\n");
  }

  void ThoughtOf(const Turn& turn, bool current) {
    if (turn.thought.empty() || revision_ == 1) return;
    const bool has_calls = !turn.calls.empty();
    const bool shown =
        revision_ >= 4 ? current || (options_.preserve_thinking && has_calls)
                       : current && has_calls;
    if (!shown) return;
    OpenThought(turn.thought);
    out_.Text("\n");
    out_.Control(kChannelClose);
    state_ = OutputState::kContent;
  }

  void OpenThought(std::string_view thought) {
    out_.Control(kChannelOpen);
    out_.Text("thought\n");
    out_.Text(thought);
    state_ = OutputState::kThought;
  }

  void Call(const ToolCall& call, const ExactJson& arguments) {
    out_.Control(kCallOpen);
    out_.Text("call:" + call.name + "{");
    WriteMembers(arguments, spelling_, &out_);
    out_.Text("}");
    out_.Control(kCallClose);
    last_ = Last::kCall;
  }

  Status Answer(const AnsweredCall& answer) {
    CARAT_ASSIGN_OR_RETURN(
        ExactJson value,
        ResultValue(*answer.result, options_.parse_json_results));
    out_.Control(kResultOpen);
    out_.Text("response:" + answer.name + "{");
    if (value.is_object()) {
      WriteMembers(value, spelling_, &out_);
    } else {
      out_.Text("value:");
      WriteValue(value, KeyStyle::kBare, spelling_, &out_);
    }
    out_.Text("}");
    out_.Control(kResultClose);
    last_ = Last::kResult;
    if (revision_ < 4 && !repair_) return OkStatus();
    for (const Media& media : answer.result->media) Place(media);
    return OkStatus();
  }

  void Place(const Media& media) {
    switch (media.kind) {
      case MediaKind::kImage:
        out_.Place("<|image|>", media);
        break;
      case MediaKind::kAudio:
        out_.Place("<|audio|>", media);
        break;
      case MediaKind::kVideo:
        out_.Place("<|video|>", media);
        break;
    }
  }

  static std::string CleanText(const Turn& turn, const Text& text) {
    if (turn.role == Role::kAssistant) return StripThoughts(text.text);
    return std::string(PythonStrip(text.text));
  }

  // What decides whether a turn has content: its text form, stripped; v2 asks
  // for the unrendered field instead.
  std::string PlainContent(const Turn& turn) const {
    std::string joined;
    for (const Part* part : turn.content) {
      const Text* text = std::get_if<Text>(part);
      if (text == nullptr || revision_ <= 2) {
        joined += text == nullptr ? "<media>" : text->text;
      } else {
        joined += CleanText(turn, *text);
      }
    }
    return revision_ <= 2 ? joined : std::string(PythonStrip(joined));
  }

  void Content(const Turn& turn) {
    for (const Part* part : turn.content) {
      if (const Text* text = std::get_if<Text>(part)) {
        out_.Text(CleanText(turn, *text));
        continue;
      }
      const Media& media = std::get<Media>(*part);
      // v1 set images and videos off with blank lines.
      const bool apart = revision_ == 1 && media.kind != MediaKind::kAudio;
      if (apart) out_.Text("\n\n");
      Place(media);
      if (apart) out_.Text("\n\n");
      if (revision_ < 4 && !repair_) last_ = Last::kOther;
    }
  }

  void CloseAsTemplate(const Turn& turn, const Turn* next, bool has_content) {
    const bool model = turn.role == Role::kAssistant;
    const bool answered = !turn.results.empty();
    if (last_ == Last::kCall && !answered) {
      out_.Control(kResultOpen);
      return;
    }
    if (revision_ >= 4) {
      const bool continues = model && next != nullptr &&
                             next->role == Role::kAssistant &&
                             (turn.calls.empty() || answered);
      if (continues) return;
      if (answered && !has_content && next == nullptr) return;
    } else if (answered && !has_content) {
      return;
    }
    CloseTurn();
  }

  void CloseRepaired(const Turn& turn, const Turn* next) {
    const bool model_next = next != nullptr && next->role == Role::kAssistant;
    if (turn.role == Role::kAssistant) {
      if (model_next) return;  // the same turn goes on
      if (next == nullptr && !turn.results.empty()) return;
      if (next == nullptr && !turn.calls.empty()) {
        out_.Control(kResultOpen);
        return;
      }
    }
    CloseTurn();
  }

  // v1 knew no tool messages: they became turns of their own.
  Status FirstRevisionTurns(std::span<const Message> messages) {
    for (const Message& message : messages) {
      OpenTurn(message.role);
      last_ = Last::kOther;
      CARAT_ASSIGN_OR_RETURN(
          const std::vector<Turn> turns,
          SortIntoTurns(message.role == Role::kTool
                            ? std::span<const Message>()
                            : std::span<const Message>(&message, 1),
                        options_.faults));
      if (turns.empty()) {
        for (const Part& part : message.parts) {
          const ToolResult* result = std::get_if<ToolResult>(&part);
          if (result != nullptr) out_.Text(PythonStrip(result->content));
        }
      } else {
        for (size_t c = 0; c < turns[0].calls.size(); ++c) {
          Call(*turns[0].calls[c], turns[0].arguments[c]);
        }
        Content(turns[0]);
      }
      CloseTurn();
    }
    return OkStatus();
  }

  void GenerationPrompt() {
    if (last_ == Last::kResult) {
      if (revision_ >= 4 && options_.think) OpenThought("");
      return;
    }
    if (last_ == Last::kCall && revision_ >= 2) return;
    out_.Control(kTurnOpen);
    out_.Text("model\n");
    if (large_ && revision_ >= 2 && !options_.think) {
      out_.Control(kChannelOpen);
      out_.Text("thought\n");
      out_.Control(kChannelClose);
    }
  }

  const int revision_;
  const bool large_;
  const RenderOptions& options_;
  const bool repair_;
  const ToolSpelling spelling_;
  SegmentBuilder out_;
  Last last_ = Last::kOther;
  OutputState state_ = OutputState::kContent;
};

}  // namespace

const ChatSyntax& Gemma4Format::syntax() const {
  static const ChatSyntax kSyntax = {
      .thought_open = kChannelOpen,
      .thought_name = "thought",
      .thought_close = kChannelClose,
      .call_open = kCallOpen,
      .call_close = kCallClose,
      .quote = kQuote,
      .result_open = kResultOpen,
      .turn_end = kTurnClose,
      .trim = AnswerTrim::kBothEnds,
      .reserved = {kTurnOpen, kTurnClose, kChannelOpen, kChannelClose,
                   kCallOpen, kCallClose, kResultOpen, kResultClose, kQuote,
                   "<|tool>", "<tool|>", "<|think|>", "<|image>", "<|image|>",
                   "<image|>", "<|audio>", "<|audio|>", "<audio|>",
                   "<|video|>"},
      .suppressed = {"<|image>", "<|image|>", "<image|>", "<|audio>",
                     "<|audio|>", "<audio|>", "<|video|>"},
  };
  return kSyntax;
}

Result<RenderedPrompt> Gemma4Format::Render(
    std::span<const Message> messages, const RenderOptions& options) const {
  return Renderer(revision_, options).Render(messages);
}

}  // namespace carat
