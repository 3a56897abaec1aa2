# What the front door says. Colours only on a terminal; every step tells what it does and how long it took.
if [[ -t 1 && "${TERM:-dumb}" != dumb && -z "${NO_COLOR:-}" ]]; then
  ui_bold=$'\e[1m' ui_red=$'\e[31m' ui_green=$'\e[32m' ui_dim=$'\e[2m' ui_off=$'\e[0m'
else
  ui_bold='' ui_red='' ui_green='' ui_dim='' ui_off=''
fi

say() { printf '%s\n' "$*"; }
note() { printf '%s   %s%s\n' "$ui_dim" "$*" "$ui_off"; }
die() { printf '%serror:%s %s\n' "$ui_red" "$ui_off" "$*" >&2; exit 1; }

# step "what" command...: runs it with its output visible; stops the front door when it fails.
step() {
  local what=$1 start=$EPOCHREALTIME rc=0
  shift
  printf '%s==>%s %s\n' "$ui_bold" "$ui_off" "$what"
  "$@" || rc=$?
  ui_took "$what" "$start" "$rc"
  return "$rc"
}

# quiet_step "what" logfile command...: output goes to the log, whose tail is shown on failure.
quiet_step() {
  local what=$1 log=$2 start=$EPOCHREALTIME rc=0
  shift 2
  mkdir -p "$(dirname "$log")"
  printf '%s==>%s %s\n' "$ui_bold" "$ui_off" "$what"
  "$@" >"$log" 2>&1 </dev/null || rc=$?
  if ((rc)); then
    printf '%slast lines of %s:%s\n' "$ui_red" "$log" "$ui_off" >&2
    tail -n 40 "$log" >&2
  fi
  ui_took "$what" "$start" "$rc"
  return "$rc"
}

ui_took() {
  local seconds
  seconds=$(awk -v a="$2" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
  if (($3)); then
    printf '%s    failed%s (%s, %s s)\n' "$ui_red" "$ui_off" "$1" "$seconds"
  else
    printf '%s    done%s (%s s)\n' "$ui_green" "$ui_off" "$seconds"
  fi
}
