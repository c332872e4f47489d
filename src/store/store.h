// From what a person types to a model on disk. Models are opened where they
// lie, never copied. Immutable after construction; safe to share.
#ifndef CARAT_STORE_STORE_H_
#define CARAT_STORE_STORE_H_

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "store/scan.h"

namespace carat {

class Store {
 public:
  // Reads the roots once. A model that is reachable through several roots or
  // links is listed once.
  explicit Store(const std::vector<StoreRoot>& roots);

  const std::vector<FoundModel>& models() const { return models_; }
  const std::vector<std::string>& notes() const { return notes_; }
  const std::vector<StoreRoot>& roots() const { return roots_; }

  // The model that `name` means; upper and lower case are the same. A name
  // may be qualified by its store ("ollama:gemma3:1b"). Full names win over
  // short ones. Errors: kNotFound with the nearest names, kInvalidArgument
  // with the choices when several fit.
  Result<FoundModel> Resolve(std::string_view name) const;

 private:
  std::vector<std::string> Nearest(std::string_view name) const;
  Status NotFoundStatus(std::string_view name) const;

  std::vector<StoreRoot> roots_;
  std::vector<FoundModel> models_;
  std::vector<std::string> notes_;
};

// "ollama:gemma3:1b": a name that no other store's model answers to.
std::string QualifiedName(const FoundModel& model);

// True when `argument` can only be meant as a path: it exists, or it looks
// like one (begins with '/', './', '../' or '~', or ends in ".gguf" behind a
// slash).
bool IsModelPath(const std::string& argument);

}  // namespace carat

#endif  // CARAT_STORE_STORE_H_
