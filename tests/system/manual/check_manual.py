#!/usr/bin/env python3
"""usage: check_manual.py BUILD | --self-test   Each manual page of BUILD/manual is one that groff has nothing to say about, and
says, as it is shown, every option and every subcommand that its program's --help lists."""
import pathlib
import re
import subprocess
import sys
import tempfile

DAEMONS = ("control", "dataplane", "exporter", "setup", "terminator")


def rendered(page):
    """(complaints, the text as a terminator shows it) of a page."""
    ran = subprocess.run(["groff", "-ww", "-man", "-Tutf8", "-rLL=1000m", "-P-cbou", str(page)], capture_output=True, text=True,
                         env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"})
    text = ran.stdout.replace("\N{HYPHEN}", "-").replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return ran.stderr.strip(), re.sub(r"[ \t]+", " ", text)


def helped(program, words=()):
    """(option lines, subcommands) of PROGRAM WORDS --help."""
    out = subprocess.run([program, *words, "--help"], capture_output=True, text=True, check=True).stdout
    options = re.findall(r"(?<=[\s,])--[a-z][a-z-]*(?=[\s,]|$)", "\n".join(re.findall(r"^  (-\S.*)$", out, re.MULTILINE)))
    commands = re.search(r"^Subcommands:\n((?:  .*\n)+)", out, re.MULTILINE)
    names = re.findall(r"^  ([a-z][a-z-]*) ", commands.group(1), re.MULTILINE) if commands else []
    first = re.findall(r"^  (--[a-z][a-z-]*)", out, re.MULTILINE)
    return sorted(set(options + first)), names


def missing(program, text, words=()):
    options, commands = helped(program, words)
    problems = [f"{' '.join(words) or program}: {option} is not in the manual" for option in options if option not in text]
    if words and not commands and f"\n {' '.join(words)}\n" not in text:
        problems.append(f"{' '.join(words)} is not in the manual")
    for name in commands:
        problems += missing(program, text, (*words, name))
    return problems


def problems_of(page, program):
    complaints, text = rendered(page)
    problems = [f"{page.name}: {line}" for line in complaints.splitlines()]
    return problems + [f"{page.name}: {line}" for line in missing(program, text)]


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        program, page = pathlib.Path(folder, "tool"), pathlib.Path(folder, "tool.1")
        program.write_text("#!/bin/sh\n[ \"$1\" = go ] && printf 'Options:\\n  -f,--far TEXT x\\n' && exit\n"
                           "printf 'Options:\\n  -h,--help x\\n  --run-dir TEXT y\\n\\nSubcommands:\\n  go   z\\n'\n")
        program.chmod(0o755)
        good = '.TH TOOL 1 "" "" ""\n.SH NAME\ntool \\- x\n.TP\n\\-\\-help, \\-\\-run\\-dir, \\-\\-far\ny\n.SS "go"\nz\n'
        planted = [("--run-dir is not", good.replace(r", \-\-run\-dir", "")), ("go: --far is not", good.replace(r", \-\-far", "")),
                   ("go is not in", good.replace('"go"', '"stay"')), ("tool.1: ", good + "\\[nosuchglyph]\n")]
        page.write_text(good)
        wrong = [f"clean page: {line}" for line in problems_of(page, str(program))]
        for expected, text in planted:
            page.write_text(text)
            if not any(expected in line for line in problems_of(page, str(program))):
                wrong.append(f"not seen: {expected}")
    return wrong


def main(argument):
    if argument == "--self-test":
        problems = self_test()
    else:
        build = pathlib.Path(argument)
        pages = [("sallyctl.1", "sallyctl")] + [(f"sallyport-{name}.8", f"sallyport-{name}") for name in DAEMONS]
        problems = [line for page, program in pages for line in problems_of(build / "manual" / page, str(build / "bin" / program))]
    print("\n".join(problems) or "clean")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
