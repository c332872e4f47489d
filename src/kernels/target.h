// Turns on an instruction set for a stretch of code, so that one binary holds
// kernels for all of them and the rest stays baseline:
//
//   #include <headers...>
//   CARAT_TARGET_AVX2_BEGIN
//   namespace carat::avx2 { ... }
//   CARAT_TARGET_END
//
// Include every header before BEGIN: inline functions compiled inside would
// carry the instruction set into other translation units.
#ifndef CARAT_KERNELS_TARGET_H_
#define CARAT_KERNELS_TARGET_H_

#define CARAT_PRAGMA(x) _Pragma(#x)

#if defined(__clang__)
#define CARAT_TARGET_BEGIN(features)                                   \
  CARAT_PRAGMA(clang attribute push(__attribute__((target(features))), \
                                    apply_to = function))
#define CARAT_TARGET_END CARAT_PRAGMA(clang attribute pop)
#else
#define CARAT_TARGET_BEGIN(features) \
  CARAT_PRAGMA(GCC push_options) CARAT_PRAGMA(GCC target(features))
#define CARAT_TARGET_END CARAT_PRAGMA(GCC pop_options)
#endif

#define CARAT_TARGET_AVX2_BEGIN CARAT_TARGET_BEGIN("avx2,fma,f16c,bmi2")
#define CARAT_TARGET_AVXVNNI_BEGIN \
  CARAT_TARGET_BEGIN("avx2,fma,f16c,bmi2,avxvnni")
#define CARAT_TARGET_AVX512_BEGIN \
  CARAT_TARGET_BEGIN(             \
      "avx2,fma,f16c,bmi2,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")
#define CARAT_TARGET_NEON_BEGIN CARAT_TARGET_BEGIN("arch=armv8.2-a+dotprod")
#define CARAT_TARGET_I8MM_BEGIN \
  CARAT_TARGET_BEGIN("arch=armv8.2-a+dotprod+i8mm")

#endif  // CARAT_KERNELS_TARGET_H_
