#include "cli/chat_tools.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "base/utf8.h"
#include "chat/exact_json.h"
#include "cli/terminal.h"
#include "cli/text.h"

namespace carat {
namespace {

ToolResult ResultFor(const ToolCall& call) {
  ToolResult result;
  result.call_id = call.id;
  result.name = call.name;
  return result;
}

// What a tool printed: a JSON object as one, anything else as text.
void SetBody(std::string text, ToolResult* result) {
  if (text.ends_with('\n')) text.pop_back();
  text = SanitizeUtf8(text);
  const Result<ExactJson> json = ExactJson::Parse(text);
  if (json.ok() && json->is_object()) {
    result->json = json->Dump();
  } else {
    result->content = std::move(text);
  }
}

ToolResult ErrorFor(const ToolCall& call, const std::string& error,
                    const std::string& output = {}) {
  ToolResult result = ResultFor(call);
  ExactJson json = ExactJson::Object();
  json.Set("error", ExactJson::String(SanitizeUtf8(error)));
  if (!output.empty()) {
    json.Set("output", ExactJson::String(SanitizeUtf8(output)));
  }
  result.json = json.Dump();
  result.is_error = true;
  return result;
}

std::string ErrorOf(const ToolOutput& output, const ToolCommand& command) {
  if (output.interrupted) return "stopped by the user";
  if (output.timed_out) {
    return fmt::format("stopped after {} seconds", command.timeout_seconds);
  }
  if (output.exit_code == 0 || output.cut) return "";
  std::string error = fmt::format("exit code {}", output.exit_code);
  if (!output.errors.empty()) error += ": " + output.errors;
  return error;
}

bool IsYes(const std::string& line) {
  return line == "y" || line == "Y" || line == "yes" || line == "Yes";
}

}  // namespace

ToolResult ChatTools::Run(const ToolCall& call, const ToolCommand& command) {
  const Result<ToolOutput> output =
      RunToolCommand(command, call.arguments.empty() ? "{}" : call.arguments);
  if (!output.ok()) {
    PrintNote("carat: " + Red("error") + ": " +
              Visible(output.status().message()));
    return ErrorFor(call, output.status().message());
  }
  const std::string error = ErrorOf(*output, command);
  if (!error.empty()) {
    PrintNote(fmt::format("carat: {} failed: {}", Visible(call.name),
                          Visible(error)));
    return ErrorFor(call, error, output->text);
  }
  ToolResult result = ResultFor(call);
  std::string text = output->text;
  if (output->cut) {
    text += fmt::format("\n(cut after {} bytes)", command.max_output_bytes);
  }
  SetBody(std::move(text), &result);
  PrintNote(Dim(
      fmt::format("({}: {} bytes)", Visible(call.name), output->text.size())));
  return result;
}

ToolResult ChatTools::AskForResult(const ToolCall& call, bool* go_on) {
  std::string line;
  if (editor_.Read("result> ", &line) != LineEnd::kLine) {
    *go_on = false;
    return ErrorFor(call, "there is no result");
  }
  if (line.empty()) return ErrorFor(call, "there is no result");
  ToolResult result = ResultFor(call);
  SetBody(std::move(line), &result);
  return result;
}

ToolResult ChatTools::AnswerOne(const ToolCall& call, bool* go_on) {
  if (!*go_on) return ErrorFor(call, "the user stopped the calls");
  const auto command = tools_.commands.find(call.name);
  PrintNote(fmt::format("{} {}", Yellow("call " + Visible(call.name)),
                        Visible(call.arguments)));
  if (command == tools_.commands.end() ||
      programs_ == ToolPrograms::kForbidden) {
    PrintNote(Dim(command == tools_.commands.end()
                      ? "(type its result; an empty line: none)"
                      : "(type its result; --allow-tools would let its "
                        "command run)"));
    return AskForResult(call, go_on);
  }
  PrintNote(fmt::format("It runs: {}\nwith these arguments on its input.",
                        Visible(QuoteCommand(command->second.argv))));
  if (!editor_.interactive()) PrintNote("Run it? [y/N]");
  std::string line;
  if (editor_.Read("Run it? [y/N] ", &line) != LineEnd::kLine) {
    *go_on = false;
    return ErrorFor(call, "the user stopped the calls");
  }
  if (!IsYes(line)) {
    PrintNote("It is not run.");
    return ErrorFor(call, "the user declined this call");
  }
  return Run(call, command->second);
}

Message ChatTools::Answer(const std::vector<ToolCall>& calls, bool* go_on) {
  Message message(Role::kTool, std::vector<Part>());
  for (const ToolCall& call : calls) {
    message.parts.emplace_back(AnswerOne(call, go_on));
  }
  return message;
}

}  // namespace carat
