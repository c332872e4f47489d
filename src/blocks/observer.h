// Sees named intermediates of a forward pass, for comparison with a reference
// dump. Models call it only when one is given.
#ifndef CARAT_BLOCKS_OBSERVER_H_
#define CARAT_BLOCKS_OBSERVER_H_

#include <cstdint>
#include <string>

namespace carat {

class Observer {
 public:
  virtual ~Observer() = default;
  // data: [rows, cols], `stride` floats between rows; valid during the call.
  // Names: "embedding", "layer.3.attention_out", "final_norm" ...
  virtual void Observe(const std::string& name, const float* data, int64_t rows,
                       int64_t cols, int64_t stride) = 0;
};

}  // namespace carat

#endif  // CARAT_BLOCKS_OBSERVER_H_
