// Turns what a request declares (tools and their choice, a schema, a grammar)
// into the automaton that its output follows. Shared by all of an engine's
// requests; thread-safe.
#ifndef CARAT_RUNTIME_CONSTRAINTS_H_
#define CARAT_RUNTIME_CONSTRAINTS_H_

#include <mutex>
#include <optional>

#include "base/status.h"
#include "carat/request.h"
#include "chat/chat_format.h"
#include "grammar/grammar.h"
#include "tokenizer/tokenizer.h"

namespace carat {

class Constraints {
 public:
  explicit Constraints(const Tokenizer* tokenizer) : tokenizer_(tokenizer) {}

  // The start state for `request`; empty when nothing is constrained. With
  // tools and a shape the output is calls or an answer of that shape; where a
  // call is required the shape has no say. `state`: what the prompt left open.
  // Errors: what the grammar compilers report, a choice that names no declared
  // tool, a format without tools.
  Result<std::optional<GrammarState>> Build(const GenerateRequest& request,
                                            const ChatFormat& format,
                                            OutputState state);

 private:
  TokenTriePtr Trie();
  // Calls; with an answer's shape, either calls or such an answer.
  Result<GrammarPtr> ForTools(const GenerateRequest& request,
                              const ChatFormat& format, ThoughtPrefix thought);
  Result<GrammarPtr> ForOutput(const AnswerText& answer, ThoughtPrefix thought);

  const Tokenizer* tokenizer_;
  GrammarCache cache_;
  std::mutex mutex_;
  TokenTriePtr trie_;  // guarded by mutex_; built when first needed
};

}  // namespace carat

#endif  // CARAT_RUNTIME_CONSTRAINTS_H_
