# Counting for machines: every part adds what passed and failed, the front door prints one plain line at the end.
tally_passed=0 tally_failed=0 tally_skipped=0

tally() {
  tally_passed=$((tally_passed + $1))
  tally_failed=$((tally_failed + $2))
  tally_skipped=$((tally_skipped + ${3:-0}))
}

# tally_step "what" command...: one check that counts once; the run goes on when it fails, so one run shows all.
tally_step() {
  if step "$@"; then tally 1 0; else tally 0 1; fi
}

# The line CI reads, alone on its line. Exit status says the same. SALLYPORT_TALLY_FILE collects for .ci/run.
tally_finish() {
  ((tally_skipped)) && note "$tally_skipped skipped (each says why above)"
  [[ -n ${SALLYPORT_TALLY_FILE:-} ]] && echo "$tally_passed $tally_failed" >>"$SALLYPORT_TALLY_FILE"
  printf '%d passed, %d failed\n' "$tally_passed" "$tally_failed"
  ((tally_failed == 0 && tally_passed > 0))
}
