// Constrained decoding: which tokens may come next so that the text fits a
// JSON schema, a regular expression, a GBNF grammar or the declared tools.
//
// A declaration is compiled once into a CompiledGrammar (immutable, shared,
// thread-safe) and followed by one GrammarState per sequence. What the states
// allow always validates and can always be completed: no token of a mask leads
// into a dead end.
#ifndef CARAT_GRAMMAR_GRAMMAR_H_
#define CARAT_GRAMMAR_GRAMMAR_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "grammar/parse_stack.h"
#include "grammar/token_trie.h"
#include "tokenizer/tokenizer.h"

namespace carat {

class CompiledGrammar;
using GrammarPtr = std::shared_ptr<const CompiledGrammar>;
using TokenTriePtr = std::shared_ptr<const TokenTrie>;

// What may stand before the constrained part.
enum class ThoughtPrefix {
  kNone,      // the constraint begins with the first token
  kOptional,  // one <|channel>thought ... <channel|> may come first, its text
              // free
  kOpen,      // the prompt opened the channel: free text up to <channel|>
};

struct JsonGrammarOptions {
  // Whitespace between JSON tokens. Without it the output is compact:
  // {"a":1,"b":[2,3]}.
  bool any_whitespace = false;
  // Without it an object that lists properties is closed unless it says
  // otherwise, and a schema without "type" gets the type its keywords speak
  // of. With it both default as the JSON Schema specification says. Either
  // way the output validates.
  bool spec_defaults = false;
  ThoughtPrefix thought = ThoughtPrefix::kNone;
};

// The declaration of one tool as far as its calls are concerned.
struct ToolSchema {
  std::string name;
  Json parameters;  // JSON schema of type object; null for no parameters
};

enum class ToolSyntax { kGemma4, kFunctionGemma };

enum class ToolCallMode {
  kRequired,  // the answer is at least one call
  kLazy,      // free tokens, calls constrained from their opening token on
};

struct ToolCallOptions {
  ToolSyntax syntax = ToolSyntax::kGemma4;
  ToolCallMode mode = ToolCallMode::kRequired;
  bool parallel = true;  // more than one call in the turn
  bool spec_defaults = false;
  ThoughtPrefix thought = ThoughtPrefix::kNone;  // for kRequired
};

// Errors: kUnsupported names the keyword and where it stands; kMalformed for
// text that breaks its own syntax; kInvalidArgument for a declaration nothing
// can satisfy; kResourceExhausted for one that grows too large.
Result<GrammarPtr> CompileJsonSchema(const Json& schema,
                                     const TokenTriePtr& tokens,
                                     const JsonGrammarOptions& options = {});
// The whole output matches `pattern` (ECMA-262 syntax without look-around and
// back-references; implicitly anchored on both sides).
Result<GrammarPtr> CompileRegex(std::string_view pattern,
                                const TokenTriePtr& tokens,
                                ThoughtPrefix thought = ThoughtPrefix::kNone);
// llama.cpp's grammar notation; the start rule is `root`.
Result<GrammarPtr> CompileGbnf(std::string_view text,
                               const TokenTriePtr& tokens,
                               ThoughtPrefix thought = ThoughtPrefix::kNone);
Result<GrammarPtr> CompileToolCalls(std::span<const ToolSchema> tools,
                                    const TokenTriePtr& tokens,
                                    const ToolCallOptions& options = {});

// The shape of an answer that calls no tool.
struct AnswerText {
  enum class Kind { kJsonSchema, kRegex, kGbnf };
  Kind kind = Kind::kJsonSchema;
  Json schema;                      // kJsonSchema
  JsonGrammarOptions json_options;  // kJsonSchema; its `thought` is not used
  std::string text;                 // kRegex, kGbnf
};
// The output is either one or more calls or an answer of that shape. Of the
// options `mode` is not used.
Result<GrammarPtr> CompileCallsOrAnswer(std::span<const ToolSchema> tools,
                                        const AnswerText& answer,
                                        const TokenTriePtr& tokens,
                                        const ToolCallOptions& options = {});

const TokenTrie& TokenTrieOf(const CompiledGrammar& grammar);
// What was read more loosely than written (oneOf as anyOf, a format that is
// not enforced), as sentences for the user. Usually empty.
const std::vector<std::string>& NotesOf(const CompiledGrammar& grammar);

// Where one sequence stands in its grammar. Cheap to copy (a fork); a copy is
// independent. Not thread-safe itself; states of one grammar may be used from
// different threads.
class GrammarState {
 public:
  explicit GrammarState(GrammarPtr grammar);

  // Writes one bit per token, 1 = allowed. Precondition: `mask` has at least
  // TokenTrie::mask_words() words; the rest is cleared. End-of-generation
  // tokens are allowed exactly when IsComplete().
  void Mask(std::span<uint64_t> mask) const;
  // Every token is allowed (free text before a lazily entered call): Mask can
  // be skipped.
  bool IsUnconstrained() const;

  bool CanAccept(TokenId token) const;
  // Moves on by one token. False, and no change, when it is not allowed.
  bool Accept(TokenId token);
  // The same for raw text, for tests and for prefilled answers.
  bool AcceptText(std::string_view bytes);

  // The text so far is a complete member of the language.
  bool IsComplete() const { return complete_; }
  // An end-of-generation token was accepted; nothing may follow.
  bool IsFinished() const { return finished_; }

  // About how many bytes and control tokens the shortest ending takes, for
  // keeping a reserve. Minimum lengths and required keys still to come are not
  // counted.
  size_t BytesToEnd() const;

  // The bytes every continuation starts with; empty when there is a choice.
  std::string ForcedText() const;
  // Tokens that can be appended without asking the model: the tokenizer's own
  // encoding of the forced text, without a last token that could still merge
  // with what follows. They are not accepted yet.
  std::vector<TokenId> ForcedTokens() const;

  // Undoes the last `tokens` accepted tokens (AcceptText counts as one). False,
  // and no change, when the history does not reach that far: it keeps at least
  // the last kHistory tokens.
  bool Rollback(size_t tokens);
  static constexpr size_t kHistory = 128;

 private:
  struct Snapshot {
    uint32_t threads;  // of history_threads_, before this step
    uint32_t frames;   // of frames_, before this step
    bool complete;
    bool finished;
  };

  bool Step(TokenId token);
  void Save();
  void Undo();
  void ForgetOldest();

  GrammarPtr grammar_;
  std::vector<GrammarThread> threads_;
  std::vector<GrammarFrame> frames_;
  bool complete_ = false;
  bool finished_ = false;
  std::vector<Snapshot> history_;
  std::vector<GrammarThread> history_threads_;
};

// Compiled grammars by content, least recently used dropped first.
// Thread-safe; two callers with the same new content may both compile it.
class GrammarCache {
 public:
  explicit GrammarCache(size_t capacity = 64);
  ~GrammarCache();
  GrammarCache(const GrammarCache&) = delete;
  GrammarCache& operator=(const GrammarCache&) = delete;

  Result<GrammarPtr> JsonSchema(const Json& schema, const TokenTriePtr& tokens,
                                const JsonGrammarOptions& options = {});
  Result<GrammarPtr> Regex(std::string_view pattern, const TokenTriePtr& tokens,
                           ThoughtPrefix thought = ThoughtPrefix::kNone);
  Result<GrammarPtr> Gbnf(std::string_view text, const TokenTriePtr& tokens,
                          ThoughtPrefix thought = ThoughtPrefix::kNone);
  Result<GrammarPtr> ToolCalls(std::span<const ToolSchema> tools,
                               const TokenTriePtr& tokens,
                               const ToolCallOptions& options = {});
  Result<GrammarPtr> CallsOrAnswer(std::span<const ToolSchema> tools,
                                   const AnswerText& answer,
                                   const TokenTriePtr& tokens,
                                   const ToolCallOptions& options = {});
  size_t size() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace carat

#endif  // CARAT_GRAMMAR_GRAMMAR_H_
