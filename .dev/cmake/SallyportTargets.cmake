# The only way a target is declared. Every folder lists what it may use under DEPENDS, so a forbidden arrow
# is visible in the folder that draws it (tests/lint checks the includes against the same rules).
#
# Labels of tests: `root` needs root and network namespaces, `threads` also runs under tsan, `asan-only` runs only under
# asan (./dev test builds just these there). The targets label_<label> build the tests that carry one, `programs` every executable, `fuzzers` every fuzz target.
set(SALLYPORT_LABELS threads asan-only root)
foreach(label IN LISTS SALLYPORT_LABELS)
  add_custom_target(label_${label})
endforeach()
add_custom_target(programs)
add_custom_target(fuzzers)

function(sallyport_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;PRIVATE_DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC "${CMAKE_SOURCE_DIR}" "${CMAKE_BINARY_DIR}/generated")
  target_link_libraries(${name} PUBLIC sallyport_build_flags ${ARG_DEPENDS} PRIVATE ${ARG_PRIVATE_DEPENDS})
endfunction()

function(sallyport_executable name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}" "${CMAKE_BINARY_DIR}/generated")
  target_link_libraries(${name} PRIVATE sallyport_build_flags ${ARG_DEPENDS})
  target_link_options(${name} PRIVATE -pie)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin" POSITION_INDEPENDENT_CODE ON)
  add_dependencies(programs ${name})
endfunction()

# One GoogleTest binary per mirrored source folder, run by ctest as one test. LABELS as above; TIMEOUT in seconds.
# An `asan-only` test is declared in every preset but excluded by `./dev test` from preset dev's run.
function(sallyport_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPENDS;LABELS" ${ARGN})
  if("asan-only" IN_LIST ARG_LABELS AND NOT SALLYPORT_SANITIZE MATCHES "address")
    set(all EXCLUDE_FROM_ALL)
  endif()
  add_executable(${name} ${all} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}" "${CMAKE_BINARY_DIR}/generated")
  target_link_libraries(${name} PRIVATE sallyport_build_flags ${ARG_DEPENDS} GTest::gmock GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  add_test(NAME ${name} COMMAND ${name})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT})
  if(ARG_LABELS)
    set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}")
    foreach(label IN LISTS ARG_LABELS)
      add_dependencies(label_${label} ${name})
    endforeach()
  endif()
endfunction()

# tests/fuzz/<target>/{target.cc,seeds/,regress/}. With SALLYPORT_FUZZ the binary is a libFuzzer target; in every
# other preset the same file is linked with a small driver and replays seeds/ and regress/ as an ordinary test.
function(sallyport_fuzz target)
  cmake_parse_arguments(ARG "" "" "DEPENDS" ${ARGN})
  set(name fuzz_${target})
  set(dir "${CMAKE_SOURCE_DIR}/tests/fuzz/${target}")
  # A target that opens a socket or asks for randomness is not deterministic: tests/support/fuzz_guard.cc aborts it.
  set(guard ${CMAKE_SOURCE_DIR}/tests/support/fuzz_guard.cc)
  if(SALLYPORT_FUZZ)
    add_executable(${name} ${dir}/target.cc ${guard})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(${name} ${dir}/target.cc ${guard} ${CMAKE_SOURCE_DIR}/tests/support/replay_main.cc)
    add_test(NAME ${name} COMMAND ${name} ${dir}/seeds ${dir}/regress)
    set_tests_properties(${name} PROPERTIES TIMEOUT 120)
  endif()
  target_link_options(${name} PRIVATE
    -Wl,--wrap=socket,--wrap=connect,--wrap=bind,--wrap=getaddrinfo,--wrap=getrandom,--wrap=getentropy)
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}" "${CMAKE_BINARY_DIR}/generated")
  target_link_libraries(${name} PRIVATE sallyport_build_flags ${ARG_DEPENDS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/fuzz")
  add_dependencies(fuzzers ${name})
endfunction()
