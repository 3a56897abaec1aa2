# ./dev test: unit, trace and lint tests in preset dev, the hostile corpus under asan, the lab.

# run_ctest PRESET WHAT [ctest args...]: counts every test by its own result.
run_ctest() {
  local preset=$1 what=$2 junit="$root/build/$1/junit.xml" rc=0
  shift 2
  rm -f "$junit"
  step "$what" ctest --test-dir "$root/build/$preset" "$(cmake_args)" --output-on-failure --no-tests=error \
    --output-junit "$junit" "$@" || rc=$?
  tally_file junit "$junit" "$rc" "$what"
}

# The lab cleans up after itself on TERM; bash would let it run on after Ctrl-C, hence the forwarding.
run_lab() {  # JSON [args]
  local json=$1 rc=0
  /usr/bin/python3 "$root/tests/system/lab.py" --json "$@" &
  lab_pid=$!
  trap 'kill -TERM $lab_pid 2>/dev/null; wait $lab_pid; exit 130' INT TERM
  wait "$lab_pid" || rc=$?
  trap 'exit 130' INT TERM
  return "$rc"
}

cmd_test() {
  need_root test
  require_deps
  if ! build_preset dev; then tally_failure "build preset dev"; tally_finish; return 1; fi
  ahead_start asan:label_asan-only
  run_ctest dev "unit, trace and lint tests" -LE 'asan-only'
  test_lab
  test_asan
  tally_finish
}

test_asan() {
  if ! build_preset asan label_asan-only; then tally_failure "build preset asan"; return 0; fi
  run_ctest asan "hostile corpus under asan and ubsan" -L asan-only
}

test_lab() {
  local json="$root/build/lab.json" rc=0
  [[ -e $root/tests/system/lab.py ]] || return 0
  rm -f "$json"
  export SALLYPORT_BUILD="$root/build/dev"
  step "the lab" run_lab "$json" || rc=$?
  tally_file lab "$json" "$rc" "the lab"
  test_lab_with_two_workers
}

# What reaches every kind of owner: terminated, direct, mapped, in pieces, both IP versions, revisions, a killed process.
test_lab_with_two_workers() {
  local json="$root/build/lab-workers.json" rc=0
  if (($(nproc) < 2)); then note "one processor: the lab does not run with two workers"; return 0; fi
  rm -f "$json"
  step "the lab with two workers" run_lab "$json" --workers 2 --only \
    'tls-*,meter-*,devices-*,fragments-*,explain-agrees,capture-*,trace-*,tcp-*,napt44*,path-mtu*,hop-limit,apply-*,kill-dataplane,workers*,port-idle,policy-hostile-corpus,counters-add-up,captures-complete' || rc=$?
  tally_file lab "$json" "$rc" "the lab with two workers"
}

# ./dev lab [args]: the network of namespaces, with everything lab.py takes (--keep, --json FILE, --list, names).
cmd_lab() {
  need_root lab
  [[ -e $root/tests/system/lab.py ]] || die "tests/system/lab.py is not there yet"
  require_deps
  build_preset dev programs || die "the build failed"
  export SALLYPORT_BUILD="$root/build/dev"
  exec /usr/bin/python3 "$root/tests/system/lab.py" "$@"
}
