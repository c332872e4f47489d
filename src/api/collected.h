// A whole answer gathered from its events, for bodies that are sent at once.
// Also which tokens' probabilities belong to the answer's text: the engine
// reports every generated token, thoughts and calls included.
#ifndef CARAT_API_COLLECTED_H_
#define CARAT_API_COLLECTED_H_

#include <string>
#include <vector>

#include "carat/request.h"

namespace carat {

// Holds probabilities until it is known what their tokens became.
class TextProbabilities {
 public:
  // The probabilities of the tokens that `event` put into the answer's text;
  // empty for every other event.
  std::vector<TokenProbability> Add(const GenerateEvent& event);

 private:
  std::vector<TokenProbability> waiting_;
};

struct Collected {
  std::string text, thought;
  std::vector<ToolCall> calls;                  // complete ones
  std::vector<TokenProbability> probabilities;  // of the text
  bool done = false;
  Done end;  // when done

  void Add(const GenerateEvent& event);

 private:
  TextProbabilities sorter_;
};

}  // namespace carat

#endif  // CARAT_API_COLLECTED_H_
