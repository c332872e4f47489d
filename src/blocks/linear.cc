#include "blocks/linear.h"

#include "tensor/dequantize.h"

namespace carat {

void RowTable::Read(int64_t row, int64_t first, int64_t count,
                    float* out) const {
  const uint8_t* at = view_.data + row * DTypeBytes(view_.type, cols()) +
                      DTypeBytes(view_.type, first);
  Dequantize(view_.type, at, count, out);
}

}  // namespace carat
