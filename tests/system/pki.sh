#!/usr/bin/env bash
# Makes the certificates of the lab and of the terminator's tests with openssl, good ones and bad ones, into FOLDER.
#   pki.sh FOLDER [SAN...]     SANs of the gateway's server certificate: DNS:gw.example IP:10.0.0.1 ...
# File names are those of the terminator's key store: NAME.crt (chain), NAME.key, NAME.ca, NAME.crl.
#   plant-ca  gw (server, by plant-ca)  scada (client)   scada-expired  scada-revoked
#   cloud-ca  broker (server, broker.example)   gw-client (client)
#   other-ca  stranger (client, right form, wrong CA)  impostor (broker.example by other-ca)  misnamed (by cloud-ca, wrong name)
#   broker.example (by cloud-ca, the right name in the common name only)
#   broker-expired  gw-rsa (server, RSA 3072 by plant-ca)  weak (RSA 1024 key)
set -euo pipefail
out=$1
shift
sans=("$@")
[[ ${#sans[@]} -gt 0 ]] || sans=(DNS:gw.example IP:127.0.0.1 IP:::1)
mkdir -p "$out"
cd "$out"
umask 077

config() { # config EXTENSIONS: a minimal openssl configuration whose section [x] holds them
  printf '[req]\ndistinguished_name=dn\nprompt=no\n[dn]\n[x]\n%b\n' "$1" >x.cnf
}
key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key" 2>/dev/null; }
rsa() { openssl genpkey -algorithm RSA -pkeyopt "rsa_keygen_bits:$2" -out "$1.key" 2>/dev/null; }

authority() { # authority NAME
  key "$1"
  config 'basicConstraints=critical,CA:true,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash'
  openssl req -x509 -new -key "$1.key" -sha256 -days 3650 -subj "/O=Sallyport lab/CN=$1" -config x.cnf -extensions x -out "$1.ca"
  : >"$1.index"
  echo 1000 >"$1.serial"
}

leaf() { # leaf NAME AUTHORITY USAGE SANS [START END]: the key must be there
  config "basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=$3\n${4:+subjectAltName=$4}"
  openssl req -new -key "$1.key" -subj "/O=Sallyport lab/CN=$1" -config x.cnf -out "$1.csr"
  cat >ca.cnf <<CNF
[ca]
default_ca=d
[d]
database=$2.index
serial=$2.serial
new_certs_dir=.
default_md=sha256
policy=p
unique_subject=no
[p]
organizationName=optional
commonName=supplied
CNF
  local span=(-days 365)
  [[ $# -le 4 ]] || span=(-startdate "$5" -enddate "$6")
  openssl ca -batch -notext -config ca.cnf -cert "$2.ca" -keyfile "$2.key" -in "$1.csr" -out "$1.crt" -extfile x.cnf -extensions x \
    "${span[@]}" 2>/dev/null
  rm -f "$1.csr" ./[0-9A-F]*.pem
}

revocations() { # revocations AUTHORITY [NAME...]
  local ca=$1
  shift
  local name
  for name in "$@"; do openssl ca -config ca.cnf -cert "$ca.ca" -keyfile "$ca.key" -revoke "$name.crt" 2>/dev/null; done
  openssl ca -config ca.cnf -gencrl -crldays 365 -cert "$ca.ca" -keyfile "$ca.key" -out "$ca.crl" 2>/dev/null
}

joined=$(IFS=,; echo "${sans[*]}")
authority plant-ca
key gw; leaf gw plant-ca serverAuth "$joined"
rsa gw-rsa 3072; leaf gw-rsa plant-ca serverAuth "$joined"
rsa weak 1024; leaf weak plant-ca serverAuth "$joined"
key scada; leaf scada plant-ca clientAuth ''
key scada-expired; leaf scada-expired plant-ca clientAuth '' 20240101000000Z 20240201000000Z
key scada-revoked; leaf scada-revoked plant-ca clientAuth ''
revocations plant-ca scada-revoked

authority cloud-ca
key broker; leaf broker cloud-ca serverAuth DNS:broker.example
key broker-expired; leaf broker-expired cloud-ca serverAuth DNS:broker.example 20240101000000Z 20240201000000Z
key misnamed; leaf misnamed cloud-ca serverAuth DNS:other.example
key broker.example; leaf broker.example cloud-ca serverAuth ''
key gw-client; leaf gw-client cloud-ca clientAuth ''

authority other-ca
key stranger; leaf stranger other-ca clientAuth ''
key impostor; leaf impostor other-ca serverAuth DNS:broker.example

rm -f x.cnf ca.cnf ./*.index* ./*.serial*
# The authorities' own keys are not for a gateway.
mkdir -p authorities
mv plant-ca.key cloud-ca.key other-ca.key authorities/
