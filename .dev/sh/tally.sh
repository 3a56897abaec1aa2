# Counting for machines: every part adds what passed and failed, the front door names what failed and prints one plain line at the end.
tally_passed=0 tally_failed=0 tally_skipped=0
tally_names=()

tally() {
  tally_passed=$((tally_passed + $1))
  tally_failed=$((tally_failed + $2))
  tally_skipped=$((tally_skipped + ${3:-0}))
}

# tally_failure "what": one check that failed.
tally_failure() {
  tally 0 1
  tally_names+=("$1")
}

# tally_step "what" command...: one check that counts once; the run goes on when it fails, so one run shows all.
tally_step() {
  if step "$@"; then tally 1 0; else tally_failure "$1"; fi
}

# tally_file KIND FILE STATUS "what": every test of a ctest JUnit file or of a lab's JSON file by its own result. STATUS is that of the
# program that wrote it: when it failed and no test did (none found, bad arguments, no file), that is a failure too.
tally_file() {
  local lines
  mapfile -t lines < <(/usr/bin/python3 "$root/.dev/count_tests.py" "$1" "$2")
  # shellcheck disable=SC2206
  local counts=(${lines[0]:-0 0 0})
  tally "${counts[@]}"
  tally_names+=("${lines[@]:1}")
  if ((${#lines[@]} == 0 || ($3 != 0 && counts[1] == 0))); then tally_failure "$4"; fi
}

# The line CI reads, alone on its line. Exit status says the same. SALLYPORT_TALLY_FILE collects for .ci/run.
tally_finish() {
  ((tally_skipped)) && note "$tally_skipped skipped (each says why above)"
  if [[ -n ${SALLYPORT_TALLY_FILE:-} ]]; then
    echo "$tally_passed $tally_failed" >>"$SALLYPORT_TALLY_FILE"
    ((${#tally_names[@]} == 0)) || printf '%s\n' "${tally_names[@]/#/failed: }" >>"$SALLYPORT_TALLY_FILE.failed"
  fi
  ((${#tally_names[@]} == 0)) || printf '%s\n' "${tally_names[@]/#/failed: }"
  printf '%d passed, %d failed\n' "$tally_passed" "$tally_failed"
  ((tally_failed == 0 && tally_passed > 0))
}
