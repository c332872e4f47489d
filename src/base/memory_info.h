// What the machine has and what this process takes, in bytes.
#ifndef CARAT_BASE_MEMORY_INFO_H_
#define CARAT_BASE_MEMORY_INFO_H_

#include <cstdint>
#include <span>

namespace carat {

struct MemoryInfo {
  uint64_t total = 0;      // of the machine or the cgroup, the smaller
  uint64_t available = 0;  // that a new allocation can get without swapping
  uint64_t resident = 0;   // this process now
  uint64_t peak = 0;       // this process at its highest
  uint64_t resident_anonymous = 0;  // of resident: not backed by files
};

// Zeros where the system does not tell.
MemoryInfo ReadMemoryInfo();

// How much of this process's `memory` is in huge pages: of the mappings that it
// touches, as the system keeps count by mapping. Reads /proc/self/smaps, which
// takes milliseconds.
uint64_t HugeBytesIn(std::span<const uint8_t> memory);

}  // namespace carat

#endif  // CARAT_BASE_MEMORY_INFO_H_
