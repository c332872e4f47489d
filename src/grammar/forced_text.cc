// What a grammar leaves no choice about.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "grammar/compiled_grammar.h"
#include "grammar/grammar.h"
#include "grammar/stepper.h"

namespace carat {
namespace {

// Forced text beyond this comes with the next call.
constexpr size_t kMaxForcedBytes = 4096;

struct NextSymbols {
  std::optional<uint8_t> byte;
  std::optional<TokenId> token;
  bool choice = false;

  void AddByte(uint8_t b) {
    choice |= (byte && *byte != b) || token;
    byte = b;
  }
  void AddToken(TokenId t) {
    choice |= (token && *token != t) || byte;
    token = t;
  }
};

void AddNext(const CompiledGrammar& grammar, const GrammarThread& thread,
             uint32_t depth, NextSymbols* next) {
  const CompiledGrammar::State& state = grammar.state(thread.state);
  const uint32_t rule = grammar.RuleOf(thread.state);
  for (uint32_t i = 0; i < state.bytes && !next->choice; ++i) {
    const ByteEdge& edge = grammar.byte_edge(state.first_byte + i);
    uint64_t reg = thread.reg;
    if (!grammar.Pass(rule, edge.guard, depth, &reg)) continue;
    if (edge.lo != edge.hi) next->choice = true;
    next->AddByte(edge.lo);
  }
  for (uint32_t i = 0; i < state.symbols && !next->choice; ++i) {
    const SymbolEdge& edge = grammar.symbol(state.first_symbol + i);
    if (edge.kind == SymbolKind::kCall) continue;
    uint64_t reg = thread.reg;
    if (!grammar.Pass(rule, edge.guard, depth, &reg)) continue;
    if (edge.kind == SymbolKind::kFree) {
      next->choice = true;
    } else {
      next->AddToken(static_cast<TokenId>(edge.argument));
    }
  }
}

// The one symbol that can follow; a choice also when the text may end.
NextSymbols NextOf(const CompiledGrammar& grammar, bool complete,
                   const std::vector<GrammarThread>& threads,
                   const std::vector<GrammarFrame>& frames) {
  NextSymbols next;
  next.choice = complete;
  for (const GrammarThread& thread : threads) {
    const bool root = thread.frame == CompiledGrammar::kRoot;
    AddNext(grammar, thread, root ? 0 : frames[thread.frame].depth, &next);
  }
  return next;
}

}  // namespace

std::string GrammarState::ForcedText() const {
  std::string text;
  std::vector<GrammarFrame> frames = frames_;
  Stepper stepper(*grammar_, &frames);
  stepper.threads() = threads_;
  bool complete = complete_ || finished_;
  while (text.size() < kMaxForcedBytes) {
    const NextSymbols next =
        NextOf(*grammar_, complete, stepper.threads(), frames);
    if (next.choice || !next.byte) break;
    stepper.Byte(*next.byte);
    if (stepper.threads().empty() && !stepper.complete()) break;
    text.push_back(static_cast<char>(*next.byte));
    complete = stepper.complete();
  }
  return text;
}

std::vector<TokenId> GrammarState::ForcedTokens() const {
  std::vector<TokenId> forced;
  GrammarState state = *this;
  while (forced.size() < kMaxForcedBytes) {
    const std::string text = state.ForcedText();
    if (!text.empty()) {
      if (!state.AcceptText(text)) break;
      const NextSymbols next =
          NextOf(*grammar_, state.complete_, state.threads_, state.frames_);
      // A control token, or nothing at all, ends the last token for certain.
      const bool closed = (!next.choice && next.token) ||
                          (state.complete_ && state.threads_.empty());
      const size_t whole = CompleteUtf8Prefix(text);
      std::vector<TokenId> ids = grammar_->tokens().tokenizer().Encode(
          std::string_view(text).substr(0, whole));
      if (!closed || whole != text.size()) {
        if (!ids.empty()) ids.pop_back();
        forced.insert(forced.end(), ids.begin(), ids.end());
        break;
      }
      forced.insert(forced.end(), ids.begin(), ids.end());
    }
    const NextSymbols next = NextOf(*grammar_, state.complete_ || finished_,
                                    state.threads_, state.frames_);
    if (next.choice || !next.token || !state.Step(*next.token)) break;
    forced.push_back(*next.token);
  }
  // The tokenizer may know better pieces than the trie (or drop some); never
  // hand out what would not be accepted.
  GrammarState check = *this;
  for (size_t i = 0; i < forced.size(); ++i) {
    if (!check.Accept(forced[i])) {
      forced.resize(i);
      break;
    }
  }
  return forced;
}

bool GrammarState::IsUnconstrained() const {
  std::vector<TokenId> missing;
  bool free = false;
  for (const GrammarThread& thread : threads_) {
    const CompiledGrammar::State& state = grammar_->state(thread.state);
    for (uint32_t i = 0; i < state.symbols; ++i) {
      const SymbolEdge& edge = grammar_->symbol(state.first_symbol + i);
      if (edge.kind != SymbolKind::kFree || edge.guard != 0) continue;
      free = true;
      missing = grammar_->free_list(edge.argument);
    }
  }
  if (!free) return false;
  return std::all_of(missing.begin(), missing.end(),
                     [this](TokenId token) { return CanAccept(token); });
}

}  // namespace carat
