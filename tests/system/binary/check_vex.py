#!/usr/bin/env python3
"""usage: check_vex.py ROOT PREFIX | --self-test   Holds docs/security/vex.json against the library and the source tree.

"not_affected" must rest on evidence, and every evidence must be true of the build in force: options in or out of
options.h, symbols out of the archive, repairs named in build-info.json, calls that no source of ours makes.
"""
import json
import pathlib
import re
import sys

import elf

STATUSES = ("not_affected", "fixed", "affected", "under_investigation")


def options_of(prefix):
    text = pathlib.Path(prefix, "include/wolfssl/options.h").read_text()
    return set(re.findall(r"^#define +(\w+)", text, re.MULTILINE))


def sources_of(root):
    return {str(path): path.read_text() for folder in ("policy", "dataplane", "tls-termination", "control")
            for path in pathlib.Path(root, folder).rglob("*") if path.suffix in (".h", ".cc")}


def judge(document, options, symbols, repairs, sources):
    problems = []
    for statement in document["statements"]:
        name, status, evidence = statement["vulnerability"], statement["status"], statement["evidence"]
        if status not in STATUSES or not statement.get("why"):
            problems.append(f"{name}: needs a known status and a why")
        if status in ("not_affected", "fixed") and not evidence:
            problems.append(f"{name}: {status} without evidence")
        if status in ("affected", "under_investigation") and not statement.get("action"):
            problems.append(f"{name}: {status} without an action")
        problems += [f"{name}: option {word} is compiled in" for word in evidence.get("options_absent", []) if word in options]
        problems += [f"{name}: option {word} is missing" for word in evidence.get("options_present", []) if word not in options]
        problems += [f"{name}: symbol {word} is there" for word in evidence.get("symbols_absent", []) if word in symbols]
        problems += [f"{name}: repair {word} was not applied" for word in evidence.get("repairs", []) if word not in repairs]
        problems += [f"{name}: {path} calls {word}" for word in evidence.get("calls_absent", [])
                     for path, text in sources.items() if re.search(rf"\b{word}\b", text)]
    return problems


def self_test():
    def one(status, evidence, **more):
        return {"statements": [{"vulnerability": "X", "status": status, "why": "y", "evidence": evidence, **more}]}
    world = ({"HAVE_RPK"}, {"wolfSSL_bad"}, {"mended"}, {"a.cc": "wolfSSL_CTX_EnableOCSP(c);"})
    planted = [one("not_affected", {}), one("affected", {}), one("whatever", {"repairs": ["mended"]}),
               one("not_affected", {"options_absent": ["HAVE_RPK"]}), one("not_affected", {"options_present": ["NO_X"]}),
               one("not_affected", {"symbols_absent": ["wolfSSL_bad"]}), one("fixed", {"repairs": ["other"]}),
               one("not_affected", {"calls_absent": ["wolfSSL_CTX_EnableOCSP"]})]
    problems = [f"planted and not seen: {document}" for document in planted if not judge(document, *world)]
    clean = one("fixed", {"repairs": ["mended"], "options_absent": ["NO_X"]})
    return problems + [f"cries at a true statement: {problem}" for problem in judge(clean, *world)]


def main(arguments):
    if arguments == ["--self-test"]:
        problems = self_test()
    else:
        root, prefix = arguments
        document = json.loads(pathlib.Path(root, "docs/security/vex.json").read_text())
        info = json.loads(pathlib.Path(prefix, "build-info.json").read_text())
        problems = judge(document, options_of(prefix), elf.defined_symbols(f"{prefix}/lib/libwolfssl.a"), info["repairs"], sources_of(root))
    print("\n".join(problems) if problems else "every statement holds")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
