# wolfSSL from Debian's source package, compiled narrow: what the suite table does not vet is not in the library.
# Path "sid" (the newest, at least $wolfssl_sid_minimum; its orig tarball is enough) or, where the mirror has none,
# path "trixie" (5.7.2 with every patch of Debian's security team; no hybrids, no DTLS 1.2 connection id).
readonly wolfssl_sid_minimum=${SALLYPORT_WOLFSSL_SID_MINIMUM:-5.9.2}  # raised by hand to walk the fallback

# Rationale: hardening flags go into CC, because wolfSSL copies every -D of CFLAGS into options.h, where
# _FORTIFY_SOURCE would fight with that of our own translation units.
wolfssl_cc() {
  echo "gcc -fstack-protector-strong -fstack-clash-protection -fcf-protection=full -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3"
}

wolfssl_options() {
  cat <<'OPTIONS'
--disable-shared --enable-static --with-pic
--disable-examples --disable-crypttests --disable-benchmark --enable-reproducible-build
--enable-intelasm --enable-sp=rsa2048,rsa3072,rsa4096,256,384 --enable-sp-asm --enable-harden
--enable-tls13 --enable-tlsv12 --disable-oldtls --disable-tlsv10 --disable-sslv3
--enable-dtls --enable-dtls13 --enable-dtlscid --enable-dtls-mtu
--enable-ecc --with-eccminsz=256 --enable-curve25519 --disable-curve448 --disable-ed25519 --disable-ed448
--enable-rsa --enable-rsapss --disable-oaep --disable-dh --disable-dsa --disable-srp --disable-psk --disable-anon
--enable-aesgcm --enable-aesccm --disable-aescbc --enable-hkdf
--enable-sha384 --enable-sha512 --disable-sha224 --disable-sha --disable-md4 --disable-md5
--disable-arc4 --disable-des3 --disable-rc2 --disable-chacha --disable-poly1305 --disable-camellia
--enable-ocsp --enable-ocspstapling --enable-crl --disable-crl-monitor
--enable-session-ticket --enable-sni --enable-alpn --enable-supportedcurves --enable-extended-master
--disable-enc-then-mac --disable-secure-renegotiation --enable-secure-renegotiation-info --disable-truncatedhmac
--disable-earlydata --disable-postauth --disable-opensslextra --disable-opensslall --disable-oldnames
--disable-pkcs7 --disable-pkcs12 --disable-pwdbased --disable-keygen --disable-certgen
--enable-ip-alt-name
OPTIONS
  # Options that the older release does not know.
  [[ $1 == sid ]] && echo "--enable-mlkem --enable-pqc-hybrids --disable-tls-mlkem-standalone --enable-harden-tls=112 --disable-sys-ca-certs --disable-asn-print"
  return 0
}

# A name stands in subjectAltName or nowhere: WOLFSSL_HOSTNAME_VERIFY_ALT_NAME_ONLY takes the common name out of it.
# Without ECC_USER_CURVES every curve that the library knows is compiled in, whatever configure was told.
wolfssl_cflags() { echo "-O2 -g -DECC_USER_CURVES -DHAVE_ECC384 -DKEEP_PEER_CERT -DWOLFSSL_GETRANDOM -DWOLFSSL_ALWAYS_VERIFY_CB -DWOLFSSL_HOSTNAME_VERIFY_ALT_NAME_ONLY"; }

# Whatever configure believed, these must stand in (and must not stand in) the options header.
readonly wolfssl_must="ECC_USER_CURVES NO_MD5 NO_MD4 NO_RC4 NO_DES3 NO_DH NO_DSA NO_SHA NO_PSK NO_AES_CBC NO_OLD_TLS NO_PWDBASED NO_PKCS12
  HAVE_AESGCM HAVE_AESCCM HAVE_ECC HAVE_ECC384 HAVE_CURVE25519 HAVE_HKDF HAVE_SNI HAVE_ALPN HAVE_SESSION_TICKET
  HAVE_EXTENDED_MASTER HAVE_SUPPORTED_CURVES HAVE_OCSP HAVE_CERTIFICATE_STATUS_REQUEST HAVE_CRL WC_RSA_PSS WOLFSSL_HOSTNAME_VERIFY_ALT_NAME_ONLY
  WOLFSSL_TLS13 WOLFSSL_DTLS WOLFSSL_DTLS13 WOLFSSL_DTLS_CID WOLFSSL_SHA384 WOLFSSL_SHA512 WOLFSSL_AESNI
  WOLFSSL_SP_X86_64_ASM WOLFSSL_HAVE_SP_RSA WOLFSSL_HAVE_SP_ECC"
readonly wolfssl_must_not="OPENSSL_EXTRA OPENSSL_ALL WOLFSSL_STATIC_RSA WOLFSSL_STATIC_DH WOLFSSL_STATIC_PSK HAVE_ANON
  HAVE_SECURE_RENEGOTIATION WOLFSSL_EARLY_DATA HAVE_TRUNCATED_HMAC WOLFSSL_ALLOW_TLSV10 WOLFSSL_ALLOW_SSLV3 HAVE_NULL_CIPHER
  HAVE_CHACHA WOLFSSL_SHA224 WOLFSSL_KEY_GEN WOLFSSL_CERT_GEN HAVE_ECC521"

wolfssl_check_options() {
  local header=$1 word bad=0
  for word in $wolfssl_must; do
    grep -q "^#define $word\b" "$header" || { echo "options.h lacks $word"; bad=1; }
  done
  for word in $wolfssl_must_not; do
    grep -q "^#define $word\b" "$header" && { echo "options.h has $word"; bad=1; }
  done
  return "$bad"
}

# What decides the result, and nothing else, names a build: changing a comment rebuilds nothing.
wolfssl_recipe() {
  {
    declare -f wolfssl_cc wolfssl_options wolfssl_cflags wolfssl_unpack wolfssl_compile wolfssl_facts wolfssl_check_options
    echo "$wolfssl_must $wolfssl_must_not"
    cat "$root"/.dev/patches/wolfssl/*.patch
    gcc -dumpfullversion
  } | sha256sum | cut -c1-12
}

# wolfssl_fetch PATH: private apt, version, files; sets wolfssl_version and wolfssl_files.
wolfssl_fetch() {
  local suites=(sid)
  [[ $1 == trixie ]] && suites=(trixie trixie-security)
  quiet_step "read the signed source index of Debian ${suites[*]}" "$cache/log/apt-$1.log" apt_private "$1" "${suites[@]}" || return 1
  wolfssl_version=$(apt_source_version "$1" wolfssl)
  [[ -n $wolfssl_version ]] || { note "Debian $1 has no wolfssl"; return 1; }
  if [[ $1 == sid ]] && dpkg --compare-versions "$wolfssl_version" lt "$wolfssl_sid_minimum"; then
    note "Debian sid has wolfssl $wolfssl_version only, $wolfssl_sid_minimum is the minimum"
    return 1
  fi
  wolfssl_files=$(apt_source_fetch "$1" wolfssl "$wolfssl_version" "$cache/download/wolfssl-$1" 2>"$cache/log/fetch-$1.log") || return 1
}

# Unpacks into directory $2. All files there: dpkg-source applies Debian's patches. Only the orig tarball: taken as it is
# (path sid only; on path trixie the patches are the point, so a missing debian tarball is an error).
wolfssl_unpack() {
  local kind=$1 into=$2 from="$cache/download/wolfssl-$1" dsc orig
  dsc=$(grep '\.dsc$' <<<"$wolfssl_files" || true)
  orig=$(grep '\.orig\.tar\.[a-z0-9]*$' <<<"$wolfssl_files" || true)
  [[ -n $orig ]] || { echo "no orig tarball of wolfssl $wolfssl_version"; return 1; }
  rm -rf "$into"
  if [[ -n $dsc ]] && grep -q '\.debian\.tar\.' <<<"$wolfssl_files"; then
    # The index that names these files is signed; the .dsc's own signer is not in the archive keyring.
    dpkg-source --no-check -x "$from/$dsc" "$into"
    wolfssl_source="orig tarball + Debian's patches"
  elif [[ $kind == sid ]]; then
    mkdir -p "$into" && tar -xf "$from/$orig" -C "$into" --strip-components=1
    wolfssl_source="orig tarball"
  else
    echo "the mirror lacks the debian tarball of wolfssl $wolfssl_version"
    return 1
  fi
  # Repairs of ours that a newer upstream version makes unnecessary: an upstream that has them is taken as it is.
  local repair
  wolfssl_repairs=""
  for repair in "$root"/.dev/patches/wolfssl/*.patch; do
    if patch -d "$into" -p1 --forward --dry-run <"$repair"; then
      patch -d "$into" -p1 --forward <"$repair"
      wolfssl_repairs+="${wolfssl_repairs:+, }\"$(basename "$repair" .patch)\""
    elif dpkg --compare-versions "$wolfssl_version" lt 5.9.4; then
      echo "$repair does not apply to wolfssl $wolfssl_version, which needs it"
      return 1
    fi
  done
}

wolfssl_compile() {
  local kind=$1 src=$2 prefix=$3
  cd "$src"
  [[ -x configure ]] || { if [[ -x autogen.sh ]]; then ./autogen.sh; else autoreconf -fi; fi; }
  # shellcheck disable=SC2046
  CC=$(wolfssl_cc) CFLAGS=$(wolfssl_cflags) ./configure --prefix="$prefix" --libdir="$prefix/lib" $(wolfssl_options "$kind")
  wolfssl_check_options wolfssl/options.h
  nice make -j2
  make install
}

# Capability facts come from the tree that was compiled, not from what we hoped for.
wolfssl_facts() {
  local kind=$1 src=$2 prefix=$3 hybrids=false cid12=false pq='' patches=''
  if grep -q '^#define WOLFSSL_HAVE_MLKEM\b' "$prefix/include/wolfssl/options.h" && grep -q 'WOLFSSL_X25519MLKEM768 *= *4588' "$src/wolfssl/ssl.h"; then hybrids=true; fi
  if grep -q 'dtls12_cid *= *25' "$src/wolfssl/internal.h"; then cid12=true; fi
  if [[ -r $src/debian/patches/series ]]; then patches=$(grep -c '^CVE' "$src/debian/patches/series" || true); fi
  cat >"$prefix/build-info.json" <<JSON
{
  "library": "wolfSSL", "version": "$wolfssl_version", "path": "$kind", "source": "$wolfssl_source",
  "security_patches": ${patches:-0}, "repairs": [$wolfssl_repairs], "hybrids": $hybrids, "dtls12_cid": $cid12, "dtls13": true,
  "orig_sha256": "$(sha256sum "$cache/download/wolfssl-$kind/"*.orig.tar.?z | cut -d' ' -f1 | head -n 1)", "recipe": "$(wolfssl_recipe)"
}
JSON
  cat >"$prefix/include/sallyport_wolfssl_info.h" <<HEADER
// Written by ./dev deps: what this build of wolfSSL can do. A capability that is vetted but 0 here is reported as
// "vetted, not available" by build, status and crypto.
#pragma once
#define SALLYPORT_WOLFSSL_VERSION "$wolfssl_version"
#define SALLYPORT_WOLFSSL_PATH "$kind"
#define SALLYPORT_WOLFSSL_SOURCE "$wolfssl_source"
#define SALLYPORT_WOLFSSL_HAS_HYBRIDS $([[ $hybrids == true ]] && echo 1 || echo 0)
#define SALLYPORT_WOLFSSL_HAS_DTLS12_CID $([[ $cid12 == true ]] && echo 1 || echo 0)
HEADER
}

# Prints the finished prefix of path $1 for the present recipe, if there is one. A clone of other sources may have
# turned the link to its own; both stay.
wolfssl_existing() {
  local link="$cache/wolfssl-$1" recipe prefix
  recipe=$(wolfssl_recipe)
  for prefix in "$link" "$cache/prefix/wolfssl-$1-"*"-$recipe"; do
    [[ -r $prefix/build-info.json && -r $prefix/lib/libwolfssl.a ]] || continue
    grep -q "\"recipe\": \"$recipe\"" "$prefix/build-info.json" || continue
    prefix=$(readlink -f "$prefix")
    [[ $(readlink -f "$link") == "$prefix" ]] || ln -sfn "$prefix" "$link"
    echo "$prefix"
    return 0
  done
  return 1
}

wolfssl_build() {
  local kind=$1 src prefix
  wolfssl_fetch "$kind" || { note "wolfSSL cannot be fetched from Debian $kind (see $cache/log/fetch-$kind.log)"; return 1; }
  prefix="$cache/prefix/wolfssl-$kind-${wolfssl_version//[^0-9A-Za-z.+-]/_}-$(wolfssl_recipe)"
  src="$cache/src/wolfssl-$kind"
  mkdir -p "$cache/src" "$cache/log"
  wolfssl_unpack "$kind" "$src" >"$cache/log/wolfssl-$kind-unpack.log" 2>&1 || { tail -n 20 "$cache/log/wolfssl-$kind-unpack.log"; return 1; }
  rm -rf "$prefix"
  quiet_step "compile wolfSSL $wolfssl_version (Debian $kind, $wolfssl_source)" "$cache/log/wolfssl-$kind.log" \
    bash -euo pipefail -c '. "$1/.dev/sh/wolfssl.sh"; wolfssl_compile "$2" "$3" "$4"' _ "$root" "$kind" "$src" "$prefix" || return 1
  wolfssl_facts "$kind" "$src" "$prefix"
  ln -sfn "$prefix" "$cache/wolfssl-$kind"
  rm -rf "$src"
}

# SALLYPORT_WOLFSSL=sid|trixie|auto chooses the path; auto takes sid and falls back to trixie, saying so.
wolfssl_provide() {
  local want=${SALLYPORT_WOLFSSL:-auto} kind
  case $want in
    sid | trixie) wolfssl_existing "$want" >/dev/null || wolfssl_build "$want" || die "wolfSSL by way of Debian $want failed" ; kind=$want ;;
    auto)
      kind=sid
      if ! wolfssl_existing sid >/dev/null && ! wolfssl_build sid; then
        kind=trixie
        note "falling back to Debian trixie's wolfSSL with its security patches"
        wolfssl_existing trixie >/dev/null || wolfssl_build trixie || die "wolfSSL can be built neither from sid nor from trixie"
      fi ;;
    *) die "SALLYPORT_WOLFSSL is '$want'; it may be sid, trixie or auto" ;;
  esac
  ln -sfn "$(readlink -f "$cache/wolfssl-$kind")" "$cache/wolfssl"
  wolfssl_report
}

wolfssl_report() {
  local info="$cache/wolfssl/build-info.json" field
  field() { sed -n "s/.*\"$1\": \"\{0,1\}\([^\",]*\).*/\1/p" "$info"; }
  note "wolfSSL $(field version), path $(field path) ($(field source))"
  [[ $(field hybrids) == true ]] || note "hybrid ML-KEM groups: vetted, not available in this build"
  [[ $(field dtls12_cid) == true ]] || note "DTLS 1.2 connection id: vetted, not available in this build"
}
