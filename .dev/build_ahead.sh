#!/usr/bin/env bash
# usage: build_ahead.sh ROOT PRESET:[TARGET,...]...   Builds presets one after another (all of one where no target is named) and prints the
# name of each that it is done with, whether it could be built or not. Ends, with what it started, when whoever started it is gone.
set -uo pipefail
root=$1
shift
cd "$root"
for part in ui build; do . "$root/.dev/sh/$part.sh"; done
for one in "$@"; do
  preset=${one%%:*}
  IFS=', ' read -ra targets <<<"${one#*:}"
  configure_preset "$preset" >&2 && setpriv --pdeathsig TERM ninja -C "build/$preset" "$(cmake_args)" "${targets[@]}" >&2
  echo "$preset"
done
