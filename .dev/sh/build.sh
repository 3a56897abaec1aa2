# Presets: configure and build. Logs of quiet parts live beside the build.

cmake_args() { local jobs; jobs=$(nproc); echo "-j${SALLYPORT_JOBS:-$jobs}"; }

configure_preset() {
  local preset=$1
  shift
  mkdir -p "$root/build"
  quiet_step "configure preset $preset" "$root/build/configure-$preset.log" cmake --preset "$preset" "$@"
}

# build_preset PRESET [TARGET...]: the compiler's words are the user's to see, so nothing is hidden.
build_preset() {
  local preset=$1
  shift
  configure_preset "$preset" || return 1
  step "build preset $preset${1:+: $*}" nice ninja -C "$root/build/$preset" "$(cmake_args)" "$@"
}

has_target() { ninja -C "$root/build/$1" -t query "$2" >/dev/null 2>&1; }
