// A named, typed, read-only window onto the bytes of a model file.
#ifndef CARAT_TENSOR_TENSOR_VIEW_H_
#define CARAT_TENSOR_TENSOR_VIEW_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/dtype.h"

namespace carat {

struct TensorView {
  std::string name;
  DType type = DType::kF32;
  // Slowest first, as in safetensors: a matrix is [out, in] (GGUF files store
  // the reverse; the parser turns it round).
  std::vector<int64_t> shape;
  const uint8_t* data = nullptr;  // not owned; lives as long as the file
  size_t bytes = 0;

  int64_t elements() const {
    int64_t n = 1;
    for (int64_t d : shape) n *= d;
    return n;
  }
  int64_t cols() const { return shape.empty() ? 1 : shape.back(); }
  int64_t rows() const { return cols() == 0 ? 0 : elements() / cols(); }
};

// "[262144, 640]"
std::string ShapeString(const std::vector<int64_t>& shape);

}  // namespace carat

#endif  // CARAT_TENSOR_TENSOR_VIEW_H_
