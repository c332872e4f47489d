// Whole grammars from schemas, patterns, GBNF and tool declarations.
#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "grammar/compiled_grammar.h"
#include "grammar/gbnf.h"
#include "grammar/regex.h"
#include "grammar/schema_reader.h"
#include "grammar/schema_writer.h"

namespace carat {
namespace {

struct Markers {
  std::string_view open, close, quote;
};

constexpr Markers kGemma4 = {"<|tool_call>", "<tool_call|>", "<|\"|>"};
constexpr Markers kFunctionGemma = {"<start_function_call>",
                                    "<end_function_call>", "<escape>"};

Result<TokenId> Control(const TokenTrie& tokens, std::string_view piece) {
  const std::optional<TokenId> id = tokens.Terminal(piece);
  if (id) return *id;
  return FailedPrecondition(fmt::format(
      "The model's vocabulary has no control token {}, which this constraint "
      "needs.",
      piece));
}

// `body` behind the thought the options allow.
Result<Expr> WithThought(Expr body, ThoughtPrefix thought,
                         const TokenTrie& tokens, ExprBuilder* b) {
  if (thought == ThoughtPrefix::kNone) return body;
  CARAT_ASSIGN_OR_RETURN(const TokenId open, Control(tokens, "<|channel>"));
  CARAT_ASSIGN_OR_RETURN(const TokenId close, Control(tokens, "<channel|>"));
  // Text only: a control token inside a thought would end it unclosed.
  std::vector<TokenId> except;
  for (TokenId id = 0; id < tokens.size(); ++id) {
    if (!tokens.IsText(id)) except.push_back(id);
  }
  const Expr rest =
      b->Seq({b->Star(b->FreeToken(std::move(except))), b->Token(close)});
  if (thought == ThoughtPrefix::kOpen) return b->Seq({rest, body});
  // A channel of another name would be text of the answer.
  const Expr first = b->Seq(
      {b->Token(open), b->Bytes("thought"), b->Optional(b->Bytes("\n")), rest});
  return b->Seq({b->Optional(first), body});
}

bool IsUsableName(std::string_view name) {
  if (name.empty() || name.size() > 256 || !IsValidUtf8(name)) return false;
  for (char c : name) {
    if (static_cast<uint8_t>(c) <= 0x20 || c == '{' || c == '<') return false;
  }
  return true;
}

using Notes = std::vector<std::string>;

Result<Expr> SchemaExpr(const Json& schema, const JsonGrammarOptions& options,
                        ExprBuilder* builder, Notes* notes) {
  CARAT_ASSIGN_OR_RETURN(SchemaReader reader,
                         SchemaReader::Open(schema, options.spec_defaults));
  ValueNotation notation;
  notation.any_whitespace = options.any_whitespace;
  SchemaWriter writer(notation, &reader, builder);
  CARAT_ASSIGN_OR_RETURN(const Expr body, writer.Value(reader.root()));
  *notes = std::move(reader.notes());
  return body;
}

// NAME{...} of one tool.
Result<Expr> ToolExpr(const ToolSchema& tool, const ValueNotation& notation,
                      const ToolCallOptions& options, ExprBuilder* b,
                      Notes* notes) {
  static const Json kNoParameters =
      Json(Json::Object{{"type", "object"}, {"additionalProperties", false}});
  if (!IsUsableName(tool.name)) {
    return InvalidArgument(fmt::format(
        "The tool name {} cannot be called: names are 1 to 256 bytes without "
        "spaces, {{ and <.",
        QuoteForMessage(tool.name)));
  }
  const Json& parameters =
      tool.parameters.is_null() ? kNoParameters : tool.parameters;
  Result<SchemaReader> reader =
      SchemaReader::Open(parameters, options.spec_defaults);
  if (!reader.ok()) return reader.status().WithContext("Tool " + tool.name);
  SchemaWriter writer(notation, &*reader, b);
  const Result<Expr> arguments = writer.ObjectValue(reader->root());
  if (!arguments.ok()) {
    return arguments.status().WithContext("Tool " + tool.name);
  }
  for (std::string& note : reader->notes()) {
    notes->push_back("Tool " + tool.name + ": " + std::move(note));
  }
  return b->Seq({b->Bytes(tool.name), *arguments});
}

// The calls, and the token that opens one.
struct CallsExpr {
  Expr expr;
  TokenId open;
};

Result<CallsExpr> CallsOf(std::span<const ToolSchema> tools,
                          const TokenTrie& tokens,
                          const ToolCallOptions& options, ExprBuilder* b,
                          Notes* notes) {
  if (tools.empty()) {
    return InvalidArgument("No tool is declared, so no call can be made.");
  }
  const Markers& markers =
      options.syntax == ToolSyntax::kGemma4 ? kGemma4 : kFunctionGemma;
  CARAT_ASSIGN_OR_RETURN(const TokenId open, Control(tokens, markers.open));
  CARAT_ASSIGN_OR_RETURN(const TokenId close, Control(tokens, markers.close));
  CARAT_ASSIGN_OR_RETURN(const TokenId quote, Control(tokens, markers.quote));
  ValueNotation notation;
  notation.quote = quote;
  CARAT_ASSIGN_OR_RETURN(notation.quoted_text, TextWithout(markers.quote));
  std::vector<Expr> choices;
  for (const ToolSchema& tool : tools) {
    CARAT_ASSIGN_OR_RETURN(const Expr choice,
                           ToolExpr(tool, notation, options, b, notes));
    choices.push_back(choice);
  }
  const Expr call = b->Seq({b->Token(open), b->Bytes("call:"),
                            b->Alt(std::move(choices)), b->Token(close)});
  return CallsExpr{options.parallel ? b->Repeat(call, 1) : call, open};
}

Result<Expr> AnswerExpr(const AnswerText& answer, const TokenTrie& tokens,
                        ExprBuilder* builder, Notes* notes) {
  switch (answer.kind) {
    case AnswerText::Kind::kRegex:
      return ParseRegex(answer.text, RegexMatch::kWhole, builder);
    case AnswerText::Kind::kGbnf:
      return ParseGbnf(answer.text, tokens, builder);
    case AnswerText::Kind::kJsonSchema:
      break;
  }
  return SchemaExpr(answer.schema, answer.json_options, builder, notes);
}

Result<GrammarPtr> LinkBody(const Result<Expr>& body, ThoughtPrefix thought,
                            const TokenTriePtr& tokens, ExprBuilder* builder,
                            Notes notes) {
  if (!body.ok()) return body.status();
  CARAT_ASSIGN_OR_RETURN(const Expr whole,
                         WithThought(*body, thought, *tokens, builder));
  const RuleId start = builder->AddRule();
  builder->SetBody(start, whole);
  return CompiledGrammar::Link(*builder, start, tokens, std::move(notes));
}

}  // namespace

Result<GrammarPtr> CompileJsonSchema(const Json& schema,
                                     const TokenTriePtr& tokens,
                                     const JsonGrammarOptions& options) {
  ExprBuilder b;
  Notes notes;
  const Result<Expr> body = SchemaExpr(schema, options, &b, &notes);
  return LinkBody(body, options.thought, tokens, &b, std::move(notes));
}

Result<GrammarPtr> CompileRegex(std::string_view pattern,
                                const TokenTriePtr& tokens,
                                ThoughtPrefix thought) {
  ExprBuilder b;
  const Result<Expr> body = ParseRegex(pattern, RegexMatch::kWhole, &b);
  return LinkBody(body, thought, tokens, &b, {});
}

Result<GrammarPtr> CompileGbnf(std::string_view text,
                               const TokenTriePtr& tokens,
                               ThoughtPrefix thought) {
  ExprBuilder b;
  const Result<Expr> body = ParseGbnf(text, *tokens, &b);
  return LinkBody(body, thought, tokens, &b, {});
}

Result<GrammarPtr> CompileToolCalls(std::span<const ToolSchema> tools,
                                    const TokenTriePtr& tokens,
                                    const ToolCallOptions& options) {
  ExprBuilder b;
  Notes notes;
  CARAT_ASSIGN_OR_RETURN(const CallsExpr calls,
                         CallsOf(tools, *tokens, options, &b, &notes));
  if (options.mode == ToolCallMode::kRequired) {
    return LinkBody(calls.expr, options.thought, tokens, &b, std::move(notes));
  }
  // The end-of-generation tokens end the text instead of belonging to it.
  std::vector<TokenId> except(tokens->end_of_generation().begin(),
                              tokens->end_of_generation().end());
  except.push_back(calls.open);
  const Expr body =
      b.Seq({b.Star(b.FreeToken(std::move(except))), b.Optional(calls.expr)});
  return LinkBody(body, ThoughtPrefix::kNone, tokens, &b, std::move(notes));
}

Result<GrammarPtr> CompileCallsOrAnswer(std::span<const ToolSchema> tools,
                                        const AnswerText& answer,
                                        const TokenTriePtr& tokens,
                                        const ToolCallOptions& options) {
  ExprBuilder b;
  Notes notes, call_notes;
  CARAT_ASSIGN_OR_RETURN(const Expr text,
                         AnswerExpr(answer, *tokens, &b, &notes));
  CARAT_ASSIGN_OR_RETURN(const CallsExpr calls,
                         CallsOf(tools, *tokens, options, &b, &call_notes));
  notes.insert(notes.end(), call_notes.begin(), call_notes.end());
  return LinkBody(b.Alt({text, calls.expr}), options.thought, tokens, &b,
                  std::move(notes));
}

}  // namespace carat
