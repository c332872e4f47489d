#include "chat/gemma3_format.h"

#include <fmt/format.h>

#include "chat/python_text.h"

namespace carat {
namespace {

constexpr std::string_view kTurnOpen = "<start_of_turn>";
constexpr std::string_view kTurnClose = "<end_of_turn>";

bool IsInstruction(Role role) {
  return role == Role::kSystem || role == Role::kDeveloper;
}

// One turn in the making: what stands before its content untouched, and the
// messages whose parts follow.
struct Gemma3Turn {
  Role role = Role::kUser;
  std::string prefix;
  std::vector<const Message*> messages;
};

// The texts of a system message. The template takes the first part alone;
// the repaired form takes all, a line each.
std::string InstructionText(const Message& message, bool repair) {
  std::string joined;
  bool first = true;
  for (const Part& part : message.parts) {
    const Text* text = std::get_if<Text>(&part);
    if (text == nullptr) continue;
    if (!first && !repair) break;
    if (!first) joined += "\n";
    first = false;
    joined += text->text;
  }
  return joined;
}

Status CheckParts(const Message& message) {
  for (const Part& part : message.parts) {
    if (std::holds_alternative<ToolCall>(part) ||
        std::holds_alternative<ToolResult>(part)) {
      return Unsupported(
          "Gemma 3 has no notation for tool calls and results. Use "
          "FunctionGemma or Gemma 4 for tools.");
    }
    const Media* media = std::get_if<Media>(&part);
    if (media != nullptr && media->kind != MediaKind::kImage) {
      return Unsupported(
          "Gemma 3 reads text and images, but a message holds audio or video.");
    }
  }
  return OkStatus();
}

// Neighbours of one role become one turn, and system messages go in front of
// the next user turn: the model was trained on alternating turns only.
std::vector<Gemma3Turn> MergeTurns(std::span<const Message> messages,
                                   bool repair) {
  std::vector<Gemma3Turn> turns;
  std::string prefix;
  for (const Message& message : messages) {
    if (IsInstruction(message.role)) {
      prefix += InstructionText(message, repair) + "\n\n";
      continue;
    }
    const bool same = repair && prefix.empty() && !turns.empty() &&
                      turns.back().role == message.role;
    if (!same) {
      turns.push_back({.role = message.role, .prefix = prefix, .messages = {}});
      prefix.clear();
    }
    turns.back().messages.push_back(&message);
  }
  if (!prefix.empty() && repair) {
    // Nothing follows the instructions: they are what the user says.
    turns.push_back({.role = Role::kUser,
                     .prefix = std::string(PythonStrip(prefix)),
                     .messages = {}});
  }
  return turns;
}

Status CheckAlternation(const std::vector<Gemma3Turn>& turns) {
  for (size_t i = 0; i < turns.size(); ++i) {
    if ((turns[i].role == Role::kUser) != (i % 2 == 0)) {
      return InvalidArgument(
          "Conversation roles must alternate between user and assistant.");
    }
  }
  return OkStatus();
}

void WriteTurn(const Gemma3Turn& turn, SegmentBuilder* out) {
  out->Control(kTurnOpen);
  out->Text(turn.role == Role::kAssistant ? "model\n" : "user\n");
  out->Text(turn.prefix);
  for (size_t m = 0; m < turn.messages.size(); ++m) {
    if (m > 0) out->Text("\n\n");
    for (const Part& part : turn.messages[m]->parts) {
      if (const Text* text = std::get_if<Text>(&part)) {
        out->Text(PythonStrip(text->text));
      } else if (const Media* media = std::get_if<Media>(&part)) {
        out->Place("<start_of_image>", *media);
      }
    }
  }
}

}  // namespace

Status CheckSupported(const ChatFormat& format, const RenderOptions& options) {
  if (!options.tools.empty() && !format.supports_tools()) {
    return Unsupported(fmt::format(
        "The chat format {} has no notation for tools. Use FunctionGemma or "
        "Gemma 4 for tool calls.",
        format.name()));
  }
  if (options.think && !format.supports_thinking()) {
    return Unsupported(fmt::format(
        "The chat format {} cannot switch thinking on; Gemma 4 can.",
        format.name()));
  }
  return OkStatus();
}

const ChatSyntax& Gemma3Format::syntax() const {
  // MedGemma thinks between two unused tokens; others never emit them.
  static const ChatSyntax kSyntax = {
      .thought_open = "<unused94>",
      .thought_name = "thought",
      .thought_close = "<unused95>",
      .thought_only_first = true,
      .call_open = {},
      .call_close = {},
      .quote = {},
      .result_open = {},
      .turn_end = kTurnClose,
      .trim = AnswerTrim::kFinalNewline,
      .reserved = {kTurnOpen, kTurnClose, "<start_of_image>",
                   "<image_soft_token>", "<end_of_image>"},
      .suppressed = {"<start_of_image>", "<image_soft_token>",
                     "<end_of_image>"},
  };
  return kSyntax;
}

Result<RenderedPrompt> Gemma3Format::Render(
    std::span<const Message> messages, const RenderOptions& options) const {
  CARAT_RETURN_IF_ERROR(CheckSupported(*this, options));
  for (const Message& message : messages) {
    CARAT_RETURN_IF_ERROR(CheckParts(message));
  }
  const bool repair = options.faults == TemplateFaults::kRepair;
  const std::vector<Gemma3Turn> turns = MergeTurns(messages, repair);
  if (!repair) CARAT_RETURN_IF_ERROR(CheckAlternation(turns));
  const bool prefill = options.ending == PromptEnding::kPrefill;
  if (prefill && (turns.empty() || turns.back().role != Role::kAssistant)) {
    return InvalidArgument(
        "To go on inside the last message it must be the assistant's.");
  }
  SegmentBuilder out;
  out.Control("<bos>");
  for (const Gemma3Turn& turn : turns) {
    WriteTurn(turn, &out);
    if (prefill && &turn == &turns.back()) break;
    out.Control(kTurnClose);
    out.Text("\n");
  }
  if (options.ending == PromptEnding::kGenerate) {
    out.Control(kTurnOpen);
    out.Text("model\n");
  }
  return RenderedPrompt{out.Take(), OutputState::kContent};
}

const ChatSyntax& PlainFormat::syntax() const {
  static const ChatSyntax kSyntax = {};
  return kSyntax;
}

Result<RenderedPrompt> PlainFormat::Render(std::span<const Message> messages,
                                           const RenderOptions& options) const {
  CARAT_RETURN_IF_ERROR(CheckSupported(*this, options));
  SegmentBuilder out;
  out.Control("<bos>");
  bool first = true;
  for (const Message& message : messages) {
    for (const Part& part : message.parts) {
      if (!std::holds_alternative<Text>(part) &&
          !std::holds_alternative<Thought>(part)) {
        return Unsupported(
            "A base model completes plain text; the conversation holds media "
            "or tool calls. Use an instruction-tuned model for those.");
      }
    }
    const std::string text = message.text();
    if (text.empty()) continue;
    if (!first) out.Text("\n\n");
    first = false;
    out.Text(text);
  }
  return RenderedPrompt{out.Take(), OutputState::kContent};
}

}  // namespace carat
