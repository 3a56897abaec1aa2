#!/usr/bin/env python3
"""usage: check_completion.py COMPLETION SALLYCTL   The completion in a bash of its own: subcommands, options, values; names from a
gateway that answers, one that is away, one that hangs, one that lies."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest

COMPLETION, SALLYCTL = "", ""
# What a line is cut into is readline's work: "=" is a word of its own (COMP_WORDBREAKS).
SCRIPT = r"""
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_sallyctl "$1"
((${#COMPREPLY[@]})) && printf '%s\n' "${COMPREPLY[@]}"
exit 0
"""
DEVICES = '[\n  {\n    "name": "meter",\n    "members": {\n      "name": "inner"\n    }\n  },\n  {\n    "address": [],\n    "name": "press4"\n  }\n]'


class Completion(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.gateway("exit 4")

    def gateway(self, script):
        """A sallyctl whose answers are the script's; what it was asked is in `asked`."""
        program = pathlib.Path(self.folder.name, "sallyctl")
        program.write_text(f'#!/bin/bash\necho "$*" >>"{self.folder.name}/asked"\n{script}\n')
        program.chmod(0o755)

    def complete(self, *words):
        ran = subprocess.run(["bash", "--norc", "--noprofile", "-c", SCRIPT, "bash", COMPLETION, "sallyctl", *words],
                             capture_output=True, text=True, cwd=self.folder.name, timeout=20,
                             env={"PATH": f"{self.folder.name}:/usr/bin:/bin", "LC_ALL": "C.UTF-8"})
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        return ran.stdout.split("\n")[:-1]

    def asked(self):
        path = pathlib.Path(self.folder.name, "asked")
        return path.read_text().splitlines() if path.exists() else []

    def helped(self, *words):
        out = subprocess.run([SALLYCTL, *words, "--help"], capture_output=True, text=True, check=True).stdout
        listed = re.search(r"^Subcommands:\n((?:  .*\n)+)", out, re.MULTILINE)
        return re.findall(r"^  ([a-z][a-z-]*) ", listed.group(1), re.MULTILINE) if listed else []

    def test_every_subcommand_of_help_is_offered_and_nothing_else(self):
        def walk(*words):
            commands = self.helped(*words)
            if commands:
                self.assertEqual(self.complete(*words, ""), commands, words)
            for name in commands:
                walk(*words, name)
        walk()
        self.assertIn("config", self.complete(""))

    def test_what_is_typed_narrows(self):
        self.assertEqual(self.complete("conf"), ["config"])
        self.assertEqual(self.complete("show", "dev"), ["devices"])
        self.assertEqual(self.complete("show", "nothing-like-it"), [])

    def test_options_are_the_commands_and_its_parents(self):
        options = self.complete("config", "apply", "--")
        for option in ("--comment", "--confirm-within", "--yes", "--json", "--run-dir", "--help"):
            self.assertEqual(options.count(option), 1, options)
        self.assertNotIn("--revision", options)
        self.assertEqual(self.complete("--json", "config", "diff", "--rev"), ["--revision"])
        self.assertEqual(self.complete("capture", "-w"), ["-w"])

    def test_a_value_is_no_subcommand(self):
        self.assertEqual(self.complete("--run-dir", "show", "config", "hi"), ["history"])
        self.assertEqual(self.complete("--run-dir", "=", "show", "config", "hi"), ["history"])

    def test_files_and_folders(self):
        for name in ("gateway one.yaml", "garden.yaml"):
            pathlib.Path(self.folder.name, name).touch()
        pathlib.Path(self.folder.name, "gang").mkdir()
        self.assertEqual(sorted(self.complete("config", "check", "ga")), ["gang", "garden.yaml", "gateway one.yaml"])
        self.assertEqual(sorted(self.complete("capture", "-w", "gar")), ["garden.yaml"])
        self.assertEqual(self.complete("--run-dir", "ga"), ["gang"])
        self.assertEqual(self.complete("config", "check", "garden.yaml", ""), [], "a second file is not taken")

    def test_words(self):
        self.assertEqual(self.complete("config", "apply", "--confirm-within", ""), ["90s", "10m", "2h"])
        self.assertEqual(self.complete("config", "apply", "--confirm-within", "=", "1"), ["10m"])
        self.assertEqual(self.complete("config", "apply", "--confirm-within", "="), ["90s", "10m", "2h"])
        self.assertEqual(self.complete("explain", "--in", "field", "10.0.0.1", "10.0.0.2", ""), ["tcp", "udp", "icmp"])
        self.assertEqual(self.complete("explain", "--last", "--reason", "default-"), ["default-deny"])

    def test_names_come_from_the_running_gateway(self):
        self.gateway(f"[[ $* == *devices ]] && cat <<'JSON'\n{DEVICES}\nJSON\n")
        self.assertEqual(self.complete("--run-dir", "/run/other", "prove", "--from", ""), ["gateway", "virtual", "meter", "press4"])
        self.assertEqual(self.complete("prove", "--to", "pr"), ["press4"])
        self.assertEqual(self.asked()[:2], ["--run-dir /run/other --json show segments", "--run-dir /run/other --json show devices"])
        self.gateway("printf '[\\n  {\\n    \"number\": 12,\\n    \"user\": \"root\"\\n  },\\n  {\\n    \"number\": 7\\n  }\\n]'")
        self.assertEqual(self.complete("config", "rollback", ""), ["12", "7"])

    def test_nobody_is_asked_when_nothing_needs_it(self):
        self.complete("config", "")
        self.complete("prove", "--")
        self.assertEqual(self.asked(), [])

    def test_a_gateway_that_is_away_is_silent(self):
        self.gateway("echo 'sallyctl: not running' >&2; exit 4")
        self.assertEqual(self.complete("config", "show", ""), [])

    def test_a_gateway_that_hangs_is_left(self):
        self.gateway("exec sleep 60")
        began = time.monotonic()
        self.assertEqual(self.complete("config", "show", ""), [])
        self.assertLess(time.monotonic() - began, 10)

    def test_an_answer_is_never_run(self):
        self.gateway("printf '[\\n  {\\n    \"name\": \"$(touch ran)\"\\n  },\\n  {\\n    \"name\": \"`touch ran`\"\\n  }\\n]'")
        self.assertEqual(self.complete("prove", "--from", ""), ["gateway", "virtual"])
        self.assertFalse(os.path.exists(os.path.join(self.folder.name, "ran")))


if __name__ == "__main__":
    COMPLETION, SALLYCTL = (os.path.abspath(path) for path in sys.argv[1:3])
    unittest.main(argv=sys.argv[:1])
