#!/usr/bin/env python3
"""usage: check_hardening.py BUILD | --self-test   Every program in BUILD/bin: PIE, full RELRO, no executable stack, stack
protector, no run path, compiled for CET. Fortified calls are looked for in the programs that have such calls at all (a
compiler that can prove a size leaves none behind), and every compile command must ask for what cannot be seen afterwards."""
import json
import pathlib
import subprocess
import sys
import tempfile

import elf


FLAGS = ("-D_FORTIFY_SOURCE=3", "-fstack-protector-strong", "-fstack-clash-protection", "-fcf-protection=full", "-O3", "-D_GLIBCXX_ASSERTIONS")
PRODUCT = ("policy", "dataplane", "tls-termination", "control")
FORTIFIABLE = {"strcpy", "strncpy", "strcat", "sprintf", "vsprintf", "snprintf", "vsnprintf", "gets", "fgets", "realpath"}


def fortified(symbols):
    names = {line.split()[-1].split("@")[0] for line in symbols.splitlines() if line.strip()}
    return not names & FORTIFIABLE or any(name.endswith("_chk") for name in names)


def commands_without_flags(commands):
    """Flag missing in a compile command of the product's own sources."""
    problems = []
    for entry in commands:
        if not any(f"/{folder}/" in entry["file"] for folder in PRODUCT) or "/tests/" in entry["file"]:
            continue
        if entry["file"].endswith((".c", ".bpf.c")):
            continue  # generated C of the IDL; the linker's checks cover it
        problems += [f"{entry['file']}: compiled without {flag}" for flag in FLAGS if flag not in entry["command"].split()]
    return problems


def problems_of(program):
    header, segments = elf.run("readelf", "-hW", program), elf.run("readelf", "-lW", program)
    dynamic, symbols = elf.run("readelf", "-dW", program), elf.run("nm", "-D", program)
    listing = elf.run("objdump", "-d", "--no-show-raw-insn", "--disassemble=main", program)
    flags = " ".join(line for line in dynamic.splitlines() if "FLAGS" in line or "BIND_NOW" in line)
    stack = next((line for line in segments.splitlines() if "GNU_STACK" in line), "")
    checks = [
        ("is no PIE", "DYN (" in header and "PIE" in flags),
        ("has no RELRO", "GNU_RELRO" in segments),
        ("binds lazily (partial RELRO)", "NOW" in flags),
        ("has an executable stack", stack != "" and "RWE" not in stack),
        ("has no stack protector", "__stack_chk_fail" in symbols),
        ("has no fortified call (_FORTIFY_SOURCE)", fortified(symbols)),
        ("has a run path", "RPATH" not in dynamic and "RUNPATH" not in dynamic),
        ("has a main without endbr64 (CET)", "endbr64" in listing),
    ]
    return [f"{program}: {what}" for what, good in checks if not good]


def self_test():
    """A program built without any of it must be told for all of it that the compiler lets us leave out."""
    source = '#include <stdio.h>\n#include <string.h>\nint main(int c, char** v) { char b[64]; strcpy(b, v[c]); puts(b); return c; }\n'
    every = " ".join(FLAGS)
    hard = ["-O2", "-fPIE", "-pie", "-Wl,-z,relro,-z,now", "-fstack-protector-strong", "-D_FORTIFY_SOURCE=3", "-fcf-protection=full"]
    soft = ["-O2", "-fno-pie", "-no-pie", "-Wl,-z,norelro,-z,lazy,-z,execstack", "-fno-stack-protector", "-U_FORTIFY_SOURCE",
            "-fcf-protection=none", "-Wl,-rpath,/nowhere"]
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "a.c")
        path.write_text(source)
        found = {}
        for name, flags in (("hard", hard), ("soft", soft)):
            subprocess.run(["gcc", "-w", *flags, str(path), "-o", f"{folder}/{name}"], check=True)
            found[name] = problems_of(f"{folder}/{name}")
    problems = [f"cries at a hardened program: {found['hard']}"] if found["hard"] else []
    if len(found["soft"]) != 8:
        problems.append(f"sees only {found['soft']} of 8 planted weaknesses")
    for flag in FLAGS:
        if not commands_without_flags([{"file": "/x/policy/a.cc", "command": "c++ " + every.replace(flag, "")}]):
            problems.append(f"does not miss {flag} in a compile command")
    problems += commands_without_flags([{"file": "/x/policy/a.cc", "command": "c++ " + every}])
    return problems


def main(argument):
    if argument == "--self-test":
        problems = self_test()
    else:
        programs = elf.executables(f"{argument}/bin")
        problems = [problem for program in programs for problem in problems_of(str(program))] or (
            [] if programs else [f"{argument}: no program to look at"])
        problems += commands_without_flags(json.loads(pathlib.Path(argument, "compile_commands.json").read_text()))
    print("\n".join(problems) if problems else "all hardened")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
