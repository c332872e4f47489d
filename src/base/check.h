// CARAT_CHECK: for programmers' mistakes only, never reachable from input.
#ifndef CARAT_BASE_CHECK_H_
#define CARAT_BASE_CHECK_H_

#include <cstdio>
#include <cstdlib>

#define CARAT_CHECK(condition)                                              \
  do {                                                                      \
    if (!(condition)) {                                                     \
      std::fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, \
                   #condition);                                             \
      std::abort();                                                         \
    }                                                                       \
  } while (false)

#endif  // CARAT_BASE_CHECK_H_
