# Building ahead: while something waits (the lab, tests, a part on one processor), presets that are wanted later are built in the
# scheduler's idle class, which runs only where nothing else wants to. What fails there is said by build_preset, which builds again.

declare -A ahead_targets=()  # of the presets that nobody has waited for yet

# ahead_start PRESET[:TARGET,TARGET...]...: in this order. Whoever wants one of them waits for it in build_preset.
ahead_start() {
  local one preset order=() wanted=()
  for one in "$@"; do
    preset=${one%%:*}
    [[ -v ahead_targets[$preset] ]] || order+=("$preset")
    [[ $one == "$preset" ]] && ahead_targets[$preset]=' ' || ahead_targets[$preset]+="${one#*:},"
  done
  ((${#order[@]})) || return 0
  for preset in "${order[@]}"; do wanted+=("$preset:${ahead_targets[$preset]}"); done
  mkdir -p "$root/build"
  coproc ahead { exec setsid setpriv --pdeathsig TERM chrt --idle 0 "$root/.dev/build_ahead.sh" "$root" "${wanted[@]}" 2>"$root/build/ahead.log"; }
  disown  # no job of `wait -n`
}

# ahead_wait PRESET: until it is built, should it be among those that are built ahead. Two ninjas must not share a folder. Who is waited for
# leaves the idle class, or another's work on the machine would stop both.
ahead_wait() {
  local built
  [[ -v ahead_targets[$1] ]] || return 0
  ahead_class TS --other
  while [[ -v ahead_targets[$1] && -n ${ahead[0]:-} ]] && read -r -u "${ahead[0]}" built 2>/dev/null; do
    unset "ahead_targets[$built]"
  done
  ahead_class IDL --idle
  unset "ahead_targets[$1]"
}

# Puts the session of build_ahead.sh into a class: again, until none is left that was started by one not yet put there.
ahead_class() {
  local class=$1 pids pid tries=20
  while [[ -n ${ahead_PID:-} ]] && ((tries-- > 0)); do
    mapfile -t pids < <(ps -s "$ahead_PID" -o cls=,pid= | sed -n "/^ *$class /!s/^ *[A-Z]* *//p")
    ((${#pids[@]})) || return 0
    for pid in "${pids[@]}"; do chrt "$2" --pid 0 "$pid" 2>/dev/null || true; done
  done
}
