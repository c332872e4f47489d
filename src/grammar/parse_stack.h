// The two records a parse is made of.
#ifndef CARAT_GRAMMAR_PARSE_STACK_H_
#define CARAT_GRAMMAR_PARSE_STACK_H_

#include <cstdint>

namespace carat {

// A rule to return to: its state and register, and its own caller's frame.
struct GrammarFrame {
  uint32_t ret;
  uint32_t parent;
  uint32_t depth;
  uint64_t reg;
};

// One way of reading the text so far: a state inside a rule, the rule's
// register (a counter or the set of keys seen) and where to go when it ends.
struct GrammarThread {
  uint32_t state;
  uint32_t frame;
  uint64_t reg;
  bool operator==(const GrammarThread&) const = default;
};

}  // namespace carat

#endif  // CARAT_GRAMMAR_PARSE_STACK_H_
