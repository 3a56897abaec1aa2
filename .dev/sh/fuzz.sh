# ./dev fuzz: libFuzzer targets of tests/fuzz/. What a run learns is kept in the cache, not in the tree; an input
# that breaks a target lands in build/fuzz/artifacts and belongs into tests/fuzz/<target>/regress/.

fuzz_targets() {
  local file
  for file in "$root"/tests/fuzz/*/target.cc; do
    file=$(basename "$(dirname "$file")")
    [[ $file == detector ]] || echo "$file"
  done
}

# fuzz_one TARGET SECONDS: seeds and regressions are read, never written.
fuzz_one() {
  local target=$1 seconds=$2 learned="$cache/fuzz/$1" artifacts="$root/build/fuzz/artifacts/$1" dir="$root/tests/fuzz/$1" log rc=0
  local inputs=("$learned")
  mkdir -p "$learned" "$artifacts"
  log="$root/build/fuzz/$target.log"
  for sub in seeds regress; do [[ -d $dir/$sub ]] && inputs+=("$dir/$sub"); done
  if [[ -z $(ls -A "$dir/seeds" 2>/dev/null) ]]; then echo "fuzz $target: no seeds in $dir/seeds"; return 1; fi
  "$root/build/fuzz/fuzz/fuzz_$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$artifacts/" "${inputs[@]}" >"$log" 2>&1 </dev/null || rc=$?
  if ((rc)); then
    tail -n 40 "$log"
    echo "fuzz $target: FAILED; inputs in $artifacts; put the culprit into tests/fuzz/$target/regress/ with the repair"
  else
    echo "fuzz $target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs in $seconds s, nothing found"
  fi
  return "$rc"
}

# The planted overflow must be found, else silence of the other targets means nothing.
fuzz_detector() {
  local rc=0 artifacts="$root/build/fuzz/artifacts/detector"
  mkdir -p "$artifacts"
  "$root/build/fuzz/fuzz/fuzz_detector" -max_total_time=30 -seed=1 -artifact_prefix="$artifacts/" "$root/tests/fuzz/detector/seeds" \
    >"$root/build/fuzz/detector.log" 2>&1 </dev/null || rc=$?
  rm -rf "$artifacts"
  if ((rc)) && grep -q 'ERROR: AddressSanitizer: heap-buffer-overflow' "$root/build/fuzz/detector.log"; then
    echo "fuzz detector: the planted overflow was found"
  else
    echo "fuzz detector: the planted overflow was NOT found"
    return 1
  fi
}

# fuzz_all SECONDS: all targets together take SECONDS of processor time, two at a time.
fuzz_all() {
  local total=$1 each failed=0 running=0
  local targets
  mapfile -t targets < <(fuzz_targets)
  fuzz_detector || return 1
  ((${#targets[@]})) || { echo "no fuzz target but the detector"; return 0; }
  each=$((total / ${#targets[@]}))
  ((each >= 5)) || each=5
  for target in "${targets[@]}"; do
    if ((running >= 2)); then wait -n || failed=1; running=$((running - 1)); fi
    fuzz_one "$target" "$each" &
    running=$((running + 1))
  done
  while ((running-- > 0)); do wait -n || failed=1; done
  return "$failed"
}

cmd_fuzz() {
  need_root fuzz
  require_deps
  local target=${1:-} seconds=${2:-60}
  if [[ -z $target ]]; then
    build_preset fuzz fuzzers || die "the build failed"
    step "all fuzz targets, 600 s in all" fuzz_all 600
    return
  fi
  [[ -e $root/tests/fuzz/$target/target.cc ]] || die "no fuzz target '$target'; there are: $(fuzz_targets | tr '\n' ' ')"
  [[ $seconds =~ ^[0-9]+$ ]] || die "seconds must be a number, not '$seconds'"
  build_preset fuzz "fuzz_$target" || die "the build failed"
  step "fuzz $target for $seconds s" fuzz_one "$target" "$seconds"
}
