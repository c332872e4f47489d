#include "grammar/stepper.h"

#include <algorithm>

namespace carat {

void Stepper::Begin() {
  previous_.swap(threads_);
  threads_.clear();
  complete_ = false;
  first_new_ = frames_->size();
}

uint32_t Stepper::DepthOf(uint32_t frame) const {
  return frame == CompiledGrammar::kRoot ? 0 : (*frames_)[frame].depth;
}

bool Stepper::Fits(uint32_t state, uint32_t frame) const {
  return DepthOf(frame) + grammar_.state(state).height <=
         CompiledGrammar::kMaxDepth;
}

uint32_t Stepper::Push(uint32_t ret, uint64_t reg, uint32_t parent) {
  for (size_t i = first_new_; i < frames_->size(); ++i) {
    const GrammarFrame& frame = (*frames_)[i];
    if (frame.ret == ret && frame.reg == reg && frame.parent == parent) {
      return static_cast<uint32_t>(i);
    }
  }
  frames_->push_back({ret, parent, DepthOf(parent) + 1, reg});
  return static_cast<uint32_t>(frames_->size() - 1);
}

void Stepper::Return(uint32_t frame) {
  if (frame == CompiledGrammar::kRoot) {
    complete_ = true;
    return;
  }
  const GrammarFrame caller = (*frames_)[frame];
  Add({caller.ret, caller.parent, caller.reg});
}

void Stepper::Add(GrammarThread thread) {
  if (threads_.size() >= kMaxThreads ||
      std::find(threads_.begin(), threads_.end(), thread) != threads_.end()) {
    return;
  }
  const CompiledGrammar::State& s = grammar_.state(thread.state);
  if (s.bytes > 0 || s.symbols > 0) threads_.push_back(thread);
  if (s.accept) Return(thread.frame);
  if (s.has_calls) AddCalls(thread);
}

void Stepper::AddCalls(const GrammarThread& thread) {
  const CompiledGrammar::State& s = grammar_.state(thread.state);
  const uint32_t rule = grammar_.RuleOf(thread.state);
  const uint32_t depth = DepthOf(thread.frame);
  for (uint32_t i = 0; i < s.symbols; ++i) {
    const SymbolEdge& edge = grammar_.symbol(s.first_symbol + i);
    if (edge.kind != SymbolKind::kCall) continue;
    uint64_t reg = thread.reg;
    if (!grammar_.Pass(rule, edge.guard, depth, &reg)) continue;
    const CompiledGrammar::Rule& callee = grammar_.rule(edge.argument);
    const CompiledGrammar::State& ret = grammar_.state(edge.target);
    const bool tail = ret.only_accepts;
    const uint32_t need = std::max<uint32_t>(
        grammar_.state(callee.start).height + (tail ? 0 : 1), ret.height);
    if (depth + need > CompiledGrammar::kMaxDepth) continue;
    Add({callee.start,
         tail ? thread.frame : Push(edge.target, reg, thread.frame), 0});
  }
}

void Stepper::Start() {
  Begin();
  Add({grammar_.start_state(), CompiledGrammar::kRoot, 0});
  complete_ = grammar_.nullable();
}

void Stepper::Byte(uint8_t byte) {
  Begin();
  for (const GrammarThread& thread : previous_) {
    const ByteEdge* edge = grammar_.Find(grammar_.state(thread.state), byte);
    if (edge == nullptr) continue;
    uint64_t reg = thread.reg;
    const uint32_t rule = grammar_.RuleOf(thread.state);
    if (!grammar_.Pass(rule, edge->guard, DepthOf(thread.frame), &reg))
      continue;
    if (Fits(edge->target, thread.frame)) {
      Add({edge->target, thread.frame, reg});
    }
  }
}

void Stepper::Bytes(std::string_view bytes) {
  for (char c : bytes) {
    Byte(static_cast<uint8_t>(c));
    if (threads_.empty() && !complete_) return;
  }
}

void Stepper::Token(TokenId token) { Symbols(token); }

void Stepper::Symbols(std::optional<TokenId> token) {
  Begin();
  for (const GrammarThread& thread : previous_) {
    const CompiledGrammar::State& s = grammar_.state(thread.state);
    const uint32_t rule = grammar_.RuleOf(thread.state);
    for (uint32_t i = 0; i < s.symbols; ++i) {
      const SymbolEdge& edge = grammar_.symbol(s.first_symbol + i);
      if (edge.kind == SymbolKind::kCall) continue;
      if (edge.kind == SymbolKind::kToken &&
          (!token || edge.argument != static_cast<uint32_t>(*token))) {
        continue;
      }
      if (edge.kind == SymbolKind::kFree && token) {
        const std::vector<TokenId>& except = grammar_.free_list(edge.argument);
        if (std::find(except.begin(), except.end(), *token) != except.end()) {
          continue;
        }
      }
      uint64_t reg = thread.reg;
      if (!grammar_.Pass(rule, edge.guard, DepthOf(thread.frame), &reg)) {
        continue;
      }
      if (Fits(edge.target, thread.frame)) {
        Add({edge.target, thread.frame, reg});
      }
    }
  }
}

void Stepper::BytesOrSymbols(std::string_view text,
                             std::optional<TokenId> token) {
  const std::vector<GrammarThread> before = threads_;
  Bytes(text);
  const std::vector<GrammarThread> by_bytes = threads_;
  const bool complete = complete_;
  threads_ = before;
  Symbols(token);
  for (const GrammarThread& thread : by_bytes) {
    if (std::find(threads_.begin(), threads_.end(), thread) == threads_.end()) {
      threads_.push_back(thread);
    }
  }
  complete_ |= complete;
}

void Stepper::AnyToken(TokenId token) {
  const TokenTrie& tokens = grammar_.tokens();
  if (tokens.IsText(token)) {
    BytesOrSymbols(tokens.Text(token), token);
  } else {
    Token(token);
  }
}

void Stepper::AnyText(std::string_view text) {
  BytesOrSymbols(text, std::nullopt);
}

}  // namespace carat
