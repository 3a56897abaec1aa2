# The only way a target is declared. Every folder lists what it may use under DEPENDS, so a forbidden arrow
# is visible in the folder that draws it (tests/lint checks the includes against the same rules).

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
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
endfunction()

# One GoogleTest binary per mirrored source folder, run by ctest as one test.
function(sallyport_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}" "${CMAKE_BINARY_DIR}/generated")
  target_compile_definitions(${name} PRIVATE SALLYPORT_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE sallyport_build_flags ${ARG_DEPENDS} GTest::gmock GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  add_test(NAME ${name} COMMAND ${name})
endfunction()

# tests/fuzz/<target>/{target.cc,seeds/,regress/}. With SALLYPORT_FUZZ the binary is a libFuzzer target; in every
# other preset the same file is linked with a small driver and replays seeds/ and regress/ as an ordinary test.
function(sallyport_fuzz target)
  cmake_parse_arguments(ARG "" "" "DEPENDS" ${ARGN})
  set(name fuzz_${target})
  set(dir "${CMAKE_SOURCE_DIR}/tests/fuzz/${target}")
  if(SALLYPORT_FUZZ)
    add_executable(${name} ${dir}/target.cc)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  else()
    add_executable(${name} ${dir}/target.cc ${CMAKE_SOURCE_DIR}/tests/support/replay_main.cc)
    add_test(NAME ${name} COMMAND ${name} ${dir}/seeds ${dir}/regress)
  endif()
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}" "${CMAKE_BINARY_DIR}/generated")
  target_link_libraries(${name} PRIVATE sallyport_build_flags ${ARG_DEPENDS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/fuzz")
endfunction()
