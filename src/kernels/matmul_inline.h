// Compiler hints for the matrix kernels: everything between a kernel's loop and
// its instructions is inlined, and loops over registers are unrolled.
#ifndef CARAT_KERNELS_MATMUL_INLINE_H_
#define CARAT_KERNELS_MATMUL_INLINE_H_

#if defined(CARAT_SIMDE)
// Emulated vectors are structures; unrolled and inlined they take minutes to
// compile, and their speed does not matter.
#define CARAT_INLINE inline
#define CARAT_UNROLL
#define CARAT_KEEP(a)

#else

#define CARAT_INLINE inline __attribute__((always_inline))

#if defined(__clang__)
#define CARAT_UNROLL _Pragma("clang loop unroll(full)")
#else
#define CARAT_UNROLL _Pragma("GCC unroll 64")
#endif

// Makes a register opaque to the optimiser. Without it GCC 12 reorders a chain
// of vector additions into a tree, which needs more registers than there are.
#if defined(__x86_64__)
#define CARAT_KEEP(a) asm("" : "+v"(a))
#elif defined(__aarch64__)
#define CARAT_KEEP(a) asm("" : "+w"(a))
#else
#define CARAT_KEEP(a)
#endif

#endif  // CARAT_SIMDE

#endif  // CARAT_KERNELS_MATMUL_INLINE_H_
