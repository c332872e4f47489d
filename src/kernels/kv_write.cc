// Keys and values from f32 rows into a page of the cache.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/attention.h"
#include "kernels/vector.h"
#include "tensor/dequantize.h"

namespace carat {
namespace {

// Where a position's key and value start in one head's part of a page, in
// elements, and how far apart their dimensions are.
struct Place {
  int64_t k, v;
  int64_t K(int64_t d) const { return k + d * 16; }
  int64_t V(int64_t d) const { return v + d / 16 * kKvTile * 16 + d % 16; }
};

Place PlaceOf(int64_t t, int64_t dim) {
  return {(t / 16) * dim * 16 + t % 16, kKvTile * dim + t * 16};
}

void WriteF32(const float* k, const float* v, int64_t dim, Place at,
              float* to) {
  for (int64_t d = 0; d < dim; ++d) to[at.K(d)] = k[d];
  for (int64_t d = 0; d < dim; ++d) to[at.V(d)] = v[d];
}

void WriteF16(const float* k, const float* v, int64_t dim, Place at,
              uint16_t* to) {
  constexpr int64_t kChunk = 512;
  uint16_t half[kChunk];
  for (int64_t from = 0; from < dim; from += kChunk) {
    const int64_t n = std::min(kChunk, dim - from);
    Vector().to_half(k + from, n, half);
    for (int64_t d = 0; d < n; ++d) to[at.K(from + d)] = half[d];
    Vector().to_half(v + from, n, half);
    for (int64_t d = 0; d < n; ++d) to[at.V(from + d)] = half[d];
  }
}

// Adding 1.5 * 2^23 rounds to nearest even and leaves the integer in the low
// bits. Precondition: |x| < 2^22.
int32_t RoundToInt(float x) {
  const float shifted = x + 12582912.0f;
  int32_t bits;
  std::memcpy(&bits, &shifted, 4);
  return bits - 0x4b400000;
}

// x [n], n <= kKvBlock, as integers times the scale that is returned. Blocks
// of numbers too small for a binary16 scale become zero.
uint16_t QuantizeKv(const float* x, int64_t n, int8_t* q) {
  constexpr float kLargest = 65504.0f * 127.0f;
  float top = 0.0f;
  for (int64_t i = 0; i < n; ++i) {
    const float a = std::fabs(x[i]);
    top = a > top ? a : top;  // passes over NaN
  }
  const uint16_t half = FloatToHalf(std::min(top, kLargest) / 127.0f);
  const float scale = HalfToFloat(half);
  const float inverse = scale > 0.0f ? 1.0f / scale : 0.0f;
  for (int64_t i = 0; i < n; ++i) {
    float v = x[i] * inverse;
    v = v < 127.0f ? v : 127.0f;  // NaN too
    v = v > -127.0f ? v : -127.0f;
    q[i] = static_cast<int8_t>(RoundToInt(v));
  }
  return half;
}

void WriteQ8(const float* k, const float* v, const KvSlice& slice, int64_t t,
             uint8_t* head) {
  const int64_t dim = slice.head_dim, blocks = slice.blocks();
  const Place at = PlaceOf(t, dim);
  int8_t* codes = reinterpret_cast<int8_t*>(head);
  uint16_t* k_scales = reinterpret_cast<uint16_t*>(head + 2 * kKvTile * dim);
  uint16_t* v_scales = k_scales + kKvTile * blocks;
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t from = b * kKvBlock;
    const int64_t n = std::min(kKvBlock, dim - from);
    int8_t q[kKvBlock];
    k_scales[(t / 16 * blocks + b) * 16 + t % 16] = QuantizeKv(k + from, n, q);
    for (int64_t d = 0; d < n; ++d) codes[at.K(from + d)] = q[d];
    v_scales[b * kKvTile + t] = QuantizeKv(v + from, n, q);
    for (int64_t d = 0; d < n; ++d) codes[at.V(from + d)] = q[d];
  }
}

}  // namespace

const char* KvTypeName(KvType type) {
  switch (type) {
    case KvType::kF32:
      return "f32";
    case KvType::kF16:
      return "f16";
    case KvType::kQ8:
      return "q8";
  }
  return "unknown";
}

void KvWrite(const KvSlice& slice, uint8_t* page, int64_t position,
             const float* k, const float* v) {
  const int64_t dim = slice.head_dim, t = position % kKvTile;
  uint8_t* head = page + slice.offset_bytes;
  for (int kv = 0; kv < slice.kv_heads; ++kv) {
    switch (slice.type) {
      case KvType::kF32:
        WriteF32(k, v, dim, PlaceOf(t, dim), reinterpret_cast<float*>(head));
        break;
      case KvType::kF16:
        WriteF16(k, v, dim, PlaceOf(t, dim), reinterpret_cast<uint16_t*>(head));
        break;
      case KvType::kQ8:
        WriteQ8(k, v, slice, t, head);
        break;
    }
    k += dim;
    v += dim;
    head += slice.head_bytes();
  }
}

}  // namespace carat
