#include "api/collected.h"

#include <iterator>
#include <utility>

namespace carat {

std::vector<TokenProbability> TextProbabilities::Add(
    const GenerateEvent& event) {
  if (const auto* p = std::get_if<TokenProbability>(&event)) {
    // Control tokens write nothing and belong to nothing.
    if (!p->text.empty()) waiting_.push_back(*p);
    return {};
  }
  if (std::holds_alternative<PromptDone>(event)) return {};
  std::vector<TokenProbability> taken = std::exchange(waiting_, {});
  if (!std::holds_alternative<TextDelta>(event)) taken.clear();
  return taken;
}

void Collected::Add(const GenerateEvent& event) {
  std::vector<TokenProbability> more = sorter_.Add(event);
  probabilities.insert(probabilities.end(),
                       std::make_move_iterator(more.begin()),
                       std::make_move_iterator(more.end()));
  if (const auto* delta = std::get_if<TextDelta>(&event)) {
    text += delta->text;
  } else if (const auto* more_thought = std::get_if<ThoughtDelta>(&event)) {
    thought += more_thought->text;
  } else if (const auto* call = std::get_if<ToolCallDone>(&event)) {
    calls.push_back(call->call);
  } else if (const auto* last = std::get_if<Done>(&event)) {
    done = true;
    end = *last;
  }
}

}  // namespace carat
