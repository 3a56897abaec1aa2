#!/usr/bin/env bash
# usage: front_door_test.sh ROOT   The parts of the front door that decide what is trusted and what is cleaned up.
set -uo pipefail
root=$1
unset SALLYPORT_TALLY_FILE  # of whoever runs this test: what fails here on purpose is not theirs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cache=$work/cache
mkdir -p "$cache" "$work/etc/sources.list.d" "$work/bin"
export SALLYPORT_APT_ETC=$work/etc SALLYPORT_SERVICE_GUARD=$work/policy-rc.d
for part in ui tally packages apt_source wolfssl; do . "$root/.dev/sh/$part.sh"; done

failed=0
expect() {
  if [[ $2 == "$3" ]]; then return; fi
  printf 'FAILED: %s\n  expected: %q\n  seen:     %q\n' "$1" "$2" "$3"
  failed=1
}

# Sources are derived from what the machine has: both formats, only enabled binary entries of the suite with main.
cat >"$work/etc/sources.list.d/a.sources" <<'SOURCES'
Types: deb
URIs: http://mirror.one/debian
Suites: bookworm bookworm-updates
Components: main contrib

Enabled: no
Types: deb
URIs: http://disabled/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: http://source.only/debian
Suites: bookworm
Components: main
SOURCES
cat >"$work/etc/sources.list.d/b.list" <<'SOURCES'
deb [arch=amd64 signed-by=/x.gpg] http://mirror.two/debian bookworm main
# deb http://commented.out/debian bookworm main
deb http://other.vendor/apt stable main
deb http://mirror.three/security bookworm-security main
SOURCES
expect "URIs of the release" $'http://mirror.one/debian\nhttp://mirror.two/debian' "$(apt_uris_of_suite bookworm)"
expect "URIs of the security archive" "http://mirror.three/security" "$(apt_uris_of_suite bookworm-security)"

# A list of packages is read without its comments; what is installed is not missing.
printf '# heading\n\nbash   # a shell\nno-such-package-of-ours # nowhere\n' >"$work/list"
expect "packages that a list wants" $'bash\nno-such-package-of-ours' "$(packages_wanted "$work/list")"
expect "packages that are missing" "no-such-package-of-ours" "$(packages_missing "$work/list")"

# A download whose bytes are not the signed index's is removed; a missing one is no error here.
cat >"$work/bin/apt-get" <<'FAKE'
#!/bin/sh
case "$*" in
*--print-uris*)
  printf "'http://m/good' good.orig.tar.gz 5 SHA256:%s\n" "$(printf good! | sha256sum | cut -d' ' -f1)"
  printf "'http://m/evil' evil.debian.tar.xz 5 SHA256:%s\n" "$(printf good! | sha256sum | cut -d' ' -f1)"
  printf "'http://m/gone' gone.dsc 5 SHA256:%s\n" "$(printf good! | sha256sum | cut -d' ' -f1)" ;;
*) printf good! >good.orig.tar.gz; printf evil! >evil.debian.tar.xz; exit 100 ;;
esac
FAKE
chmod +x "$work/bin/apt-get"
seen=$(PATH=$work/bin:$PATH apt_source_fetch any wolfssl 1 "$work/download" 2>/dev/null)
expect "verified files" "good.orig.tar.gz" "$seen"
expect "tampered file is gone" "no" "$([[ -e $work/download/evil.debian.tar.xz ]] && echo yes || echo no)"

# The options header decides, not what configure was asked for.
{ for word in $wolfssl_must; do echo "#define $word"; done; } >"$work/options.h"
wolfssl_check_options "$work/options.h" >/dev/null
expect "complete options pass" 0 $?
echo "#define OPENSSL_EXTRA" >>"$work/options.h"
wolfssl_check_options "$work/options.h" >/dev/null
expect "a refused option fails" 1 $?
grep -v NO_MD5 "$work/options.h" | grep -v OPENSSL_EXTRA >"$work/options2.h"
wolfssl_check_options "$work/options2.h" >/dev/null
expect "a missing option fails" 1 $?

# The service guard gives back what it found, also after a run that was killed half-way.
echo "their own" >"$service_guard"
service_guard_set
expect "guard stands" 101 "$("$service_guard"; echo $?)"
service_guard_set  # a second run finds the first one's remains
service_guard_restore
expect "what was there is back" "their own" "$(cat "$service_guard")"
rm -f "$service_guard"
service_guard_set
service_guard_restore
expect "nothing was there, nothing stays" "no" "$([[ -e $service_guard ]] && echo yes || echo no)"

# Counting: failures and skips are not passes.
cat >"$work/junit.xml" <<'XML'
<testsuite><testcase name="a" status="run"/><testcase name="b" status="fail"><failure message=""/></testcase><testcase name="c" status="notrun"><skipped/></testcase></testsuite>
XML
expect "ctest results" $'1 1 1\nb' "$(/usr/bin/python3 -B "$root/.dev/count_tests.py" junit "$work/junit.xml")"
echo '{"cases":[{"name":"a","met":true},{"name":"b","met":false},{"name":"c"}]}' >"$work/lab.json"
expect "lab results" $'1 1 1\nlab b' "$(/usr/bin/python3 -B "$root/.dev/count_tests.py" lab "$work/lab.json")"
# Nothing that was not counted is a pass, and what failed is named in the end, also to .ci/run.
seen=$(SALLYPORT_TALLY_FILE=$work/tally
  tally_file junit "$work/junit.xml" 8 "units"
  tally_file lab "$work/no-such-file" 0 "the lab" 2>/dev/null
  tally_finish)
expect "what failed is named" $'failed: b\nfailed: the lab\n1 passed, 2 failed' "$(tail -n 3 <<<"$seen")"
expect "and collected" $'1 2\nfailed: b\nfailed: the lab' "$(cat "$work/tally" "$work/tally.failed")"
echo '<testsuite><testcase name="a" status="run"/></testsuite>' >"$work/good.xml"
expect "ctest failed without a test that did" $'failed: units\n1 passed, 1 failed' \
  "$(tally_file junit "$work/good.xml" 8 "units"; tally_finish)"

# Whoever waits for a preset that is built ahead finds it and all before it built, in order, each once, also after one failed.
mkdir -p "$work/.dev"
cp -r "$root/.dev/build_ahead.sh" "$root/.dev/sh" "$work/.dev/"
for tool in cmake ninja; do
  printf '#!/bin/sh\necho "%s $*" >>"%s"\n! [ "$2" = build/tsan ]\n' "$tool" "$work/ahead" >"$work/bin/$tool"
  chmod +x "$work/bin/$tool"
done
seen=$(. "$root/.dev/sh/ahead.sh"
  export SALLYPORT_JOBS=2
  PATH=$work/bin:$PATH root=$work
  ahead_start coverage tsan:label_threads release:products release:bench_fastpath
  ahead_wait dev
  ahead_wait release
  ahead_wait release
  ahead_wait tsan
  cat "$work/ahead")
expect "what is built ahead" "cmake --preset coverage
ninja -C build/coverage -j2
cmake --preset tsan
ninja -C build/tsan -j2 label_threads
cmake --preset release
ninja -C build/release -j2 products bench_fastpath" "$seen"

# A folder of another compiler is configured twice: the first time CMake drops what the preset says beside the compiler.
printf '#!/bin/sh\necho "cmake $*" >>"%s"\n[ -e "%s" ] || echo "variables that require your cache to be deleted" | tee "%s"\n' \
  "$work/configured" "$work/dropped" "$work/dropped" >"$work/bin/cmake"
(. "$root/.dev/sh/build.sh"; PATH=$work/bin:$PATH root=$work; configure_preset asan; configure_preset dev) >/dev/null
expect "configured anew" $'cmake --preset asan\ncmake --preset asan\ncmake --preset dev' "$(cat "$work/configured")"

((failed)) || echo "the front door holds"
exit "$failed"
