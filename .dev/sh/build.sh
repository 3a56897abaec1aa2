# Presets: configure and build. Logs of quiet parts live beside the build.

cmake_args() { local jobs; jobs=$(nproc); echo "-j${SALLYPORT_JOBS:-$jobs}"; }

configure_preset() {
  local preset=$1 log="$root/build/configure-$1.log"
  shift
  mkdir -p "$root/build"
  quiet_step "configure preset $preset" "$log" cmake --preset "$preset" "$@" || return 1
  # A folder that was configured for another compiler forgets what else the preset says, once.
  if grep -q 'require your cache to be deleted' "$log"; then quiet_step "configure preset $preset anew" "$log" cmake --preset "$preset" "$@"; fi
}

# build_preset PRESET [TARGET...]: the compiler's words are the user's to see, so nothing is hidden.
build_preset() {
  local preset=$1
  shift
  [[ ! -v ahead_targets[$preset] ]] || step "wait for preset $preset" ahead_wait "$preset"
  configure_preset "$preset" || return 1
  step "build preset $preset${1:+: $*}" nice ninja -C "$root/build/$preset" "$(cmake_args)" "$@"
}

has_target() { ninja -C "$root/build/$1" -t query "$2" >/dev/null 2>&1; }
