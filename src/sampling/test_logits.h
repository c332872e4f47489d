// For tests: logits that look like a model's, the same everywhere.
#ifndef CARAT_SAMPLING_TEST_LOGITS_H_
#define CARAT_SAMPLING_TEST_LOGITS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sampling/rng.h"

namespace carat {

// Deterministic noise, roughly like a model's logits: most far below the top.
inline std::vector<float> Noise(size_t n, uint64_t seed) {
  CounterRng rng(seed);
  std::vector<float> out(n);
  for (size_t i = 0; i < n; ++i) {
    const double u = rng.Uniform(i);
    out[i] = static_cast<float>(8 * u * u * u - 4 * rng.Uniform(i + n));
  }
  return out;
}

}  // namespace carat

#endif  // CARAT_SAMPLING_TEST_LOGITS_H_
