// Compiler hints for the matrix kernels: everything between a kernel's loop and
// its instructions is inlined, and loops over registers are unrolled.
#ifndef CARAT_KERNELS_MATMUL_INLINE_H_
#define CARAT_KERNELS_MATMUL_INLINE_H_

// Emulated vectors (CARAT_SIMDE) and instrumented code take minutes to compile
// that way, and their speed does not matter.
#if defined(CARAT_SIMDE) || defined(__SANITIZE_ADDRESS__) || \
    defined(__SANITIZE_THREAD__)
#define CARAT_SMALL_KERNELS
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define CARAT_SMALL_KERNELS
#endif
#endif

#if defined(CARAT_SMALL_KERNELS)
#define CARAT_INLINE inline
#define CARAT_UNROLL
#elif defined(__clang__)
#define CARAT_INLINE inline __attribute__((always_inline))
#define CARAT_UNROLL _Pragma("clang loop unroll(full)")
#else
#define CARAT_INLINE inline __attribute__((always_inline))
#define CARAT_UNROLL _Pragma("GCC unroll 64")
#endif

// Makes a register opaque to the optimiser. Without it GCC 12 reorders a chain
// of vector additions into a tree, which needs more registers than there are.
#if defined(CARAT_SMALL_KERNELS)
#define CARAT_KEEP(a)
#elif defined(__x86_64__)
#define CARAT_KEEP(a) asm("" : "+v"(a))
#elif defined(__aarch64__)
#define CARAT_KEEP(a) asm("" : "+w"(a))
#else
#define CARAT_KEEP(a)
#endif

#endif  // CARAT_KERNELS_MATMUL_INLINE_H_
