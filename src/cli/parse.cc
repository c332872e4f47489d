#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "chat/exact_json.h"
#include "chat/output_parser.h"
#include "cli/chat_model.h"
#include "cli/command.h"
#include "cli/read_file.h"
#include "cli/terminal.h"
#include "cli/token_ids.h"
#include "cli/tools_file.h"

namespace carat {
namespace {

struct ParseArguments {
  std::string model;
  std::string file = "-";
  std::string chat_format;
  std::string tools;
  bool ids = false;
  bool in_thought = false;
  bool cut = false;
};

const char* FinishName(OutputFinish finish) {
  switch (finish) {
    case OutputFinish::kStop:
      return "stop";
    case OutputFinish::kToolCalls:
      return "tool_calls";
    case OutputFinish::kMalformedCall:
      return "malformed_tool_call";
    case OutputFinish::kLength:
      return "length";
  }
  return "unknown";
}

// Generated text as a person sees it in a log: control tokens as their pieces,
// also those a file does not mark as control tokens.
std::vector<TokenId> EncodeOutput(const ChatModel& model,
                                  std::string_view text) {
  const ChatSyntax& syntax = model.format->syntax();
  std::vector<std::string_view> pieces = syntax.reserved;
  for (const std::string_view piece :
       {syntax.thought_open, syntax.thought_close, syntax.call_open,
        syntax.call_close, syntax.quote, syntax.result_open, syntax.turn_end}) {
    if (!piece.empty()) pieces.push_back(piece);
  }
  std::vector<TokenId> ids;
  const auto add = [&](std::string_view part) {
    const auto more = model.tokenizer->Encode(part, SpecialText::kParse);
    ids.insert(ids.end(), more.begin(), more.end());
  };
  while (!text.empty()) {
    size_t first = text.size();
    std::string_view found;
    for (const std::string_view piece : pieces) {
      const size_t at = text.find(piece);
      if (at < first || (at == first && piece.size() > found.size())) {
        first = at;
        found = piece;
      }
    }
    add(text.substr(0, first));
    if (first == text.size()) break;
    const auto id = model.tokenizer->Find(found);
    if (id) {
      ids.push_back(*id);
    } else {
      add(found);
    }
    text.remove_prefix(first + found.size());
  }
  return ids;
}

ExactJson CallsToJson(const Message& message) {
  ExactJson calls = ExactJson::Array();
  for (const Part& part : message.parts) {
    const ToolCall* call = std::get_if<ToolCall>(&part);
    if (call == nullptr) continue;
    ExactJson json = ExactJson::Object();
    json.Set("name", ExactJson::String(SanitizeUtf8(call->name)));
    Result<ExactJson> arguments =
        ExactJson::Parse(SanitizeUtf8(call->arguments));
    json.Set("arguments", arguments.ok() ? std::move(*arguments)
                                         : ExactJson::String(call->arguments));
    calls.items.push_back(std::move(json));
  }
  return calls;
}

// Calls that could not be read, or that the end cut off.
ExactJson ErrorsToJson(const std::vector<OutputEvent>& events) {
  ExactJson errors = ExactJson::Array();
  for (const OutputEvent& event : events) {
    const bool cut = event.kind == OutputEvent::Kind::kCallDropped;
    if (!cut && event.kind != OutputEvent::Kind::kCallError) continue;
    ExactJson json = ExactJson::Object();
    json.Set("error", ExactJson::String(cut ? "the output ends inside a call"
                                            : "a call cannot be read"));
    json.Set("call", ExactJson::Number(std::to_string(event.call)));
    if (!cut) json.Set("raw", ExactJson::String(SanitizeUtf8(event.text)));
    errors.items.push_back(std::move(json));
  }
  return errors;
}

int Parse(const ParseArguments& arguments) {
  const auto model = OpenChatModel(arguments.model, arguments.chat_format);
  if (!model.ok()) return Fail(model.status());
  ToolsFile tools;
  if (!arguments.tools.empty()) {
    auto read = ReadToolsFile(arguments.tools);
    if (!read.ok()) return Fail(read.status());
    tools = std::move(*read);
  }
  const auto text = ReadTextFile(arguments.file);
  if (!text.ok()) return Fail(text.status());
  std::vector<TokenId> ids;
  if (arguments.ids) {
    auto read = ParseIds(*model->tokenizer, *text);
    if (!read.ok()) return Fail(read.status());
    ids = std::move(*read);
  } else {
    ids = EncodeOutput(*model, *text);
  }
  OutputParser parser(
      model->tokenizer.get(), *model->format,
      arguments.in_thought ? OutputState::kThought : OutputState::kContent,
      tools.declarations);
  std::vector<OutputEvent> events;
  for (const TokenId id : ids) parser.Add(id, &events);
  const OutputFinish finish = parser.Finish(
      arguments.cut ? OutputParser::Cut::kYes : OutputParser::Cut::kNo,
      &events);
  ExactJson out = ExactJson::Object();
  out.Set("thought",
          ExactJson::String(SanitizeUtf8(parser.message().thought())));
  out.Set("content", ExactJson::String(SanitizeUtf8(parser.message().text())));
  out.Set("tool_calls", CallsToJson(parser.message()));
  out.Set("finish", ExactJson::String(FinishName(finish)));
  out.Set("errors", ErrorsToJson(events));
  Print(out.Dump() + "\n");
  return kExitOk;
}

}  // namespace

void AddParseCommand(CLI::App& app, CommandMain* chosen) {
  CLI::App* command = app.add_subcommand(
      "parse", "Tell thought, text and calls of an output apart");
  auto a = std::make_shared<ParseArguments>();
  command->add_option("MODEL", a->model, "The model")->required();
  command->add_option("FILE", a->file, "What was generated; default: stdin")
      ->capture_default_str();
  command->add_option("--chat-format", a->chat_format,
                      "Force a chat format, e.g. gemma4-small");
  command->add_option("--tools", a->tools, "The tools that were declared")
      ->type_name("FILE");
  command->add_flag("--ids", a->ids, "FILE holds token ids, not text");
  command->add_flag("--in-thought", a->in_thought,
                    "The prompt had opened a thought");
  command->add_flag("--cut", a->cut,
                    "The output was cut off and did not end by itself");
  command->footer(
      "One JSON object: thought, content, tool_calls, finish (stop, "
      "tool_calls,\nmalformed_tool_call or length) and errors, the calls that "
      "could not be read. In\ntext, control tokens stand as their pieces.\n"
      "\n"
      "Examples:\n"
      "  carat parse gemma4 output.txt\n"
      "  echo '<|tool_call>call:f{n:2}<tool_call|>' | carat parse gemma4\n"
      "  echo 9259 1902 106 | carat parse gemma4 --ids");
  command->callback([a, chosen] { *chosen = [a] { return Parse(*a); }; });
}

}  // namespace carat
