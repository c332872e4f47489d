#include "tensor/tensor_view.h"

#include <fmt/format.h>

namespace carat {

std::string ShapeString(const std::vector<int64_t>& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

}  // namespace carat
