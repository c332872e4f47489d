// The body of Google's Interactions API to a GenerateRequest. A conversation
// is a list of steps here: what the user said, what the model thought, said
// and called, and what calls returned.
#ifndef CARAT_API_GEMINI_READ_INTERACTION_H_
#define CARAT_API_GEMINI_READ_INTERACTION_H_

#include <string>
#include <vector>

#include "api/gemini/read_contents.h"
#include "api/model_traits.h"
#include "base/json.h"
#include "base/status.h"
#include "carat/request.h"

namespace carat {

// What is read before the model is loaded.
struct InteractionHead {
  std::string model;     // without "models/"
  std::string previous;  // an earlier interaction's id, or empty
  bool store = true;
  bool stream = false;
  bool show_thoughts = false;
  Json steps;  // "input" as an array of steps
};
// Errors: what only the cloud does (agents, background work), bad types.
Result<InteractionHead> ReadInteractionHead(const Json& body);

// The request of `body` after `steps`, which hold the whole conversation.
Result<GenerateRequest> ReadInteraction(const Json& body, const Json& steps,
                                        const ModelTraits& traits,
                                        FileSource* files);

}  // namespace carat

#endif  // CARAT_API_GEMINI_READ_INTERACTION_H_
