# carat_room(NAME [LINK ...] [EXCLUDE ...]): src/NAME/*.cc but the excluded
# becomes the library carat_NAME, linked to every room above it;
# src/NAME/*_test.cc becomes NAME_test.
set(CARAT_ROOMS "" CACHE INTERNAL "")

if(CARAT_TESTS)
  enable_testing()
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()

function(carat_room name)
  cmake_parse_arguments(ARG "" "" "LINK;EXCLUDE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cc
       ${CMAKE_SOURCE_DIR}/src/${name}/*/*.cc)
  if(ARG_EXCLUDE)
    list(REMOVE_ITEM sources ${ARG_EXCLUDE})
  endif()
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  if(NOT sources)
    return()
  endif()
  add_library(carat_${name} STATIC ${sources})
  target_link_libraries(carat_${name} PUBLIC carat_flags ${CARAT_ROOMS})
  if(ARG_LINK)
    target_link_libraries(carat_${name} ${ARG_LINK})
  endif()
  set(CARAT_ROOMS carat_${name} ${CARAT_ROOMS} CACHE INTERNAL "")
  if(CARAT_TESTS AND tests)
    carat_test(${name}_test ${tests})
  endif()
endfunction()

function(carat_test name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE ${CARAT_ROOMS} GTest::gtest
                                        GTest::gtest_main)
  target_compile_definitions(
    ${name} PRIVATE CARAT_TEST_DATA="${CMAKE_SOURCE_DIR}/tests/data")
  add_test(NAME ${name} COMMAND ${name})
endfunction()

# carat_program(NAME FOLDER [LINK ...]): src/FOLDER/main.cc becomes the program,
# its other files the library carat_FOLDER, and tests/*_test.cc
# integration_test, which finds the program in CARAT_PROGRAM.
function(carat_program name folder)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  set(main ${CMAKE_SOURCE_DIR}/src/${folder}/main.cc)
  carat_room(${folder} LINK ${ARG_LINK} EXCLUDE ${main})
  if(EXISTS ${main})
    add_executable(${name} ${main})
    target_link_libraries(${name} PRIVATE ${CARAT_ROOMS})
    if(CARAT_TESTS)
      # tests/FOLDER/test_*.py run the program as a person does.
      add_test(NAME ${folder}_commands
               COMMAND python3 -m unittest discover
                       -s ${CMAKE_SOURCE_DIR}/tests/${folder})
      set_tests_properties(
        ${folder}_commands PROPERTIES ENVIRONMENT
                                      "CARAT_BIN=$<TARGET_FILE:${name}>")
    endif()
  endif()
  file(GLOB integration CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/*_test.cc)
  if(CARAT_TESTS AND integration)
    carat_test(integration_test ${integration})
    if(TARGET ${name})
      add_dependencies(integration_test ${name})
      target_compile_definitions(
        integration_test PRIVATE CARAT_PROGRAM="$<TARGET_FILE:${name}>")
    endif()
  endif()
endfunction()

# tests/tools/NAME.cc: small programs that scripts of tools/ drive. Built on
# demand: ninja test_tools.
function(carat_test_tools)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/tools/*.cc)
  foreach(source ${sources})
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} EXCLUDE_FROM_ALL ${source})
    target_link_libraries(${name} PRIVATE ${CARAT_ROOMS})
    list(APPEND names ${name})
  endforeach()
  add_custom_target(test_tools DEPENDS ${names})
endfunction()

# The kernels' self-test with AVX-512 emulated on AVX2 by libsimde-dev, for
# machines without AVX-512. Built on demand: ninja kernels_emulated.
function(carat_emulated_selftest)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/base/*.cc
       ${CMAKE_SOURCE_DIR}/src/tensor/*.cc ${CMAKE_SOURCE_DIR}/src/kernels/*.cc)
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  add_executable(kernels_emulated EXCLUDE_FROM_ALL
                 ${CMAKE_SOURCE_DIR}/tests/cross/kernels_selftest.cc ${sources})
  target_link_libraries(
    kernels_emulated PRIVATE carat_flags fmt::fmt Threads::Threads
                             OpenSSL::Crypto nlohmann_json::nlohmann_json)
  target_include_directories(kernels_emulated
                             PRIVATE ${CMAKE_SOURCE_DIR}/tests/cross)
  target_compile_definitions(kernels_emulated PRIVATE CARAT_SIMDE)
  target_compile_options(kernels_emulated PRIVATE -O1 -march=haswell
                                                  -Wno-error)
endfunction()

# tests/fuzz/NAME_fuzz.cc, each with LLVMFuzzerTestOneInput. Without libFuzzer
# they get a main that runs the files named on its command line.
function(carat_fuzzers)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/fuzz/*_fuzz.cc)
  foreach(source ${sources})
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} ${source})
    target_link_libraries(${name} PRIVATE ${CARAT_ROOMS})
    if(CARAT_LIBFUZZER)
      target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    else()
      target_sources(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/fuzz/replay.cc)
    endif()
    list(APPEND names ${name})
  endforeach()
  add_custom_target(fuzzers DEPENDS ${names})
endfunction()

function(carat_benchmarks)
  find_package(benchmark REQUIRED)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/bench/*_bench.cc)
  foreach(source ${sources})
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} ${source})
    target_link_libraries(${name} PRIVATE ${CARAT_ROOMS} benchmark::benchmark
                                          benchmark::benchmark_main)
    list(APPEND names ${name})
  endforeach()
  add_custom_target(benchmarks DEPENDS ${names})
endfunction()
