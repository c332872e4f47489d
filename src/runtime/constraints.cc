#include "runtime/constraints.h"

#include <fmt/format.h>

#include <algorithm>

namespace carat {
namespace {

using Kind = OutputConstraint::Kind;

bool Chosen(const ToolChoice& choice, const std::string& name) {
  return choice.names.empty() ||
         std::find(choice.names.begin(), choice.names.end(), name) !=
             choice.names.end();
}

Status CheckNames(const GenerateRequest& request) {
  for (const std::string& name : request.tool_choice.names) {
    const bool declared =
        std::any_of(request.tools.begin(), request.tools.end(),
                    [&](const ToolDeclaration& t) { return t.name == name; });
    if (!declared) {
      return InvalidArgument(fmt::format(
          "the tool choice names '{}', which is not among the declared tools",
          name));
    }
  }
  if (request.tool_choice.mode == ToolChoice::Mode::kRequired &&
      request.tools.empty()) {
    return InvalidArgument(
        "the tool choice requires a call, but no tools are declared");
  }
  return OkStatus();
}

Result<AnswerText> AnswerOf(const OutputConstraint& constraint) {
  AnswerText answer;
  answer.text = constraint.text;
  switch (constraint.kind) {
    case Kind::kRegex:
      answer.kind = AnswerText::Kind::kRegex;
      return answer;
    case Kind::kGbnf:
      answer.kind = AnswerText::Kind::kGbnf;
      return answer;
    case Kind::kJsonSchema: {
      Result<Json> schema = Json::Parse(constraint.text);
      if (!schema.ok()) return schema.status().WithContext("the JSON schema");
      answer.schema = std::move(schema).value();
      return answer;
    }
    default:
      // Any JSON object.
      answer.json_options.spec_defaults = true;
      answer.json_options.any_whitespace = true;
      answer.schema = Json::MakeObject();
      answer.schema.Set("type", "object");
      return answer;
  }
}

}  // namespace

TokenTriePtr Constraints::Trie() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (trie_ == nullptr) trie_ = TokenTrie::Build(*tokenizer_);
  return trie_;
}

Result<GrammarPtr> Constraints::ForTools(const GenerateRequest& request,
                                         const ChatFormat& format,
                                         ThoughtPrefix thought) {
  std::vector<ToolSchema> schemas;
  for (const ToolDeclaration& tool : request.tools) {
    if (!Chosen(request.tool_choice, tool.name)) continue;
    ToolSchema schema{.name = tool.name, .parameters = {}};
    if (!tool.parameters.empty()) {
      Result<Json> parsed = Json::Parse(tool.parameters);
      if (!parsed.ok()) {
        return parsed.status().WithContext(
            fmt::format("the parameters of tool '{}'", tool.name));
      }
      schema.parameters = std::move(parsed).value();
    }
    schemas.push_back(std::move(schema));
  }
  ToolCallOptions options;
  options.syntax = format.name() == "functiongemma" ? ToolSyntax::kFunctionGemma
                                                    : ToolSyntax::kGemma4;
  options.mode = request.tool_choice.mode == ToolChoice::Mode::kRequired
                     ? ToolCallMode::kRequired
                     : ToolCallMode::kLazy;
  options.parallel = request.tool_choice.allow_parallel;
  options.thought = thought;
  const bool either = request.constraint.kind != Kind::kNone &&
                      options.mode == ToolCallMode::kLazy;
  if (!either) return cache_.ToolCalls(schemas, Trie(), options);
  CARAT_ASSIGN_OR_RETURN(const AnswerText answer, AnswerOf(request.constraint));
  return cache_.CallsOrAnswer(schemas, answer, Trie(), options);
}

Result<GrammarPtr> Constraints::ForOutput(const AnswerText& answer,
                                          ThoughtPrefix thought) {
  switch (answer.kind) {
    case AnswerText::Kind::kRegex:
      return cache_.Regex(answer.text, Trie(), thought);
    case AnswerText::Kind::kGbnf:
      return cache_.Gbnf(answer.text, Trie(), thought);
    case AnswerText::Kind::kJsonSchema:
      break;
  }
  JsonGrammarOptions options = answer.json_options;
  options.thought = thought;
  return cache_.JsonSchema(answer.schema, Trie(), options);
}

Result<std::optional<GrammarState>> Constraints::Build(
    const GenerateRequest& request, const ChatFormat& format,
    OutputState state) {
  CARAT_RETURN_IF_ERROR(CheckNames(request));
  const bool shaped = request.constraint.kind != Kind::kNone;
  const bool calls = !request.tools.empty() &&
                     request.tool_choice.mode != ToolChoice::Mode::kNone;
  if (calls && !format.supports_tools()) {
    return Unsupported(fmt::format(
        "the model's chat format '{}' has no tool calls; use a model that "
        "was trained for them, or leave the tools out",
        format.name()));
  }
  const ThoughtPrefix thought =
      state == OutputState::kThought                ? ThoughtPrefix::kOpen
      : request.think && format.supports_thinking() ? ThoughtPrefix::kOptional
                                                    : ThoughtPrefix::kNone;
  Result<GrammarPtr> grammar = GrammarPtr();
  if (calls) {
    grammar = ForTools(request, format, thought);
  } else if (shaped) {
    CARAT_ASSIGN_OR_RETURN(const AnswerText answer,
                           AnswerOf(request.constraint));
    grammar = ForOutput(answer, thought);
  } else {
    return std::optional<GrammarState>();
  }
  if (!grammar.ok()) return grammar.status();
  return std::optional<GrammarState>(GrammarState(*grammar));
}

}  // namespace carat
