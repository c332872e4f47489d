#include "kernels/cpu.h"

#include <cstdlib>
#include <cstring>

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace carat {
namespace {

#if defined(__x86_64__)
bool HasAvxVnni() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 1, &a, &b, &c, &d)) return false;
  return (a & (1u << 4)) != 0;
}
#endif

std::vector<Isa> Detect() {
  std::vector<Isa> found = {Isa::kScalar};
#if defined(__x86_64__)
  // __builtin_cpu_supports also checks that the OS saves the registers.
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("f16c")) {
    found.push_back(Isa::kAvx2);
    if (HasAvxVnni()) found.push_back(Isa::kAvxVnni);
    if (__builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vnni")) {
      found.push_back(Isa::kAvx512);
    }
  }
#elif defined(__aarch64__)
  const unsigned long caps = getauxval(AT_HWCAP);
  const unsigned long caps2 = getauxval(AT_HWCAP2);
  if ((caps & HWCAP_ASIMDDP) != 0) {
    found.push_back(Isa::kNeon);
    if ((caps2 & HWCAP2_I8MM) != 0) found.push_back(Isa::kI8mm);
  }
#endif
  return found;
}

struct Choice {
  Isa isa;
  std::string note;
};

Choice Choose() {
  const std::vector<Isa>& found = SupportedIsas();
  const char* forced = std::getenv("CARAT_ISA");
  if (forced == nullptr || *forced == '\0') return {found.back(), ""};
  for (Isa isa : found) {
    if (std::strcmp(forced, IsaName(isa)) == 0) return {isa, ""};
  }
  return {found.back(), std::string("CARAT_ISA=") + forced +
                            " is not available on this CPU; using " +
                            IsaName(found.back())};
}

const Choice& Chosen() {
  static const Choice choice = Choose();
  return choice;
}

}  // namespace

const char* IsaName(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return "scalar";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvxVnni:
      return "avxvnni";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kNeon:
      return "neon";
    case Isa::kI8mm:
      return "i8mm";
  }
  return "unknown";
}

const std::vector<Isa>& SupportedIsas() {
  static const std::vector<Isa> isas = Detect();
  return isas;
}

Isa ActiveIsa() { return Chosen().isa; }
const std::string& IsaNote() { return Chosen().note; }

}  // namespace carat
