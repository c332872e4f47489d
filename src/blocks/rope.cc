#include "blocks/rope.h"

#include <cmath>

#include "kernels/vector.h"

namespace carat {

RopeFrequencies DefaultRope(int head_dim, double base, double factor) {
  RopeFrequencies f(head_dim / 2);
  for (int i = 0; i < head_dim / 2; ++i) {
    f[i] = static_cast<float>(std::pow(base, -2.0 * i / head_dim) / factor);
  }
  return f;
}

RopeFrequencies ProportionalRope(int head_dim, double base, double share) {
  RopeFrequencies f = DefaultRope(head_dim, base, 1.0);
  const int moving = static_cast<int>(share * head_dim) / 2;
  for (int i = moving; i < head_dim / 2; ++i) f[i] = 0.0f;
  return f;
}

void RopeAngles::Fill(const RopeFrequencies& frequencies,
                      const std::vector<BatchRow>& rows, ThreadPool& pool) {
  half_ = static_cast<int64_t>(frequencies.size());
  cos_.resize(rows.size() * half_);
  sin_.resize(rows.size() * half_);
  ForRows(static_cast<int64_t>(rows.size()), pool, [&](int64_t r) {
    const float position = static_cast<float>(rows[r].position);
    for (int64_t i = 0; i < half_; ++i) {
      // The product is rounded to f32 before the cosine, as the reference does.
      CosSin(position * frequencies[i], &cos_[r * half_ + i],
             &sin_[r * half_ + i]);
    }
  });
}

}  // namespace carat
