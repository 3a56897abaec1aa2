# Compiler settings shared by every target: warnings are errors, assertions are never compiled out.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

option(SALLYPORT_FUZZ "build tests/fuzz as libFuzzer targets (clang only)" OFF)
option(SALLYPORT_COVERAGE "instrument for coverage" OFF)
set(SALLYPORT_SANITIZE "" CACHE STRING "comma-separated sanitizers: address,undefined or thread")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_C_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
endif()

add_library(sallyport_build_flags INTERFACE)
target_compile_options(sallyport_build_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-align
  -Wimplicit-fallthrough -Werror -fstack-protector-strong -fstack-clash-protection -march=x86-64-v2)
# clang sees libstdc++ 12's own use of std::get_temporary_buffer (stable_sort) as ours.
target_compile_options(sallyport_build_flags INTERFACE $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  target_compile_options(sallyport_build_flags INTERFACE -fcf-protection=full)
endif()
target_link_options(sallyport_build_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed)
# What is installed is linked as Debian links; everything else by a linker that takes a quarter of the time.
find_program(SALLYPORT_LLD ld.lld PATHS /usr/lib/llvm-19/bin NO_DEFAULT_PATH)
if(SALLYPORT_LLD AND NOT CMAKE_BUILD_TYPE STREQUAL "Release")
  cmake_path(GET SALLYPORT_LLD PARENT_PATH lld_folder)
  target_link_options(sallyport_build_flags INTERFACE -fuse-ld=lld "-B${lld_folder}")
endif()
# Functions and lines are what traces, sanitizers and profiles show. Variables cost a quarter more of the compiler's time: who wants
# to see them in a debugger says cmake --preset dev -DSALLYPORT_DEBUG_INFO=-g.
set(SALLYPORT_DEBUG_INFO "-g1" CACHE STRING "-g1, or -g for a debugger")
set(CMAKE_CXX_FLAGS_RELEASE "-O3 ${SALLYPORT_DEBUG_INFO}")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 ${SALLYPORT_DEBUG_INFO}")
set(CMAKE_C_FLAGS_RELEASE "-O3 ${SALLYPORT_DEBUG_INFO}")
set(CMAKE_C_FLAGS_DEBUG "-O1 ${SALLYPORT_DEBUG_INFO}")
# gcc collects its garbage from 1 GiB on instead of 128 MiB: most translation units are done before.
target_compile_options(sallyport_build_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:--param=ggc-min-heapsize=1048576>)
# In every preset: what an empty optional or an index past the end does must be an abort, never a guess.
target_compile_definitions(sallyport_build_flags INTERFACE _GLIBCXX_ASSERTIONS)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(sallyport_build_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
  # gcc 12 at -O3 sees overflows in fmt and libstdc++ that are not there; preset dev and clang-tidy judge the same code.
  target_compile_options(sallyport_build_flags INTERFACE
    $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow;-Wno-stringop-overread;-Wno-array-bounds;-Wno-restrict;-Wno-maybe-uninitialized>)
  include(CheckPIESupported)
  check_pie_supported()
else()
  target_compile_definitions(sallyport_build_flags INTERFACE SALLYPORT_DEBUG=1)
endif()
if(SALLYPORT_SANITIZE)
  target_compile_options(sallyport_build_flags INTERFACE -fsanitize=${SALLYPORT_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(sallyport_build_flags INTERFACE -fsanitize=${SALLYPORT_SANITIZE})
endif()
# A copy of fixed size that gcc writes out itself is seen neither by the thread sanitizer nor by tests/support/written_lines.h.
if(SALLYPORT_SANITIZE MATCHES "thread")
  target_compile_options(sallyport_build_flags INTERFACE -fno-builtin-memcpy -fno-builtin-memmove -fno-builtin-memset)
endif()
# Presets asan and fuzz compile libraries with the same words, so that the second finds those of the first in ccache.
if(SALLYPORT_SANITIZE MATCHES "address" AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(sallyport_build_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(SALLYPORT_COVERAGE)
  target_link_options(sallyport_build_flags INTERFACE --coverage)
endif()
