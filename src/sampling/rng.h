// A counter-based random source: draw n of seed s is a pure function of both
// (SplitMix64 by Steele, Lea and Flood, keyed by a mixed seed). A sequence can
// thus be forked, replayed or resumed at any token and draws the same numbers.
#ifndef CARAT_SAMPLING_RNG_H_
#define CARAT_SAMPLING_RNG_H_

#include <cstdint>

namespace carat {

class CounterRng {
 public:
  explicit CounterRng(uint64_t seed) : key_(Mix(seed ^ 0x6361726174ULL)) {}

  uint64_t Bits(uint64_t n) const {
    return Mix(key_ + (n + 1) * 0x9e3779b97f4a7c15ULL);
  }
  // Uniform in [0, 1), a multiple of 2^-53.
  double Uniform(uint64_t n) const {
    return static_cast<double>(Bits(n) >> 11) * 0x1p-53;
  }

 private:
  static uint64_t Mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  uint64_t key_;
};

}  // namespace carat

#endif  // CARAT_SAMPLING_RNG_H_
