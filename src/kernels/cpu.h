// Instruction sets that carat has kernels for, what this CPU can run, and the
// one that is used. CARAT_ISA=scalar|avx2|avxvnni|avx512|neon|i8mm forces one.
#ifndef CARAT_KERNELS_CPU_H_
#define CARAT_KERNELS_CPU_H_

#include <string>
#include <vector>

namespace carat {

enum class Isa {
  kScalar,   // plain C++, the reference
  kAvx2,     // AVX2 + FMA + F16C
  kAvxVnni,  // kAvx2 + AVX-VNNI (256-bit dot products)
  kAvx512,   // AVX-512 F/BW/VL/DQ + VNNI
  kNeon,     // Armv8.2 + dotprod
  kI8mm,     // kNeon + i8mm
};

const char* IsaName(Isa isa);

// All that this CPU can run, worst first; always starts with kScalar.
const std::vector<Isa>& SupportedIsas();

// The best supported one, or what CARAT_ISA names. A name that this CPU
// cannot run is ignored; IsaNote() then says so.
Isa ActiveIsa();
const std::string& IsaNote();

}  // namespace carat

#endif  // CARAT_KERNELS_CPU_H_
