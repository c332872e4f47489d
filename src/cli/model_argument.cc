#include "cli/model_argument.h"

#include "store/store.h"

namespace carat {

Result<std::string> FindModel(const std::string& argument) {
  if (argument.empty()) {
    return InvalidArgument(
        "The model's name is empty; give a path or a name from carat list.");
  }
  if (IsModelPath(argument)) return argument;
  CARAT_ASSIGN_OR_RETURN(const FoundModel model,
                         Store(DefaultRoots()).Resolve(argument));
  return model.path;
}

}  // namespace carat
