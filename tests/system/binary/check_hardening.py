#!/usr/bin/env python3
"""usage: check_hardening.py FOLDER | --self-test   Every program there: PIE, full RELRO, no executable stack, stack protector,
_FORTIFY_SOURCE, no run path, and code of ours compiled for CET."""
import pathlib
import subprocess
import sys
import tempfile

import elf


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
        ("has no fortified call (_FORTIFY_SOURCE)", "_chk@" in symbols.replace("__stack_chk_fail", "")),
        ("has a run path", "RPATH" not in dynamic and "RUNPATH" not in dynamic),
        ("has a main without endbr64 (CET)", "endbr64" in listing),
    ]
    return [f"{program}: {what}" for what, good in checks if not good]


def self_test():
    """A program built without any of it must be told for all of it that the compiler lets us leave out."""
    source = '#include <stdio.h>\n#include <string.h>\nint main(int c, char** v) { char b[64]; strcpy(b, v[0]); puts(b); return c; }\n'
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
    return problems


def main(argument):
    if argument == "--self-test":
        problems = self_test()
    else:
        programs = elf.executables(argument)
        problems = [problem for program in programs for problem in problems_of(str(program))] or (
            [] if programs else [f"{argument}: no program to look at"])
    print("\n".join(problems) if problems else "all hardened")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
