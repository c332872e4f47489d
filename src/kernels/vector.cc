#include "kernels/vector.h"

#include <cmath>

#include "kernels/attention.h"

namespace carat {

namespace scalar {
const VectorOps& VectorTable();
}
#if defined(__x86_64__)
namespace avx2 {
const VectorOps& VectorTable();
}
namespace avx512 {
const VectorOps& VectorTable();
}
#elif defined(__aarch64__)
namespace neon {
const VectorOps& VectorTable();
}
#endif

const VectorOps& VectorFor(Isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case Isa::kAvx2:
    case Isa::kAvxVnni:
      return avx2::VectorTable();
    case Isa::kAvx512:
      return avx512::VectorTable();
#elif defined(__aarch64__)
    case Isa::kNeon:
    case Isa::kI8mm:
      return neon::VectorTable();
#endif
    default:
      return scalar::VectorTable();
  }
}

const VectorOps& Vector() {
  static const VectorOps& ops = VectorFor(ActiveIsa());
  return ops;
}

float Exp(float x) { return Vector().exp(x); }

void CosSin(float angle, float* cos, float* sin) {
  // angle = n pi/2 + r, |r| <= pi/4; pi/2 in three parts keeps r exact to
  // about 1e-17 for the n that occur. Taylor series in double: the result is
  // far more precise than the float it is rounded to.
  const double x = angle;
  const double n = std::nearbyint(x * 0.63661977236758134308);
  double r = std::fma(-n, 1.57079632679489655800e+00, x);
  r = std::fma(-n, 6.12323399573676603587e-17, r);
  const double z = r * r;
  double s = -7.6471637318198164759e-13;
  s = std::fma(s, z, 1.6059043836821614599e-10);
  s = std::fma(s, z, -2.5052108385441718775e-08);
  s = std::fma(s, z, 2.7557319223985890653e-06);
  s = std::fma(s, z, -1.9841269841269841270e-04);
  s = std::fma(s, z, 8.3333333333333333333e-03);
  s = std::fma(s, z, -1.6666666666666666667e-01);
  s = std::fma(s * z, r, r);
  double c = 4.7794773323873852974e-14;
  c = std::fma(c, z, -1.1470745597729724714e-11);
  c = std::fma(c, z, 2.0876756987868098979e-09);
  c = std::fma(c, z, -2.7557319223985890653e-07);
  c = std::fma(c, z, 2.4801587301587301587e-05);
  c = std::fma(c, z, -1.3888888888888888889e-03);
  c = std::fma(c, z, 4.1666666666666666667e-02);
  c = std::fma(c, z, -0.5);
  c = std::fma(c, z, 1.0);
  switch (static_cast<int64_t>(n) & 3) {
    case 0:
      *cos = static_cast<float>(c);
      *sin = static_cast<float>(s);
      break;
    case 1:
      *cos = static_cast<float>(-s);
      *sin = static_cast<float>(c);
      break;
    case 2:
      *cos = static_cast<float>(-c);
      *sin = static_cast<float>(-s);
      break;
    default:
      *cos = static_cast<float>(s);
      *sin = static_cast<float>(-c);
  }
}

}  // namespace carat
