# Flags that every target shares. -ffp-contract=off: a fused multiply-add is
# written where it is meant, never invented, so that all instruction sets round
# alike.
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")

add_library(carat_flags INTERFACE)
target_include_directories(carat_flags INTERFACE ${CMAKE_SOURCE_DIR}/src
                                                 ${CMAKE_SOURCE_DIR}/include)
target_compile_options(
  carat_flags
  INTERFACE -Wall
            -Wextra
            -Wno-psabi
            -Werror=return-type
            -ffp-contract=off
            -fno-strict-aliasing
            -fvisibility=hidden)
target_compile_definitions(carat_flags
                           INTERFACE CARAT_VERSION="${PROJECT_VERSION}")
if(CARAT_SANITIZE)
  add_compile_options(-fsanitize=${CARAT_SANITIZE} -fno-omit-frame-pointer
                      -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${CARAT_SANITIZE})
endif()
if(CARAT_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()
