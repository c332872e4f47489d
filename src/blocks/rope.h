// Rotary position embedding: per-pair frequencies of a layer type, and the
// cosines and sines of a batch's positions.
#ifndef CARAT_BLOCKS_ROPE_H_
#define CARAT_BLOCKS_ROPE_H_

#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "blocks/batch.h"

namespace carat {

// Radians per position for each of head_dim / 2 pairs; pair i couples
// dimensions i and i + head_dim / 2.
using RopeFrequencies = std::vector<float>;

// base^(-2i / head_dim) / factor (factor > 1: linear position scaling).
RopeFrequencies DefaultRope(int head_dim, double base, double factor);
// The same for the first `share` of the pairs, the others stand still. The
// exponent's denominator stays the full head_dim.
RopeFrequencies ProportionalRope(int head_dim, double base, double share);

// cos and sin of position * frequency, [rows, head_dim / 2] each.
class RopeAngles {
 public:
  void Fill(const RopeFrequencies& frequencies,
            const std::vector<BatchRow>& rows, ThreadPool& pool);
  const float* cos(int64_t row) const { return &cos_[row * half_]; }
  const float* sin(int64_t row) const { return &sin_[row * half_]; }
  int64_t half() const { return half_; }

 private:
  int64_t half_ = 0;
  std::vector<float> cos_, sin_;
};

}  // namespace carat

#endif  // CARAT_BLOCKS_ROPE_H_
