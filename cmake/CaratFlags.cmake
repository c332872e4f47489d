# Flags that every target shares. -ffp-contract=off: a fused multiply-add is
# written where it is meant, never invented, so that all instruction sets round
# alike.
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")
set(CMAKE_CXX_FLAGS_SANITIZE "-O1 -g")  # asserts on, fast enough to fuzz

add_library(carat_flags INTERFACE)
target_include_directories(carat_flags INTERFACE ${CMAKE_SOURCE_DIR}/src
                                                 ${CMAKE_SOURCE_DIR}/include)
target_compile_options(
  carat_flags
  INTERFACE -Wall
            -Wextra
            -Wno-psabi
            # Structs of options name some members and leave the defaults.
            -Wno-missing-field-initializers
            # GCC 12 sees overlap in "a" + string (its bug 105651).
            $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
            # stable_sort of libstdc++ 12 calls what it has itself deprecated.
            $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>
            -Werror=return-type
            -ffp-contract=off
            -fno-strict-aliasing
            -fvisibility=hidden)
target_compile_definitions(carat_flags
                           INTERFACE CARAT_VERSION="${PROJECT_VERSION}")
# Only with the compilers that CI uses: a newer one may know newer warnings,
# and those must not keep anyone from building.
if(CARAT_WERROR)
  if((CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION
                                               MATCHES "^12\\.")
     OR (CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_CXX_COMPILER_VERSION
                                                    MATCHES "^19\\."))
    # What GCC guesses after inlining is a hint, not a fault: it sees ranges of
    # the standard library overflow that cannot.
    target_compile_options(
      carat_flags
      INTERFACE -Werror
                $<$<CXX_COMPILER_ID:GNU>:-Wno-error=stringop-overflow>
                $<$<CXX_COMPILER_ID:GNU>:-Wno-error=array-bounds>
                $<$<CXX_COMPILER_ID:GNU>:-Wno-error=maybe-uninitialized>)
  endif()
endif()
if(CARAT_SANITIZE)
  add_compile_options(-fsanitize=${CARAT_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${CARAT_SANITIZE})
endif()
if(CARAT_LIBFUZZER)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()
