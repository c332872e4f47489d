#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/utf8.h"
#include "chat/messages_json.h"
#include "cli/chat_model.h"
#include "cli/command.h"
#include "cli/read_file.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "cli/tools_file.h"

namespace carat {
namespace {

struct RenderArguments {
  std::vector<std::string> files;  // [model] messages
  std::string chat_format;
  std::string tools;
  bool think = false;
  bool preserve_thinking = false;
  bool prefill = false;
  bool no_answer = false;
  bool keep_faults = false;
  bool ids = false;
  bool json = false;
};

Result<RenderOptions> OptionsOf(const RenderArguments& arguments,
                                const Conversation& conversation,
                                const ChatFormat& format) {
  RenderOptions options;
  options.tools = conversation.tools;
  if (!arguments.tools.empty()) {
    CARAT_ASSIGN_OR_RETURN(ToolsFile tools, ReadToolsFile(arguments.tools));
    options.tools = std::move(tools.declarations);
  }
  options.think = arguments.think || conversation.think.value_or(false);
  options.preserve_thinking = arguments.preserve_thinking ||
                              conversation.preserve_thinking.value_or(false);
  if (arguments.prefill) {
    options.ending = PromptEnding::kPrefill;
  } else if (arguments.no_answer || !conversation.generate.value_or(true)) {
    options.ending = PromptEnding::kNone;
  }
  if (arguments.keep_faults) options.faults = TemplateFaults::kKeep;
  if (options.think && !format.supports_thinking()) {
    return FailedPrecondition(
        fmt::format("The chat format '{}' has no thinking; leave --think out.",
                    format.name()));
  }
  if (!options.tools.empty() && !format.supports_tools()) {
    return FailedPrecondition(
        fmt::format("The chat format '{}' has no tool calls; leave the tools "
                    "out.",
                    format.name()));
  }
  return options;
}

// Media become one placeholder token each: their real number of tokens is
// known only once the file has been looked at.
Result<std::vector<TokenId>> IdsOf(const ChatModel& model,
                                   std::vector<Segment> segments) {
  int slots = 0;
  for (Segment& segment : segments) {
    if (segment.kind != Segment::Kind::kMedia) continue;
    segment.kind = Segment::Kind::kControl;
    segment.media = {};
    ++slots;
  }
  if (slots > 0) {
    PrintNote(fmt::format(
        "carat: note: {} media stand as one placeholder token each; a model "
        "reads many in their place.",
        slots));
  }
  return TokenizeSegments(*model.tokenizer, segments,
                          model.format->syntax().reserved);
}

Json SegmentsToJson(const RenderedPrompt& prompt) {
  constexpr const char* kKinds[] = {"control", "text", "media"};
  Json segments = Json::MakeArray();
  for (const Segment& segment : prompt.segments) {
    Json json = Json::MakeObject();
    json.Set("kind", kKinds[static_cast<size_t>(segment.kind)]);
    json.Set("text", SanitizeUtf8(segment.text));
    if (segment.count > 1) json.Set("count", segment.count);
    segments.Append(std::move(json));
  }
  return segments;
}

void PrintSegments(std::span<const Segment> segments) {
  if (!StdoutIsTerminal()) {
    Print(SegmentsToString(segments));
    return;
  }
  std::string out;
  for (const Segment& segment : segments) {
    const std::string text = WithoutControls(SegmentsToString({&segment, 1}));
    switch (segment.kind) {
      case Segment::Kind::kControl:
        out += OnStdout(Colour::kCyan, text);
        break;
      case Segment::Kind::kText:
        out += text;
        break;
      case Segment::Kind::kMedia:
        out += OnStdout(Colour::kMagenta, text);
        break;
    }
  }
  Print(out + "\n");
}

Result<ChatModel> OpenModel(const RenderArguments& arguments) {
  if (arguments.files.size() == 2) {
    return OpenChatModel(arguments.files[0], arguments.chat_format);
  }
  ChatModel out;
  CARAT_ASSIGN_OR_RETURN(out.format, MakeChatFormat(arguments.chat_format));
  return out;
}

int Render(const RenderArguments& arguments) {
  if (arguments.files.size() == 1 &&
      (arguments.chat_format.empty() || arguments.ids)) {
    return FailUsage(
        arguments.ids
            ? "--ids needs a MODEL for its vocabulary. See carat render --help."
            : "Give a MODEL before the messages, or --chat-format. See carat "
              "render --help.");
  }
  const auto model = OpenModel(arguments);
  if (!model.ok()) return Fail(model.status());
  const std::string& path = arguments.files.back();
  const auto text = ReadTextFile(path);
  if (!text.ok()) return Fail(text.status());
  const auto conversation = ConversationFromJson(*text);
  if (!conversation.ok()) return Fail(conversation.status().WithContext(path));
  const auto options = OptionsOf(arguments, *conversation, *model->format);
  if (!options.ok()) return Fail(options.status());
  const auto prompt = model->format->Render(conversation->messages, *options);
  if (!prompt.ok()) return Fail(prompt.status());
  std::vector<TokenId> ids;
  if (arguments.ids) {
    auto result = IdsOf(*model, prompt->segments);
    if (!result.ok()) return Fail(result.status());
    ids = std::move(*result);
  }
  if (!arguments.json) {
    if (arguments.ids) {
      Print(fmt::format("{}\n", fmt::join(ids, " ")));
    } else {
      PrintSegments(prompt->segments);
    }
    return kExitOk;
  }
  Json out = Json::MakeObject();
  out.Set("chat_format", model->format->name());
  out.Set("segments", SegmentsToJson(*prompt));
  out.Set("output_starts_in",
          prompt->state == OutputState::kThought ? "thought" : "content");
  if (arguments.ids) {
    Json::Array list(ids.begin(), ids.end());
    out.Set("ids", Json(std::move(list)));
  }
  Print(out.Dump() + "\n");
  return kExitOk;
}

}  // namespace

void AddRenderCommand(CLI::App& app, CommandMain* chosen) {
  CLI::App* command =
      app.add_subcommand("render", "Show the exact prompt of a conversation");
  auto a = std::make_shared<RenderArguments>();
  command
      ->add_option("FILES", a->files,
                   "MODEL (not needed with --chat-format), then the messages "
                   "as JSON (- for stdin)")
      ->required()
      ->expected(1, 2)
      ->type_name("[MODEL] MESSAGES");
  command->add_option("--chat-format", a->chat_format,
                      "Force a chat format, e.g. gemma4-small");
  command->add_option("--tools", a->tools, "Tools to declare, as JSON")
      ->type_name("FILE");
  command->add_flag("--think", a->think, "Switch thinking on");
  command->add_flag("--preserve-thinking", a->preserve_thinking,
                    "Keep thoughts of earlier turns that called tools");
  auto* prefill = command->add_flag(
      "--prefill", a->prefill, "End inside the last message, the assistant's");
  command
      ->add_flag("--no-answer", a->no_answer,
                 "End behind the last message, without opening an answer")
      ->excludes(prefill);
  command->add_flag("--keep-faults", a->keep_faults,
                    "The official template's own bytes, faults included");
  command->add_flag("--ids", a->ids, "Print token ids instead");
  command->add_flag("--json", a->json,
                    "Print segments: control tokens, text and media apart");
  command->footer(
      "On a terminal control tokens are cyan and places of media magenta; in "
      "a pipe\nthe prompt comes out byte for byte. MESSAGES is a list in the "
      "OpenAI style, or an\nobject with \"messages\" and maybe \"tools\".\n"
      "\n"
      "Examples:\n"
      "  carat render gemma4 messages.json\n"
      "  carat render gemma4 messages.json --ids\n"
      "  carat render --chat-format gemma4-large --think messages.json\n"
      "  echo '[{\"role\":\"user\",\"content\":\"Hi\"}]' | carat render gemma4 "
      "-");
  command->callback([a, chosen] { *chosen = [a] { return Render(*a); }; });
}

}  // namespace carat
