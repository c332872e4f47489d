// Whole grammars from JSON schemas and from tool declarations.
#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "grammar/compiled_grammar.h"
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
  return b->Seq({b->Optional(b->Seq({b->Token(open), rest})), body});
}

bool IsUsableName(std::string_view name) {
  if (name.empty() || name.size() > 256 || !IsValidUtf8(name)) return false;
  for (char c : name) {
    if (static_cast<uint8_t>(c) <= 0x20 || c == '{' || c == '<') return false;
  }
  return true;
}

}  // namespace

Result<GrammarPtr> CompileJsonSchema(const Json& schema,
                                     const TokenTriePtr& tokens,
                                     const JsonGrammarOptions& options) {
  CARAT_ASSIGN_OR_RETURN(SchemaReader reader,
                         SchemaReader::Open(schema, options.spec_defaults));
  ExprBuilder builder;
  const RuleId start = builder.AddRule();
  ValueNotation notation;
  notation.any_whitespace = options.any_whitespace;
  SchemaWriter writer(notation, &reader, &builder);
  CARAT_ASSIGN_OR_RETURN(Expr body, writer.Value(reader.root()));
  CARAT_ASSIGN_OR_RETURN(body,
                         WithThought(body, options.thought, *tokens, &builder));
  builder.SetBody(start, body);
  return CompiledGrammar::Link(builder, start, tokens,
                               std::move(reader.notes()));
}

Result<GrammarPtr> CompileToolCalls(std::span<const ToolSchema> tools,
                                    const TokenTriePtr& tokens,
                                    const ToolCallOptions& options) {
  if (tools.empty()) {
    return InvalidArgument("No tool is declared, so no call can be made.");
  }
  const Markers& markers =
      options.syntax == ToolSyntax::kGemma4 ? kGemma4 : kFunctionGemma;
  CARAT_ASSIGN_OR_RETURN(const TokenId open, Control(*tokens, markers.open));
  CARAT_ASSIGN_OR_RETURN(const TokenId close, Control(*tokens, markers.close));
  CARAT_ASSIGN_OR_RETURN(const TokenId quote, Control(*tokens, markers.quote));
  ExprBuilder b;
  const RuleId start = b.AddRule();
  ValueNotation notation;
  notation.quote = quote;
  CARAT_ASSIGN_OR_RETURN(notation.quoted_text, TextWithout(markers.quote));
  static const Json kNoParameters =
      Json(Json::Object{{"type", "object"}, {"additionalProperties", false}});
  std::vector<std::string> notes;
  std::vector<Expr> choices;
  for (const ToolSchema& tool : tools) {
    if (!IsUsableName(tool.name)) {
      return InvalidArgument(fmt::format(
          "The tool name {} cannot be called: names are 1 to 256 bytes "
          "without spaces, {{ and <.",
          QuoteForMessage(tool.name)));
    }
    const Json& parameters =
        tool.parameters.is_null() ? kNoParameters : tool.parameters;
    Result<SchemaReader> reader =
        SchemaReader::Open(parameters, options.spec_defaults);
    if (!reader.ok()) return reader.status().WithContext("Tool " + tool.name);
    SchemaWriter writer(notation, &*reader, &b);
    const Result<Expr> arguments = writer.ObjectValue(reader->root());
    if (!arguments.ok()) {
      return arguments.status().WithContext("Tool " + tool.name);
    }
    choices.push_back(b.Seq({b.Bytes(tool.name), *arguments}));
    for (std::string& note : reader->notes()) {
      notes.push_back("Tool " + tool.name + ": " + std::move(note));
    }
  }
  const Expr call = b.Seq({b.Token(open), b.Bytes("call:"),
                           b.Alt(std::move(choices)), b.Token(close)});
  Expr body = options.parallel ? b.Repeat(call, 1) : call;
  if (options.mode == ToolCallMode::kLazy) {
    // The end-of-generation tokens end the text instead of belonging to it.
    std::vector<TokenId> except(tokens->end_of_generation().begin(),
                                tokens->end_of_generation().end());
    except.push_back(open);
    body = b.Seq({b.Star(b.FreeToken(std::move(except))), b.Optional(body)});
  } else {
    CARAT_ASSIGN_OR_RETURN(body,
                           WithThought(body, options.thought, *tokens, &b));
  }
  b.SetBody(start, body);
  return CompiledGrammar::Link(b, start, tokens, std::move(notes));
}

}  // namespace carat
