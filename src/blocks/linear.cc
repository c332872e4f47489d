#include "blocks/linear.h"

#include "tensor/dequantize.h"

namespace carat {

void RowTable::Read(int64_t row, int64_t first, int64_t count,
                    float* out) const {
  const uint8_t* at = data_ + row * DTypeBytes(type_, cols_) +
                      DTypeBytes(type_, first);
  Dequantize(type_, at, count, out);
}

}  // namespace carat
