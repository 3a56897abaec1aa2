# ./dev check: what takes longer than a test run. Every part runs, also after one failed; SALLYPORT_CHECK="tidy fuzz"
# runs only the parts named (see check_parts).
readonly check_parts="memory lint format headers tidy tsan coverage hardening instructions wolfssl fuzz"
readonly fuzz_budget_s=600

cmd_check() {
  need_root check
  require_deps
  local part wanted=${*:-${SALLYPORT_CHECK:-$check_parts}}
  for part in $wanted; do
    [[ " $check_parts " == *" $part "* ]] || die "no such part: $part; there are: $check_parts"
  done
  # shellcheck disable=SC2046
  ahead_start $(for part in $wanted; do check_builds "$part"; done)
  for part in $wanted; do "check_$part"; done
  tally_finish
}

# What a part builds, in ahead_start's form.
check_builds() {
  case $1 in
    tsan) echo tsan:label_threads ;;
    coverage) echo coverage ;;
    hardening) echo release:products ;;
    instructions) echo release:bench_fastpath ;;
    memory) echo dev:programs ;;
    fuzz) echo fuzz:fuzzers ;;
  esac
}

check_lint() { tally_step "lints" /usr/bin/python3 "$root/tests/lint/run.py" "$root"; }

check_format() { tally_step "clang-format" check_format_files; }
check_format_files() { sources_tracked '*.h' '*.cc' | xargs -r clang-format-19 --dry-run --Werror; }
sources_tracked() { git -C "$root" ls-files -- "$@" | sed "s|^|$root/|"; }

# The generated headers (flatc, ovsdb-idlc) must exist before anything is parsed, nothing else needs building.
prepare_tidy() {
  configure_preset tidy || return 1
  local generated
  mapfile -t generated < <(ninja -C "$root/build/tidy" -t targets all | sed -n 's/^\(generated\/[^:]*\): CUSTOM_COMMAND.*/\1/p')
  ((${#generated[@]})) || return 0
  quiet_step "generate headers" "$root/build/generate.log" ninja -C "$root/build/tidy" "$(cmake_args)" "${generated[@]}"
}

check_headers() {
  prepare_tidy || { tally_failure "prepare preset tidy"; return 0; }
  tally_step "every header compiles alone" /usr/bin/python3 "$root/.dev/check_headers.py" "$root" "$root/build/tidy" "$cache/headers"
}

check_tidy() {
  prepare_tidy || { tally_failure "prepare preset tidy"; return 0; }
  local plugin
  plugin=$(tidy_plugin)
  [[ -n $plugin ]] || note "clang-tidy walks the system's headers too: the same verdicts, later"
  tally_step "clang-tidy 19 finds what is planted" /usr/bin/python3 "$root/.dev/tidy/planted.py" "$root" $plugin
  tally_step "clang-tidy 19" /usr/bin/python3 "$root/.dev/run_tidy.py" "$root" "$root/build/tidy" "$cache/tidy" $plugin
}

check_tsan() {
  build_preset tsan label_threads || { tally_failure "build preset tsan"; return 0; }
  export TSAN_OPTIONS="halt_on_error=1 second_deadlock_stack=1 suppressions=$root/tests/support/tsan.supp"
  run_ctest tsan "tests labelled threads under tsan" -L threads
  unset TSAN_OPTIONS
}

check_coverage() {
  build_preset coverage || { tally_failure "build preset coverage"; return 0; }
  find "$root/build/coverage" -name '*.gcda' -delete
  run_ctest coverage "tests for coverage" -LE 'asan-only|lint'
  tally_step "line coverage" check_coverage_gate
}
check_coverage_gate() {
  local minimum
  minimum=$(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$root/tests/coverage_minimum.txt")
  gcovr --root "$root" --object-directory "$root/build/coverage" --gcov-ignore-parse-errors -j 2 \
    --filter "$root/(policy|dataplane|tls-termination|control)/" --exclude '.*/app/main\.cc' \
    --print-summary --fail-under-line "$minimum" -o "$root/build/coverage/lines.txt"
}

check_hardening() {
  build_preset release products || { tally_failure "build preset release"; return 0; }
  tally_step "release binaries are hardened" /usr/bin/python3 "$root/tests/system/binary/check_hardening.py" "$root/build/release"
  tally_step "no refused algorithm in release binaries" /usr/bin/python3 "$root/tests/system/binary/check_refused_algorithms.py" \
    --library "$cache/wolfssl" --binaries "$root/build/release/bin"
}

# The packet path's instructions per packet and stage, against those written down. To change them on purpose:
# ./dev bench fastpath --write-instructions tests/perf/fastpath/instructions.json
check_instructions() {
  build_preset release bench_fastpath || { tally_failure "build preset release"; return 0; }
  tally_step "instructions per packet" "$root/build/release/bin/bench_fastpath" --instructions "$root/tests/perf/fastpath/instructions.json"
}

# Both ways to a wolfSSL are walked, whichever is in force.
check_wolfssl() {
  local kind
  for kind in sid trixie; do
    if wolfssl_existing "$kind" >/dev/null || wolfssl_build "$kind"; then
      tally_step "wolfSSL by way of Debian $kind: refused algorithms, facts, a handshake's worth of API" \
        /usr/bin/python3 "$root/tests/system/binary/check_refused_algorithms.py" --library "$cache/wolfssl-$kind"
    else
      tally_failure "wolfSSL by way of Debian $kind cannot be built"
    fi
  done
}

# ./dev test ran the lab with the hugepages that the machine happens to have. Here it runs the other way, which also makes it the
# second run in a row. What the machine had is put back, also after Ctrl-C.
readonly nr_hugepages=/proc/sys/vm/nr_hugepages
check_memory() {
  local had other
  had=$(<"$nr_hugepages")
  other=$((had >= 128 ? 0 : 320))
  build_preset dev programs || { tally_failure "build preset dev"; return 0; }
  # shellcheck disable=SC2064
  trap "echo $had >$nr_hugepages" EXIT
  echo "$other" >"$nr_hugepages"
  if (($(<"$nr_hugepages") != other)); then
    tally_failure "the machine gives $(<"$nr_hugepages") hugepages instead of $other"
  else
    tally_step "the lab with $other hugepages" run_lab_programs
  fi
  echo "$had" >"$nr_hugepages"
  trap - EXIT
}
run_lab_programs() { SALLYPORT_BUILD="$root/build/dev" run_lab "$root/build/lab-memory.json"; }

check_fuzz() {
  build_preset fuzz fuzzers || { tally_failure "build preset fuzz"; return 0; }
  local seconds
  seconds=$(fuzz_seconds)
  tally_step "fuzzing, $seconds s in all" fuzz_all "$seconds"
}

# fuzz_seconds: the whole budget, or where the run has an end (SALLYPORT_UNTIL, in seconds of the epoch) what is left until then, and a
# quarter of the budget in any case.
fuzz_seconds() {
  local seconds=$fuzz_budget_s
  [[ -z ${SALLYPORT_UNTIL:-} ]] || seconds=$((SALLYPORT_UNTIL - EPOCHSECONDS))
  ((seconds <= fuzz_budget_s)) || seconds=$fuzz_budget_s
  ((seconds >= fuzz_budget_s / 4)) || seconds=$((fuzz_budget_s / 4))
  echo "$seconds"
}
