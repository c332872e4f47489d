#include "cli/shape_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <utility>

#include "base/utf8.h"
#include "cli/read_file.h"

namespace carat {
namespace {

Result<std::optional<int64_t>> ParseThink(const std::string& text) {
  if (text.empty() || text == "false") return std::optional<int64_t>();
  if (text == "true") return std::optional<int64_t>(-1);
  int64_t budget = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, budget);
  if (error != std::errc() || stop != end || budget < 0) {
    return InvalidArgument(fmt::format(
        "--think={} is no budget; expected a number of tokens, such as "
        "--think=500, or --think alone.",
        QuoteForMessage(text)));
  }
  return std::optional<int64_t>(budget);
}

Result<ToolChoice> ParseChoice(const ShapeArguments& arguments) {
  ToolChoice choice;
  const std::string& text = arguments.tool_choice;
  if (text.empty()) return choice;
  if (arguments.tools.empty()) {
    return InvalidArgument(
        "--tool-choice chooses among tools, but none are declared; give "
        "--tools FILE.");
  }
  if (text == "auto") return choice;
  if (text == "none") {
    choice.mode = ToolChoice::Mode::kNone;
    return choice;
  }
  choice.mode = ToolChoice::Mode::kRequired;
  if (text == "required") return choice;
  for (size_t at = 0; at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    if (comma > at) choice.names.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  if (choice.names.empty()) {
    return InvalidArgument(fmt::format(
        "--tool-choice {} names no tool; expected auto, none, required or "
        "names with commas between.",
        QuoteForMessage(text)));
  }
  return choice;
}

}  // namespace

void AddShapeOptions(CLI::App& command, ShapeArguments* a) {
  const char* group = "Answer";
  const auto option = [&](const char* name, std::string* value,
                          const char* type, const char* help) {
    return command.add_option(name, *value, help)
        ->type_name(type)
        ->group(group);
  };
  command
      .add_flag("--think", a->think,
                "Think first; --think=N: at most N tokens of thought")
      ->group(group);
  command
      .add_flag("--show-thoughts", a->show_thoughts,
                "Write thoughts to stderr as they come")
      ->group(group);
  auto* tools = option("--tools", &a->tools, "FILE",
                       "Tools the model may call, as JSON declarations");
  option("--tool-choice", &a->tool_choice, "CHOICE",
         "auto, none, required or NAME[,NAME]")
      ->needs(tools);
  auto* schema = option("--schema", &a->schema, "FILE",
                        "The answer is JSON of this JSON schema");
  option("--grammar", &a->grammar, "FILE",
         "The answer is text of this GBNF grammar")
      ->excludes(schema);
}

Result<AnswerShape> ReadShape(const ShapeArguments& arguments) {
  AnswerShape shape;
  CARAT_ASSIGN_OR_RETURN(shape.think, ParseThink(arguments.think));
  CARAT_ASSIGN_OR_RETURN(shape.tool_choice, ParseChoice(arguments));
  if (!arguments.tools.empty()) {
    CARAT_ASSIGN_OR_RETURN(shape.tools, ReadToolsFile(arguments.tools));
  }
  if (!arguments.schema.empty()) {
    shape.constraint.kind = OutputConstraint::Kind::kJsonSchema;
    CARAT_ASSIGN_OR_RETURN(shape.constraint.text,
                           ReadTextFile(arguments.schema));
  } else if (!arguments.grammar.empty()) {
    shape.constraint.kind = OutputConstraint::Kind::kGbnf;
    CARAT_ASSIGN_OR_RETURN(shape.constraint.text,
                           ReadTextFile(arguments.grammar));
  }
  return shape;
}

Status AnswerShape::Apply(const ChatFormat& format,
                          GenerateRequest* request) const {
  if (think && !format.supports_thinking()) {
    return FailedPrecondition(fmt::format(
        "--think: the model's chat format '{}' has no thinking. Leave it out, "
        "or use a model that was trained to think, such as a Gemma 4.",
        format.name()));
  }
  if (!tools.declarations.empty() && !format.supports_tools()) {
    return FailedPrecondition(fmt::format(
        "--tools: the model's chat format '{}' has no tool calls. Leave the "
        "tools out, or use a model that was trained to call them, such as a "
        "Gemma 4.",
        format.name()));
  }
  request->think = think.has_value();
  if (think && *think >= 0) request->max_thought_tokens = *think;
  request->tools = tools.declarations;
  request->tool_choice = tool_choice;
  request->constraint = constraint;
  return OkStatus();
}

}  // namespace carat
