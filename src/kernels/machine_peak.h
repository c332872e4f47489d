// How fast this machine reads memory and multiplies small integers, measured in
// about a second: what the speed of a model is compared with.
#ifndef CARAT_KERNELS_MACHINE_PEAK_H_
#define CARAT_KERNELS_MACHINE_PEAK_H_

#include <cstdint>
#include <span>

#include "base/thread_pool.h"
#include "kernels/cpu.h"

namespace carat {

struct MachinePeak {
  // Bytes a second from memory, all threads reading one large block from front
  // to back, the best of several runs. 0: there was no memory to read.
  double read_bytes = 0;
  // Multiply-adds of 8-bit integers a second in registers, times two as is
  // customary, with the instruction that `isa` has for it. 0 for kScalar.
  double int8_ops = 0;
  const char* int8_instruction = "none";
};

MachinePeak MeasureMachine(Isa isa, ThreadPool& pool);

// Bytes a second of one pass over `bytes` by all threads, nothing else done: as
// fast as a product with these weights could be at this moment. 0: no bytes.
double ReadSpeed(std::span<const uint8_t> bytes, ThreadPool& pool);

}  // namespace carat

#endif  // CARAT_KERNELS_MACHINE_PEAK_H_
