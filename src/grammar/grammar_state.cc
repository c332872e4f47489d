#include <algorithm>
#include <utility>

#include "grammar/compiled_grammar.h"
#include "grammar/grammar.h"
#include "grammar/mask_walker.h"
#include "grammar/stepper.h"

namespace carat {
namespace {

void Allow(std::span<uint64_t> mask, TokenId token) {
  mask[token / 64] |= uint64_t{1} << (token % 64);
}

uint32_t DepthOf(const GrammarThread& thread,
                 std::span<const GrammarFrame> frames) {
  return thread.frame == CompiledGrammar::kRoot ? 0
                                                : frames[thread.frame].depth;
}

void AllowAllBut(const std::vector<TokenId>& except, std::span<uint64_t> mask) {
  std::vector<bool> kept;
  for (TokenId token : except) {
    kept.push_back((mask[token / 64] >> (token % 64) & 1) != 0);
  }
  std::fill(mask.begin(), mask.end(), ~uint64_t{0});
  for (size_t i = 0; i < except.size(); ++i) {
    const TokenId token = except[i];
    if (!kept[i]) mask[token / 64] &= ~(uint64_t{1} << (token % 64));
  }
}

void AddText(const CompiledGrammar& grammar, const GrammarThread& thread,
             std::span<const GrammarFrame> frames, std::span<uint64_t> mask) {
  const CompiledGrammar::State& state = grammar.state(thread.state);
  if (state.bytes == 0) return;
  const bool root = thread.frame == CompiledGrammar::kRoot;
  const uint32_t depth = DepthOf(thread, frames);
  const TokenTrie::Nodes& all = grammar.tokens().nodes();
  const LocalMaskPtr local = LocalMaskOf(grammar, thread.state, thread.reg);
  if (depth + local->reach > CompiledGrammar::kMaxDepth) {
    MaskWalker walker(grammar, all, frames, mask);
    walker.Scan(thread.state, thread.reg, thread.frame, 0);
    return;
  }
  local->AddTo(mask);
  if (root) return;
  if (!local->exits.tokens.empty()) {
    MaskWalker walker(grammar, local->exits, frames, mask);
    walker.Return(thread.frame, 0);
  }
  if (!local->exit_nodes.empty()) {
    MaskWalker walker(grammar, all, frames, mask);
    for (uint32_t node : local->exit_nodes) walker.Return(thread.frame, node);
  }
}

void AddSymbols(const CompiledGrammar& grammar, const GrammarThread& thread,
                uint32_t depth, std::span<uint64_t> mask) {
  const CompiledGrammar::State& state = grammar.state(thread.state);
  const uint32_t rule = grammar.RuleOf(thread.state);
  for (uint32_t i = 0; i < state.symbols; ++i) {
    const SymbolEdge& edge = grammar.symbol(state.first_symbol + i);
    if (edge.kind == SymbolKind::kCall) continue;
    uint64_t reg = thread.reg;
    if (!grammar.Pass(rule, edge.guard, depth, &reg)) continue;
    if (depth + grammar.state(edge.target).height >
        CompiledGrammar::kMaxDepth) {
      continue;
    }
    if (edge.kind == SymbolKind::kToken) {
      Allow(mask, static_cast<TokenId>(edge.argument));
      continue;
    }
    AllowAllBut(grammar.free_list(edge.argument), mask);
  }
}

}  // namespace

GrammarState::GrammarState(GrammarPtr grammar) : grammar_(std::move(grammar)) {
  Stepper stepper(*grammar_, &frames_);
  stepper.Start();
  threads_ = std::move(stepper.threads());
  complete_ = stepper.complete();
}

void GrammarState::Mask(std::span<uint64_t> mask) const {
  const TokenTrie& tokens = grammar_->tokens();
  std::fill(mask.begin(), mask.end(), 0);
  mask = mask.first(tokens.mask_words());
  if (finished_) return;
  for (const GrammarThread& thread : threads_) {
    AddText(*grammar_, thread, frames_, mask);
    AddSymbols(*grammar_, thread, DepthOf(thread, frames_), mask);
  }
  if (complete_) {
    for (TokenId token : tokens.end_of_generation()) Allow(mask, token);
  }
  if (tokens.size() % 64 != 0) {
    mask[tokens.size() / 64] &= (uint64_t{1} << (tokens.size() % 64)) - 1;
  }
}

size_t GrammarState::BytesToEnd() const {
  if (complete_ || finished_) return 0;
  size_t least = CompiledGrammar::kFar;
  for (const GrammarThread& thread : threads_) {
    size_t bytes = grammar_->state(thread.state).distance;
    for (uint32_t frame = thread.frame; frame != CompiledGrammar::kRoot;
         frame = frames_[frame].parent) {
      bytes += grammar_->state(frames_[frame].ret).distance;
    }
    least = std::min(least, bytes);
  }
  return least;
}

bool GrammarState::CanAccept(TokenId token) const {
  GrammarState copy = *this;
  return copy.Step(token);
}

bool GrammarState::Step(TokenId token) {
  const TokenTrie& tokens = grammar_->tokens();
  if (finished_ || token < 0 || token >= tokens.size()) return false;
  Stepper stepper(*grammar_, &frames_);
  stepper.threads() = threads_;
  stepper.AnyToken(token);
  if (!stepper.threads().empty() || stepper.complete()) {
    threads_ = std::move(stepper.threads());
    complete_ = stepper.complete();
    return true;
  }
  if (!complete_ || !tokens.IsEndOfGeneration(token)) return false;
  threads_.clear();
  finished_ = true;
  return true;
}

void GrammarState::Save() {
  if (history_.size() >= 2 * kHistory) ForgetOldest();
  history_.push_back({static_cast<uint32_t>(history_threads_.size()),
                      static_cast<uint32_t>(frames_.size()), complete_,
                      finished_});
  history_threads_.insert(history_threads_.end(), threads_.begin(),
                          threads_.end());
}

void GrammarState::Undo() {
  const Snapshot last = history_.back();
  history_.pop_back();
  threads_.assign(history_threads_.begin() + last.threads,
                  history_threads_.end());
  history_threads_.resize(last.threads);
  frames_.resize(last.frames);
  complete_ = last.complete;
  finished_ = last.finished;
}

// Drops the older half of the history and the frames only it could reach.
void GrammarState::ForgetOldest() {
  const uint32_t cut = history_[kHistory].threads;
  history_.erase(history_.begin(), history_.begin() + kHistory);
  history_threads_.erase(history_threads_.begin(),
                         history_threads_.begin() + cut);
  std::vector<uint32_t> number(frames_.size() + 1, 0);
  auto mark = [&](uint32_t frame) {
    while (frame != CompiledGrammar::kRoot && number[frame] == 0) {
      number[frame] = 1;
      frame = frames_[frame].parent;
    }
  };
  for (const GrammarThread& thread : threads_) mark(thread.frame);
  for (const GrammarThread& thread : history_threads_) mark(thread.frame);
  uint32_t kept = 0;
  for (size_t i = 0; i < frames_.size(); ++i) {
    const bool live = number[i] != 0;
    number[i] = kept;
    if (!live) continue;
    GrammarFrame frame = frames_[i];
    if (frame.parent != CompiledGrammar::kRoot) {
      frame.parent = number[frame.parent];
    }
    frames_[kept++] = frame;
  }
  number[frames_.size()] = kept;
  frames_.resize(kept);
  auto renumber = [&](std::vector<GrammarThread>* threads) {
    for (GrammarThread& thread : *threads) {
      if (thread.frame != CompiledGrammar::kRoot) {
        thread.frame = number[thread.frame];
      }
    }
  };
  renumber(&threads_);
  renumber(&history_threads_);
  for (Snapshot& snapshot : history_) {
    snapshot.threads -= cut;
    snapshot.frames = number[snapshot.frames];
  }
}

bool GrammarState::Accept(TokenId token) {
  Save();
  if (Step(token)) return true;
  Undo();
  return false;
}

bool GrammarState::AcceptText(std::string_view bytes) {
  if (finished_) return bytes.empty();
  Save();
  Stepper stepper(*grammar_, &frames_);
  stepper.threads() = threads_;
  if (bytes.empty()) return true;
  stepper.AnyText(bytes);
  if (stepper.threads().empty() && !stepper.complete()) {
    Undo();
    return false;
  }
  threads_ = std::move(stepper.threads());
  complete_ = stepper.complete();
  return true;
}

bool GrammarState::Rollback(size_t tokens) {
  if (tokens > history_.size()) return false;
  for (size_t i = 0; i < tokens; ++i) Undo();
  return true;
}

}  // namespace carat
