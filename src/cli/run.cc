#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "cli/engine_options.h"
#include "cli/generate.h"
#include "cli/sampling_options.h"
#include "cli/shape_options.h"
#include "cli/terminal.h"

namespace carat {
namespace {

// A base model seldom ends by itself.
constexpr int64_t kRawMaxTokens = 256;

struct RunArguments {
  EngineArguments engine;
  SamplingArguments sampling;
  ShapeArguments shape;
  std::vector<std::string> prompt;  // words
  std::string system;
  std::optional<int> logprobs;
  bool raw = false;
  bool json = false;
};

// The words typed, then what was piped in, a blank line between.
std::string PromptText(const RunArguments& arguments) {
  std::string text = fmt::format("{}", fmt::join(arguments.prompt, " "));
  if (StdinIsTerminal()) return text;
  std::string piped = ReadStdin();
  if (!arguments.raw && piped.ends_with('\n')) piped.pop_back();
  if (piped.empty()) return text;
  return text.empty() ? piped : text + "\n\n" + piped;
}

Result<GenerateRequest> MakeRequest(const RunArguments& arguments,
                                    const AnswerShape& shape,
                                    const std::string& prompt,
                                    const Engine& engine) {
  GenerateRequest request;
  const bool base = engine.chat_format().name() == "none";
  if (base && !arguments.system.empty()) {
    return InvalidArgument(fmt::format(
        "{} is a base model without a chat format, so --system has no place "
        "in its prompt. Leave it out, or force a format with --chat-format.",
        arguments.engine.model));
  }
  const bool raw = base || arguments.raw;
  if (raw) {
    request.prompt = prompt;
    request.max_tokens = kRawMaxTokens;
    if (base && !arguments.raw && !arguments.engine.quiet) {
      PrintNote(fmt::format(
          "carat: note: {} is a base model without a chat format: it goes on "
          "with the text as it is (at most {} tokens unless --max-tokens says "
          "otherwise).",
          arguments.engine.model, kRawMaxTokens));
    }
  } else {
    if (!arguments.system.empty()) {
      request.messages.emplace_back(Role::kSystem, arguments.system);
    }
    request.messages.emplace_back(Role::kUser, prompt);
  }
  CARAT_RETURN_IF_ERROR(
      ApplySampling(arguments.sampling, engine.info().sampling, &request));
  CARAT_RETURN_IF_ERROR(shape.Apply(engine.chat_format(), &request));
  request.sampling.logprobs = arguments.logprobs;
  return request;
}

Json ProbabilityToJson(const TokenProbability& token) {
  Json top = Json::MakeArray();
  for (const auto& [id, logprob] : token.top) {
    Json pair = Json::MakeObject();
    pair.Set("id", static_cast<int64_t>(id));
    pair.Set("logprob", static_cast<double>(logprob));
    top.Append(std::move(pair));
  }
  Json out = Json::MakeObject();
  out.Set("id", static_cast<int64_t>(token.id));
  out.Set("text", SanitizeUtf8(token.text));
  out.Set("logprob", static_cast<double>(token.logprob));
  out.Set("top", std::move(top));
  return out;
}

Json CallsToJson(const std::vector<ToolCall>& calls) {
  Json out = Json::MakeArray();
  for (const ToolCall& call : calls) {
    const Result<Json> json = Json::Parse(CallLine(call));
    // The engine's calls are JSON by construction.
    out.Append(json.ok() ? *json : Json(CallLine(call)));
  }
  return out;
}

void PrintJson(const RunArguments& arguments, const Engine& engine,
               const AnswerPrinter& answer, const Json& logprobs,
               const Done& done) {
  Json out = Json::MakeObject();
  out.Set("model", arguments.engine.model);
  const std::string thought = answer.message().thought();
  if (!thought.empty()) out.Set("thought", SanitizeUtf8(thought));
  out.Set("text", SanitizeUtf8(answer.text()));
  if (!arguments.shape.tools.empty()) {
    out.Set("tool_calls", CallsToJson(answer.calls()));
  }
  DoneToJson(done, &out);
  if (arguments.logprobs) out.Set("logprobs", logprobs);
  Json memory = Json::MakeObject();
  memory.Set("planned_bytes", engine.plan().total_bytes());
  memory.Set("peak_bytes", PeakMemoryBytes());
  out.Set("memory", std::move(memory));
  out.Set("load_seconds", engine.load_report().seconds);
  Print(out.Dump(2) + "\n");
}

int ExitCodeOf(const Done& done) {
  if (done.reason == FinishReason::kError ||
      done.reason == FinishReason::kMalformedCall) {
    return Fail(Internal(done.error));
  }
  if (done.reason == FinishReason::kCancelled) {
    return OutputClosed() ? kExitOk : kExitInterrupted;
  }
  return kExitOk;
}

// An answer of a declared shape that was cut off does not have it.
void NoteCutShape(const GenerateRequest& request, const Done& done) {
  const bool shaped =
      request.constraint.kind != OutputConstraint::Kind::kNone ||
      request.tool_choice.mode == ToolChoice::Mode::kRequired;
  const bool cut = done.reason == FinishReason::kMaxTokens ||
                   done.reason == FinishReason::kContextFull ||
                   done.reason == FinishReason::kRepetition ||
                   done.reason == FinishReason::kStopString;
  if (!shaped || !cut) return;
  PrintNote(fmt::format(
      "carat: note: the answer ended early ({}) and is not complete in the "
      "shape that was asked for.",
      FinishReasonName(done.reason)));
}

int Run(const RunArguments& arguments) {
  const std::string prompt = PromptText(arguments);
  if (prompt.empty()) {
    return FailUsage(
        "There is no prompt: give one as an argument or on stdin. See carat "
        "run --help.");
  }
  const auto shape = ReadShape(arguments.shape);
  if (!shape.ok()) return Fail(shape.status());
  auto engine = LoadEngine(arguments.engine);
  if (!engine.ok()) return Fail(engine.status());
  const auto request = MakeRequest(arguments, *shape, prompt, **engine);
  if (!request.ok()) return Fail(request.status());

  AnswerPrinter printer(
      arguments.shape.show_thoughts ? Thoughts::kShow : Thoughts::kHide,
      arguments.json ? Answers::kKeep : Answers::kPrint);
  Json logprobs = Json::MakeArray();
  const auto done =
      RunGeneration(**engine, *request, [&](const GenerateEvent& event) {
        if (const auto* token = std::get_if<TokenProbability>(&event)) {
          logprobs.Append(ProbabilityToJson(*token));
        }
        return printer(event);
      });
  printer.EndLine();
  if (!done.ok()) return Fail(done.status());
  if (arguments.json) {
    PrintJson(arguments, **engine, printer, logprobs, *done);
  } else {
    for (const ToolCall& call : printer.calls()) Print(CallLine(call) + "\n");
  }
  if (!arguments.engine.quiet) NoteCutShape(*request, *done);
  if (!arguments.engine.quiet && !OutputClosed()) {
    PrintNote(Dim(TimingLine(*done)));
  }
  return ExitCodeOf(*done);
}

}  // namespace

void AddRunCommand(CLI::App& app, CommandMain* chosen) {
  CLI::App* command = app.add_subcommand("run", "Answer one prompt and stop");
  auto a = std::make_shared<RunArguments>();
  AddModelOptions(*command, &a->engine);
  AddCacheOptions(*command, &a->engine);
  AddPackedCacheOptions(*command, &a->engine);
  command->add_option("PROMPT", a->prompt,
                      "The prompt; what is piped in is put behind it");
  auto* system =
      command->add_option("--system", a->system, "Instructions for the model");
  auto* raw = command->add_flag(
      "--raw", a->raw, "Go on with the prompt as it is, no chat format");
  raw->excludes(system);
  AddChatFormatOption(*command, &a->engine);
  auto* json = command->add_flag(
      "--json", a->json, "One JSON object at the end instead of the text");
  command
      ->add_option("--logprobs", a->logprobs,
                   "With --json: each token's log-probability and the N best")
      ->needs(json)
      ->check(CLI::Range(0, 1000).description(""))
      ->type_name("N");
  AddNoiseOptions(*command, &a->engine);
  AddShapeOptions(*command, &a->shape);
  raw->excludes("--think");
  raw->excludes("--tools");
  AddSamplingOptions(*command, &a->sampling);
  command->footer(
      "Calls of --tools come as lines of JSON behind the text: nothing is "
      "run.\n"
      "Ctrl-C stops the answer; a second one ends the program at once.\n"
      "\n"
      "Examples:\n"
      "  carat run gemma3 \"Why is the sky blue?\"\n"
      "  carat run gemma3 \"Summarise this:\" < article.txt\n"
      "  carat run gemma3 --system \"Answer in French.\" --temp 0 Hello\n"
      "  carat run gemma4 --think=500 --show-thoughts \"What is 17 * 23?\"\n"
      "  carat run gemma4 --tools tools.json \"Weather in Oslo?\"\n"
      "  carat run gemma3 --schema person.json \"Invent a person.\"\n"
      "  carat run gemma3 --json --logprobs 3 --max-tokens 20 Hello\n"
      "  carat run ./base.gguf --raw \"Once upon a time\"");
  command->callback([a, chosen] { *chosen = [a] { return Run(*a); }; });
}

}  // namespace carat
