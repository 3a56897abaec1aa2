# Debian's packages by pkg-config or config mode, wolfSSL and libopenvswitch from the third-party cache that
# `./dev deps` fills. Folders name the imported targets below and nothing else.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(GTest REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
find_package(benchmark REQUIRED)
find_package(Flatbuffers QUIET)
find_program(FLATC flatc REQUIRED)

pkg_check_modules(DPDK REQUIRED IMPORTED_TARGET libdpdk)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)
pkg_check_modules(CARES REQUIRED IMPORTED_TARGET libcares)
pkg_check_modules(PROMETHEUS REQUIRED IMPORTED_TARGET prometheus-cpp-core)
pkg_check_modules(MICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd)

# flatbuffers_schema(target file.fbs): generates <file>_generated.h below generated/<folder>/ and an interface target.
function(flatbuffers_schema target schema)
  get_filename_component(base "${schema}" NAME_WE)
  file(RELATIVE_PATH folder "${CMAKE_SOURCE_DIR}" "${CMAKE_CURRENT_SOURCE_DIR}")
  set(out_dir "${CMAKE_BINARY_DIR}/generated/${folder}")
  set(out "${out_dir}/${base}_generated.h")
  file(MAKE_DIRECTORY "${out_dir}")
  add_custom_command(OUTPUT "${out}"
    COMMAND ${FLATC} --cpp --cpp-std c++17 --scoped-enums -o "${out_dir}" "${CMAKE_CURRENT_SOURCE_DIR}/${schema}"
    DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${schema}" VERBATIM)
  add_custom_target(${target}_gen DEPENDS "${out}")
  add_library(${target} INTERFACE)
  add_dependencies(${target} ${target}_gen)
  target_include_directories(${target} SYSTEM INTERFACE "${CMAKE_BINARY_DIR}/generated")
endfunction()

set(SALLYPORT_THIRD_PARTY "$ENV{SALLYPORT_THIRD_PARTY}" CACHE PATH "folder that `./dev deps` filled")
if(NOT SALLYPORT_THIRD_PARTY)
  if(DEFINED ENV{SALLYPORT_CACHE})
    set(SALLYPORT_THIRD_PARTY "$ENV{SALLYPORT_CACHE}" CACHE PATH "" FORCE)
  else()
    set(SALLYPORT_THIRD_PARTY "$ENV{HOME}/.cache/sallyport" CACHE PATH "" FORCE)
  endif()
endif()

# <cache>/wolfssl and <cache>/openvswitch are symbolic links to the build in force.
# Resolved, so that another build behind the link (another path or recipe) rebuilds what depends on it.
file(REAL_PATH "${SALLYPORT_THIRD_PARTY}/wolfssl" WOLFSSL_ROOT)
file(REAL_PATH "${SALLYPORT_THIRD_PARTY}/openvswitch" OVS_ROOT)
if(NOT EXISTS "${WOLFSSL_ROOT}/lib/libwolfssl.a" OR NOT EXISTS "${OVS_ROOT}/lib/libopenvswitch.a")
  message(FATAL_ERROR "wolfSSL or libopenvswitch is missing in ${SALLYPORT_THIRD_PARTY}; run: ./dev deps")
endif()

add_library(wolfssl STATIC IMPORTED)
set_target_properties(wolfssl PROPERTIES IMPORTED_LOCATION "${WOLFSSL_ROOT}/lib/libwolfssl.a"
  INTERFACE_INCLUDE_DIRECTORIES "${WOLFSSL_ROOT}/include"
  INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${WOLFSSL_ROOT}/include" INTERFACE_LINK_LIBRARIES "m;Threads::Threads")

# OVS_PYTHON holds the `ovs` module, OVS_IDLC and OVS_DOC the generators of IDL code and of the schema manual:
#   ${CMAKE_COMMAND} -E env PYTHONPATH=${OVS_PYTHON} /usr/bin/python3 ${OVS_IDLC} c-idl-header file.ovsidl
add_library(openvswitch STATIC IMPORTED)
set_target_properties(openvswitch PROPERTIES IMPORTED_LOCATION "${OVS_ROOT}/lib/libopenvswitch.a"
  INTERFACE_INCLUDE_DIRECTORIES "${OVS_ROOT}/include;${OVS_ROOT}/include/lib"
  INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${OVS_ROOT}/include;${OVS_ROOT}/include/lib"
  INTERFACE_LINK_LIBRARIES "Threads::Threads;atomic;m;rt")
set(OVS_PYTHON "${OVS_ROOT}/python")
set(OVS_IDLC "${OVS_ROOT}/share/ovsdb/ovsdb-idlc.in")
set(OVS_DOC "${OVS_ROOT}/share/ovsdb/ovsdb-doc")
