// Moves a set of parse threads over bytes and control tokens.
#ifndef CARAT_GRAMMAR_STEPPER_H_
#define CARAT_GRAMMAR_STEPPER_H_

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "grammar/compiled_grammar.h"
#include "grammar/parse_stack.h"

namespace carat {

class Stepper {
 public:
  // Pushes new frames onto `frames`, which must hold those of the threads.
  Stepper(const CompiledGrammar& grammar, std::vector<GrammarFrame>* frames)
      : grammar_(grammar), frames_(frames), first_new_(frames->size()) {}

  // The threads at the start of the text.
  void Start();
  // Replace `threads()` by what they become; empty when nothing fits.
  void Byte(uint8_t byte);
  void Bytes(std::string_view bytes);
  void Token(TokenId token);
  // Any token: bytes, control token, or free passage.
  void AnyToken(TokenId token);
  // Text however it is cut into tokens: bytes or free passage.
  void AnyText(std::string_view text);

  std::vector<GrammarThread>& threads() { return threads_; }
  // Whether the text may end here. Valid after any of the steps.
  bool complete() const { return complete_; }

 private:
  // Ambiguous grammars are cut down to so many readings; what remains still
  // leads to valid and complete texts.
  static constexpr size_t kMaxThreads = 512;

  void Begin();
  // `token` none: some text token.
  void Symbols(std::optional<TokenId> token);
  void BytesOrSymbols(std::string_view text, std::optional<TokenId> token);
  void Add(GrammarThread thread);
  void AddCalls(const GrammarThread& thread);
  void Return(uint32_t frame);
  uint32_t Push(uint32_t ret, uint64_t reg, uint32_t parent);
  uint32_t DepthOf(uint32_t frame) const;
  bool Fits(uint32_t state, uint32_t frame) const;

  const CompiledGrammar& grammar_;
  std::vector<GrammarFrame>* frames_;
  size_t first_new_;
  std::vector<GrammarThread> threads_, previous_;
  bool complete_ = false;
};

}  // namespace carat

#endif  // CARAT_GRAMMAR_STEPPER_H_
