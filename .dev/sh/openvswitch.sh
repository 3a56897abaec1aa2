# libopenvswitch from Debian's package openvswitch-source: OVSDB IDL, poll loop and unixctl for control, and the Python
# generators (ovsdb-idlc, ovsdb-doc). Lean: no TLS, no datapath. One plain `make`, because partial targets miss generated headers.
readonly openvswitch_tarball=/usr/src/openvswitch/openvswitch.tar.gz

openvswitch_recipe() {
  { declare -f openvswitch_compile; gcc -dumpfullversion; dpkg-query -W -f '${Version}' openvswitch-source; } | sha256sum | cut -c1-12
}

openvswitch_compile() {
  local src=$1 prefix=$2
  cd "$src"
  PYTHON3=/usr/bin/python3 CFLAGS="-O2 -g -fPIC -fno-strict-aliasing -fstack-protector-strong -fstack-clash-protection -fcf-protection=full" \
    ./configure --prefix="$prefix" --disable-shared --enable-static --disable-ssl --disable-libcapng --disable-afxdp \
    --without-dpdk --enable-silent-rules
  nice make -j2
  mkdir -p "$prefix"/{lib,include/lib,share/ovsdb,python}
  # One archive: the AVX-512 objects and the rest refer to each other.
  printf 'CREATE %s\nADDLIB lib/.libs/libopenvswitch.a\nADDLIB lib/.libs/libopenvswitchavx512.a\nSAVE\nEND\n' "$prefix/lib/libopenvswitch.a" | ar -M
  ranlib "$prefix/lib/libopenvswitch.a"
  cp -r include/. "$prefix/include/"
  cp lib/*.h "$prefix/include/lib/"
  rm -f "$prefix/include/lib/"{stdio,string}.h  # wrappers for old C libraries that would shadow the system's
  cp config.h "$prefix/include/"
  cp ovsdb/ovsdb-idlc.in ovsdb/ovsdb-idlc ovsdb/ovsdb-doc ovsdb/ovsdb-dot.in "$prefix/share/ovsdb/"
  cp -r python/ovs python/build "$prefix/python/"
}

openvswitch_provide() {
  local recipe version prefix src="$cache/src/openvswitch"
  recipe=$(openvswitch_recipe)
  version=$(dpkg-query -W -f '${Version}' openvswitch-source)
  prefix="$cache/prefix/openvswitch-${version//[^0-9A-Za-z.+-]/_}-$recipe"
  if [[ ! -e $prefix/build-info.json ]]; then
    [[ -r $openvswitch_tarball ]] || die "$openvswitch_tarball is missing (package openvswitch-source)"
    rm -rf "$src" "$prefix"
    mkdir -p "$src" "$cache/log"
    tar -xf "$openvswitch_tarball" -C "$src" --strip-components=1
    quiet_step "compile libopenvswitch $version" "$cache/log/openvswitch.log" \
      bash -euo pipefail -c '. "$1/.dev/sh/openvswitch.sh"; openvswitch_compile "$2" "$3"' _ "$root" "$src" "$prefix" || die "libopenvswitch cannot be built"
    printf '{ "library": "libopenvswitch", "version": "%s", "recipe": "%s" }\n' "$version" "$recipe" >"$prefix/build-info.json"
    rm -rf "$src"
  fi
  ln -sfn "$prefix" "$cache/openvswitch"
  note "libopenvswitch $version"
}
