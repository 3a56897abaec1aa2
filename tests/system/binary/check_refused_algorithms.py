#!/usr/bin/env python3
"""usage: check_refused_algorithms.py --library PREFIX [--binaries FOLDER] [--self-test]

"Refused" means: not in the binary (2.4.7.15). Looked at are the defined symbols and the suite names in libwolfssl.a and in
every program, the libraries a program loads, and what a program linked with the library can offer: the accepted set
must be exactly the vetted one.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

import elf

# Functions that only an implementation of something refused would have. Compared with whole symbol names.
REFUSED_SYMBOLS = [(what, re.compile(pattern)) for what, pattern in (
    ("RC4", r"(wc_)?Arc4\w*|RC4(_\w+)?"),
    ("DES, 3DES", r"wc_Des3?_\w+|DES_\w*(crypt|key)\w*"),
    ("RC2", r"wc_Rc2\w+"),
    ("MD4, MD5", r"wc_(Init)?Md[45]\w*|MD5_(Init|Update|Final)"),
    ("SHA-1", r"wc_(InitSha|ShaUpdate|ShaFinal|ShaHash)(_ex)?|SHA1_(Init|Update|Final)"),
    ("SHA-224", r"wc_(InitSha224|Sha224\w+)"),
    ("finite-field DH", r"wc_Dh\w+|wc_InitDhKey\w*|wolfSSL_(CTX_)?SetTmpDH\w*"),
    ("DSA", r"wc_(Init)?Dsa\w+"),
    ("ChaCha20-Poly1305", r"wc_Cha[cC]ha\w+|wc_Poly1305\w+"),
    ("Camellia, ARIA, SM4, IDEA", r"wc_(Camellia|Aria|Sm[234]|Idea)\w+"),
    ("AES-CBC", r"wc_AesCbc\w+"),
    ("password-based encryption", r"wc_PBKDF[12]\w*|wc_PKCS12\w*"),
    ("SSL 3, TLS 1.0, TLS 1.1, DTLS 1.0", r"wolf(SSLv3|TLSv1|TLSv1_1|DTLSv1)_(client|server)?_?method(_ex)?"),
    ("renegotiation", r"wolfSSL_(Rehandshake|SecureResume)"),
    ("heartbeat", r"wolfSSL_\w*[hH]eartbeat\w*"),
    ("early data", r"wolfSSL_(write|read)_early_data"),
    ("Ed25519, Ed448, X448", r"wc_ed(25519|448)_\w+|wc_curve448_\w+"),
)]

# Suite names as they stand in tables. ECDHE is fine, everything else with these words is not.
REFUSED_SUITE = re.compile(
    r"^(TLS_|SSL_)?(?=[A-Z0-9_-]+$)(?:.*(?:^|[-_])(?:RC4|DES|3DES|MD5|NULL|EXPORT|ADH|AECDH|EDH|IDEA|SEED|CAMELLIA\d*|ARIA\d*|CHACHA20)[-_](?:.*[-_])?(?:SHA\d*|MD5|POLY1305)"
    r"|(?:DHE|DH)[-_](?:RSA|DSS|PSK|ANON)[-_].*|.*[-_]CBC[-_]SHA\d*|(?:ECDHE[-_](?:RSA|ECDSA)[-_])?AES(?:128|256)[-_]SHA\d*)$")

# x of the generator, as it stands in tables of curves (SEC 2, RFC 5639); all but P-256 and P-384.
REFUSED_CURVES = {
    "P-192": "188DA80EB03090F67CBF20EB43A18800F4FF0AFD82FF1012",
    "P-224": "B70E0CBD6BB4BF7F321390B94A03C1D356C21122343280D6115C1D21",
    "P-521": "C6858E06B70404E9CD9E3ECB662395B4429C648139053FB521F828AF606B4D3DBAA14B5E77EFE75928FE1DC127A2FFA8DE3348B3C1856A429BF97E7E31C2E5BD66",
    "secp256k1": "79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798",
    "brainpoolP256r1": "8BD2AEB9CB7E57CB2C4B482FFC81B7AFB9DE27E1E3BD23C23A4453BD9ACE3262",
    "brainpoolP384r1": "1D1C64F068CF45FFA2A63A81B7C13F6B8847A3E77EF14FE3DB7FCAFE0CBD10E8E826E03436D646AAEF87B2E247D4AF1E",
    "brainpoolP512r1": "81AEE4BDD82ED9645A21322E9C4C6A9385ED9F70B5D916C1B43B62EEF4D0098EFF3B1F78E2D0D48D50D1687B93B97D5F7C6D5047406A5E688B352209BCB9F822",
}
FORBIDDEN_LIBRARIES = re.compile(r"^lib(ssl|gnutls|mbedtls|nss3|wolfssl)\b")

# The vetted suites as the library names them; CCM_8 is compiled for the quarantine tier, which the product's own table gates.
VETTED = {
    "TLS13-AES128-GCM-SHA256", "TLS13-AES256-GCM-SHA384", "TLS13-AES128-CCM-SHA256",
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-CCM",
}
QUARANTINE = {
    "TLS13-AES128-CCM-8-SHA256", "TLS13-AES128-CCM8-SHA256", "ECDHE-ECDSA-AES128-CCM-8", "ECDHE-ECDSA-AES128-CCM8",
    "ECDHE-ECDSA-AES256-CCM-8", "ECDHE-ECDSA-AES256-CCM8",
}

PROBE = r"""
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <stdio.h>
int main(void) {
  char names[4096];
  wolfSSL_Init();
  if (wolfSSL_get_ciphers(names, sizeof names) != WOLFSSL_SUCCESS) return 1;
  puts(names);
  return 0;
}
"""


def refused_in(path):
    problems = []
    for symbol in sorted(elf.defined_symbols(path)):
        problems += [f"{path}: {what}: symbol {symbol}" for what, pattern in REFUSED_SYMBOLS if pattern.fullmatch(symbol)]
    for text in sorted(elf.loaded_strings(path)):
        if REFUSED_SUITE.match(text):
            problems.append(f"{path}: suite name {text}")
        problems += [f"{path}: curve {name}" for name, generator in REFUSED_CURVES.items() if generator in text.upper()]
    return problems


def offered_suites(prefix):
    with tempfile.TemporaryDirectory() as folder:
        source, program = pathlib.Path(folder, "probe.c"), pathlib.Path(folder, "probe")
        source.write_text(PROBE)
        subprocess.run(["gcc", "-I", f"{prefix}/include", str(source), f"{prefix}/lib/libwolfssl.a", "-lm", "-lpthread",
                        "-o", str(program)], check=True)
        return set(elf.run(str(program)).strip().split(":"))


def check_library(prefix):
    problems = refused_in(f"{prefix}/lib/libwolfssl.a")
    offered = offered_suites(prefix)
    problems += [f"{prefix}: offers {name}, which is not vetted" for name in sorted(offered - VETTED - QUARANTINE)]
    problems += [f"{prefix}: does not offer {name}" for name in sorted(VETTED - offered)]
    return problems


def check_binaries(folder):
    programs = elf.executables(folder)
    if not programs:
        return [f"{folder}: no program to look at"]
    problems = []
    for program in programs:
        problems += refused_in(program)
        problems += [f"{program}: loads {name}: TLS is the terminator's wolfSSL alone"
                     for name in elf.needed(program) if FORBIDDEN_LIBRARIES.match(name)]
        if program.name == "sallyport-terminator":
            problems += [f"{program}: loads {name}" for name in elf.needed(program) if name.startswith("libcrypto")]
    return problems


def self_test():
    """A program that holds something refused must be seen, one that does not must not."""
    problems = []
    planted = {
        "void wc_Arc4SetKey(void) {}": "RC4", "void wc_Des3_SetKey(void) {}": "DES", "void wc_InitMd5(void) {}": "MD5",
        "void wc_DhAgree(void) {}": "DH", "void wolfTLSv1_client_method(void) {}": "TLS 1.0",
        'const char* n = "DHE-RSA-AES128-GCM-SHA256";': "DHE", 'const char* n = "ECDHE-RSA-AES128-SHA256";': "ECDHE-RSA-AES128-SHA256",
        'const char* n = "TLS_RSA_WITH_3DES_EDE_CBC_SHA";': "3DES", 'const char* n = "RC4-SHA";': "RC4-SHA",
        f'const char* n = "{REFUSED_CURVES["P-521"]}";': "P-521",
    }
    clean = 'const char* n = "ECDHE-RSA-AES128-GCM-SHA256"; void wc_AesGcmEncrypt(void) {} void wc_InitSha256(void) {}'
    with tempfile.TemporaryDirectory() as folder:
        for number, (text, word) in enumerate(list(planted.items()) + [(clean, "")]):
            source, program = pathlib.Path(folder, f"{number}.c"), pathlib.Path(folder, f"{number}")
            source.write_text(text + "\nint main(void) { return 0; }\n")
            subprocess.run(["gcc", str(source), "-o", str(program)], check=True)
            found = refused_in(program)
            if word and not any(word in problem for problem in found):
                problems.append(f"planted and not seen: {text}: {found}")
            if not word and found:
                problems.append(f"cries at a clean program: {found}")
    return problems


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--library")
    parser.add_argument("--binaries")
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    problems = self_test() if arguments.self_test else []
    problems += check_library(arguments.library) if arguments.library else []
    problems += check_binaries(arguments.binaries) if arguments.binaries else []
    print("\n".join(problems) if problems else "nothing refused found")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
