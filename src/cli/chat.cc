#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "cli/chat_tools.h"
#include "cli/command.h"
#include "cli/engine_options.h"
#include "cli/generate.h"
#include "cli/line_editor.h"
#include "cli/sampling_options.h"
#include "cli/shape_options.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "cli/transcript.h"
#include "store/roots.h"

namespace carat {
namespace {

constexpr const char* kHelp =
    "/help          this text\n"
    "/clear         forget the conversation\n"
    "/system TEXT   instructions for the model; without TEXT shows them\n"
    "/save FILE     write the conversation as JSON\n"
    "/load FILE     go on with a saved conversation\n"
    "/stats         tokens, speed and memory so far\n"
    "/quit          leave (Ctrl-D does, too)\n"
    "A line that ends with \\ goes on in the next one. Text between lines of\n"
    "\"\"\" is one message. Begin with // to send a line that begins with /.\n"
    "Ctrl-C stops an answer.\n";

// A model that answers results with calls and nothing else is stopped here.
constexpr int kMaxRounds = 20;

struct ChatArguments {
  EngineArguments engine;
  SamplingArguments sampling;
  ShapeArguments shape;
  bool allow_tools = false;
  std::string system;
  bool no_history = false;
};

class ChatSession {
 public:
  ChatSession(const ChatArguments& arguments, const AnswerShape& shape,
              Engine& engine, LineEditor& editor)
      : arguments_(arguments),
        shape_(shape),
        engine_(engine),
        editor_(editor),
        tools_(shape.tools,
               arguments.allow_tools ? ToolPrograms::kAskEachTime
                                     : ToolPrograms::kForbidden,
               editor) {
    transcript_.system = arguments.system;
  }

  int Loop();

 private:
  enum class Input { kText, kEnd, kAgain };

  Input ReadInput(std::string* text);
  Input ReadBlock(std::string first, std::string* text);
  // False when the session ends.
  bool Obey(const std::string& line);
  void Answer(const std::string& text);
  Result<GenerateRequest> MakeRequest(int round) const;
  // One generation, added to the transcript; the calls it made. An error has
  // been told.
  Result<std::vector<ToolCall>> Generate(int round);
  void Count(const Done& done);
  void Save(const std::string& path);
  void Load(const std::string& path);
  void PrintStats() const;
  void Complain(const Status& status);

  const ChatArguments& arguments_;
  const AnswerShape& shape_;
  Engine& engine_;
  LineEditor& editor_;
  ChatTools tools_;
  Transcript transcript_;
  Usage total_;
  Done last_;
  int64_t answers_ = 0;
  int code_ = kExitOk;
};

void ChatSession::Complain(const Status& status) {
  const int code = Fail(status);
  // At a terminal the person has seen it and goes on.
  if (!editor_.interactive()) code_ = code;
}

ChatSession::Input ChatSession::ReadBlock(std::string first,
                                          std::string* text) {
  constexpr std::string_view kQuotes = "\"\"\"";
  std::string block = first.substr(kQuotes.size());
  for (;;) {
    const size_t close = block.find(kQuotes);
    if (close != std::string::npos) {
      *text = block.substr(0, close);
      if (text->starts_with('\n')) text->erase(0, 1);
      if (text->ends_with('\n')) text->pop_back();
      return Input::kText;
    }
    std::string line;
    switch (editor_.Read("... ", &line)) {
      case LineEnd::kInterrupted:
        return Input::kAgain;
      case LineEnd::kEndOfInput:
        *text = block;
        return Input::kText;
      case LineEnd::kLine:
        block += "\n" + line;
    }
  }
}

ChatSession::Input ChatSession::ReadInput(std::string* text) {
  text->clear();
  std::string line;
  const char* prompt = "> ";
  for (;;) {
    const LineEnd end = editor_.Read(prompt, &line);
    if (end == LineEnd::kInterrupted) {
      if (!editor_.interactive()) return Input::kEnd;
      PrintNote(Dim("(/quit or Ctrl-D leaves)"));
      return Input::kAgain;
    }
    if (end == LineEnd::kEndOfInput) {
      return text->empty() ? Input::kEnd : Input::kText;
    }
    if (text->empty() && line.starts_with("\"\"\"")) {
      return ReadBlock(line, text);
    }
    if (!line.ends_with('\\')) {
      *text += line;
      return Input::kText;
    }
    line.pop_back();
    *text += line + "\n";
    prompt = "... ";
  }
}

void ChatSession::Save(const std::string& path) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << TranscriptToJson(transcript_);
  file.flush();
  if (!file) {
    Complain(InvalidArgument(
        fmt::format("{} cannot be written.", QuoteForMessage(path, 200))));
    return;
  }
  PrintNote(fmt::format("{} messages saved to {}", transcript_.messages.size(),
                        path));
}

void ChatSession::Load(const std::string& path) {
  Result<Transcript> loaded = ReadTranscript(path);
  if (!loaded.ok()) {
    Complain(loaded.status());
    return;
  }
  transcript_ = std::move(loaded).value();
  PrintNote(fmt::format("{} messages loaded from {}",
                        transcript_.messages.size(), path));
}

void ChatSession::PrintStats() const {
  PrintNote(fmt::format(
      "{} answers; {} messages; context {} of {} tokens; prompt tokens {} "
      "({} reused), answer tokens {}; memory {} planned, {} at most so far",
      answers_, transcript_.messages.size(),
      Grouped(last_.usage.prompt_tokens + last_.usage.output_tokens),
      Grouped(engine_.context_tokens()), Grouped(total_.prompt_tokens),
      Grouped(total_.cached_tokens), Grouped(total_.output_tokens),
      HumanBytes(engine_.plan().total_bytes()), HumanBytes(PeakMemoryBytes())));
  if (answers_ > 0) PrintNote("last answer: " + TimingLine(last_));
}

bool ChatSession::Obey(const std::string& line) {
  const size_t blank = line.find_first_of(" \t\n");
  const std::string name = line.substr(0, blank);
  std::string rest;
  if (blank != std::string::npos) {
    const size_t from = line.find_first_not_of(" \t\n", blank);
    if (from != std::string::npos) rest = line.substr(from);
  }
  if (name == "/quit" || name == "/exit" || name == "/bye") return false;
  if (name == "/help") {
    PrintNote(kHelp);
  } else if (name == "/clear") {
    transcript_.messages.clear();
    last_ = Done();
    PrintNote("The conversation is forgotten.");
  } else if (name == "/system") {
    if (!rest.empty()) transcript_.system = rest;
    PrintNote(transcript_.system.empty() ? "No instructions are set."
                                         : "System: " + transcript_.system);
  } else if (name == "/stats") {
    PrintStats();
  } else if ((name == "/save" || name == "/load") && rest.empty()) {
    Complain(InvalidArgument(name + " needs a file name."));
  } else if (name == "/save") {
    Save(rest);
  } else if (name == "/load") {
    Load(rest);
  } else {
    Complain(InvalidArgument(fmt::format(
        "{} is no command; /help lists them. Begin with // to send the line "
        "to the model.",
        QuoteForMessage(name))));
  }
  return true;
}

Result<GenerateRequest> ChatSession::MakeRequest(int round) const {
  GenerateRequest request;
  request.messages = transcript_.WithSystem();
  CARAT_RETURN_IF_ERROR(
      ApplySampling(arguments_.sampling, engine_.info().sampling, &request));
  CARAT_RETURN_IF_ERROR(shape_.Apply(engine_.chat_format(), &request));
  // With its result there the call has been made; to require it again would
  // never end.
  if (round > 0 && request.tool_choice.mode == ToolChoice::Mode::kRequired) {
    request.tool_choice = ToolChoice();
  }
  return request;
}

void ChatSession::Count(const Done& done) {
  last_ = done;
  ++answers_;
  total_.prompt_tokens += done.usage.prompt_tokens;
  total_.cached_tokens += done.usage.cached_tokens;
  total_.output_tokens += done.usage.output_tokens;
  if (done.reason == FinishReason::kCancelled && !OutputClosed()) {
    PrintNote(Dim("(stopped)"));
    if (!editor_.interactive()) code_ = kExitInterrupted;
  }
  if (done.reason == FinishReason::kContextFull) {
    PrintNote(
        "carat: note: the context is full; /clear starts anew, --ctx makes it "
        "longer.");
  }
  if (done.reason == FinishReason::kMalformedCall) {
    Complain(Internal(done.error));
  }
  if (arguments_.engine.verbose) PrintNote(Dim(TimingLine(done)));
}

Result<std::vector<ToolCall>> ChatSession::Generate(int round) {
  CARAT_ASSIGN_OR_RETURN(const GenerateRequest request, MakeRequest(round));
  AnswerPrinter printer(arguments_.shape.show_thoughts ? Thoughts::kShow
                                                       : Thoughts::kHide);
  const Result<Done> done = RunGeneration(engine_, request, std::ref(printer));
  printer.EndLine();
  if (!done.ok()) return done.status();
  if (done->reason == FinishReason::kError) return Internal(done->error);
  transcript_.messages.push_back(printer.message());
  Count(*done);
  if (done->reason != FinishReason::kToolCalls) return std::vector<ToolCall>();
  return printer.calls();
}

void ChatSession::Answer(const std::string& text) {
  const size_t before = transcript_.messages.size();
  transcript_.messages.emplace_back(Role::kUser, text);
  bool go_on = true;
  for (int round = 0; go_on; ++round) {
    const Result<std::vector<ToolCall>> calls = Generate(round);
    if (!calls.ok()) {
      transcript_.messages.resize(before);
      return Complain(calls.status());
    }
    if (calls->empty()) return;
    transcript_.messages.push_back(tools_.Answer(*calls, &go_on));
    if (round + 1 == kMaxRounds) {
      PrintNote(fmt::format(
          "carat: note: {} rounds of calls and no answer; that is enough.",
          kMaxRounds));
      return;
    }
  }
}

int ChatSession::Loop() {
  while (!OutputClosed() && code_ != kExitInterrupted) {
    std::string text;
    const Input input = ReadInput(&text);
    if (input == Input::kEnd) break;
    if (input == Input::kAgain) continue;
    if (text.find_first_not_of(" \t\r\n") == std::string::npos) continue;
    editor_.Remember(text);
    if (text.starts_with("//")) {
      Answer(text.substr(1));
    } else if (text.starts_with('/')) {
      if (!Obey(text)) break;
    } else {
      Answer(SanitizeUtf8(text));
    }
  }
  return code_;
}

int Chat(const ChatArguments& arguments) {
  const auto shape = ReadShape(arguments.shape);
  if (!shape.ok()) return Fail(shape.status());
  auto engine = LoadEngine(arguments.engine);
  if (!engine.ok()) return Fail(engine.status());
  if ((*engine)->chat_format().name() == "none") {
    return Fail(FailedPrecondition(fmt::format(
        "{} is a base model without a chat format: it can only go on with a "
        "text. Use carat run, or force a format with --chat-format.",
        arguments.engine.model)));
  }
  GenerateRequest unused;
  const Status fits = shape->Apply((*engine)->chat_format(), &unused);
  if (!fits.ok()) return Fail(fits);
  const std::string cache = CacheFolder();
  const bool keep = !arguments.no_history && !cache.empty();
  const auto editor = LineEditor::Create(keep ? cache + "/chat_history" : "");
  if (editor->interactive() && !arguments.engine.quiet) {
    PrintNote(fmt::format("{}, context {} tokens. /help lists commands.",
                          arguments.engine.model,
                          Grouped((*engine)->context_tokens())));
  }
  return ChatSession(arguments, *shape, **engine, *editor).Loop();
}

}  // namespace

void AddChatCommand(CLI::App& app, CommandMain* chosen) {
  CLI::App* command = app.add_subcommand("chat", "Talk with a model");
  auto a = std::make_shared<ChatArguments>();
  AddModelOptions(*command, &a->engine);
  AddCacheOptions(*command, &a->engine);
  AddPackedCacheOptions(*command, &a->engine);
  command->add_option("--system", a->system, "Instructions for the model");
  command->add_flag("--no-history", a->no_history,
                    "Keep no history file of what is typed");
  AddChatFormatOption(*command, &a->engine);
  AddNoiseOptions(*command, &a->engine);
  AddShapeOptions(*command, &a->shape);
  command
      ->add_flag("--allow-tools", a->allow_tools,
                 "Run the \"command\" of a called tool, after asking")
      ->needs("--tools")
      ->group("Answer");
  AddSamplingOptions(*command, &a->sampling);
  command->footer(std::string("In the conversation:\n") + kHelp +
                  "\n"
                  "Examples:\n"
                  "  carat chat gemma3:1b\n"
                  "  carat chat gemma3:1b --system \"You are a pirate.\"\n"
                  "  carat chat gemma4 --think --tools tools.json "
                  "--allow-tools\n"
                  "  printf 'Hello\\nAnd you?\\n' | carat chat gemma3:1b");
  command->callback([a, chosen] { *chosen = [a] { return Chat(*a); }; });
}

}  // namespace carat
