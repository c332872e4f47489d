// Seeded stored weights and activations for the matrix tests and the
// stand-alone self-test. No test framework here.
#ifndef CARAT_KERNELS_MATMUL_TEST_DATA_H_
#define CARAT_KERNELS_MATMUL_TEST_DATA_H_

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "kernels/matmul.h"
#include "tensor/dequantize.h"

namespace carat::testing {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 2 + 1) {}
  uint32_t Next() {
    state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<uint32_t>(state_ >> 32);
  }
  float Uniform() { return static_cast<float>(Next() >> 8) * 0x1p-23f - 1.0f; }

 private:
  uint64_t state_;
};

// Byte offsets of the binary16 fields in a stored block; -1 ends.
struct HalfFields {
  int at[2];
};
inline HalfFields HalfFieldsOf(DType type) {
  switch (type) {
    case DType::kQ4_1:
    case DType::kQ5_1:
    case DType::kQ4_K:
    case DType::kQ5_K:
      return {{0, 2}};
    case DType::kQ6_K:
      return {{208, -1}};
    case DType::kQ3_K:
      return {{108, -1}};
    case DType::kQ2_K:
      return {{80, 82}};
    case DType::kMXFP4:
    case DType::kIQ1_M:
      return {{-1, -1}};
    default:
      return {{0, -1}};
  }
}

inline std::vector<uint8_t> RandomWeights(DType type, int64_t rows,
                                          int64_t cols, uint64_t seed) {
  Random random(seed);
  const size_t n = static_cast<size_t>(rows * cols);
  std::vector<uint8_t> bytes(DTypeBytes(type, n));
  const size_t block = GetDTypeInfo(type).block_bytes;
  if (type == DType::kF32) {
    for (size_t i = 0; i < n; ++i) {
      const float value = random.Uniform();
      std::memcpy(bytes.data() + 4 * i, &value, 4);
    }
    return bytes;
  }
  if (type == DType::kF16 || type == DType::kBF16) {
    for (size_t i = 0; i < n; ++i) {
      const float value = random.Uniform();
      const uint16_t bits =
          type == DType::kF16 ? FloatToHalf(value) : FloatToBf16(value);
      std::memcpy(bytes.data() + 2 * i, &bits, 2);
    }
    return bytes;
  }
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.Next());
  for (size_t at = 0; at < bytes.size(); at += block) {
    if (type == DType::kMXFP4) bytes[at] = 100 + bytes[at] % 50;
    if (type == DType::kIQ1_M) bytes[at + 55] &= 0x3f;
    for (int field : HalfFieldsOf(type).at) {
      if (field < 0) continue;
      const uint16_t scale = FloatToHalf(random.Uniform() * 0.02f);
      std::memcpy(bytes.data() + at + field, &scale, 2);
    }
  }
  return bytes;
}

inline void RandomActivations(int64_t rows, int64_t cols, uint64_t seed,
                              Activations& x) {
  Random random(seed);
  x.Resize(rows, cols);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) {
      // Mostly small, some large: as behind an RMS norm.
      const float u = random.Uniform();
      x.row(r)[c] = random.Next() % 61 == 0 ? 20.0f * u : u;
    }
  }
}

// Every code and activation at its extreme, so that sums reach their limits.
inline void ExtremeActivations(int64_t rows, int64_t cols, Activations& x) {
  x.Resize(rows, cols);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < cols; ++c) {
      const bool negative = r % 3 == 1 || (r % 3 == 2 && c % 4 < 2);
      x.row(r)[c] = negative ? -3.0f : 3.0f;
    }
  }
}

}  // namespace carat::testing

#endif  // CARAT_KERNELS_MATMUL_TEST_DATA_H_
