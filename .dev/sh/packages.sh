# Debian packages: installs what a list names and is missing, starting no service. Without an argument the list is
# .dev/packages.txt, which everything needs.

packages_wanted() { sed -e 's/#.*//' -e '/^[[:space:]]*$/d' -e 's/[[:space:]]//g' "${1:-$root/.dev/packages.txt}"; }

packages_missing() {
  local installed
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p' | sort -u)
  comm -23 <(packages_wanted "$@" | sort -u) <(printf '%s\n' "$installed")
}

# policy-rc.d answers 101 ("not allowed") while we install, so that no maintainer script starts a service on this
# machine. What was there comes back afterwards, also after a run that was killed (the saved copy is found again).
readonly service_guard=${SALLYPORT_SERVICE_GUARD:-/usr/sbin/policy-rc.d}  # tests point this elsewhere
readonly service_guard_saved=$service_guard.before-sallyport

service_guard_restore() {
  if [[ -e $service_guard_saved ]]; then
    mv -f "$service_guard_saved" "$service_guard"
  elif [[ -e $service_guard ]] && grep -q 'sallyport: no services' "$service_guard"; then
    rm -f "$service_guard"
  fi
}

service_guard_set() {
  service_guard_restore
  [[ -e $service_guard ]] && cp -a "$service_guard" "$service_guard_saved"
  printf '#!/bin/sh\n# sallyport: no services are started while its packages are installed\nexit 101\n' >"$service_guard"
  chmod 755 "$service_guard"
}

packages_install() {
  local missing
  mapfile -t missing < <(packages_missing "$@")
  service_guard_restore
  if ((${#missing[@]} == 0)); then
    note "all $(packages_wanted "$@" | wc -l) Debian packages are there"
    return 0
  fi
  note "missing: ${missing[*]}"
  trap 'service_guard_restore' EXIT
  service_guard_set
  quiet_step "apt-get update" "$cache/log/apt-update.log" apt-get update -q || die "apt-get update failed"
  quiet_step "install ${#missing[@]} Debian packages" "$cache/log/apt-install.log" \
    env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get install -q -y --no-install-recommends \
    -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "${missing[@]}" ||
    die "the packages cannot be installed: ${missing[*]}"
  service_guard_restore
  trap - EXIT
}
