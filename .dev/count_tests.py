#!/usr/bin/env python3
"""usage: count_tests.py junit|lab FILE   "passed failed skipped" of a ctest JUnit file or of a lab's JSON file, then a line
for each failed one."""
import json
import sys
import xml.etree.ElementTree as ElementTree


def count_junit(path):
    passed = skipped = 0
    failed = []
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        if case.find("failure") is not None or case.get("status") == "fail":
            # What gtest says in short of a binary with many tests.
            output = case.findtext("system-out") or ""
            inner = sorted({line.split("]", 1)[1].strip().split(" (")[0] for line in output.splitlines()
                            if line.startswith("[  FAILED  ]") and "." in line})
            failed.append(f"{case.get('name')}: {', '.join(inner)}" if inner else case.get("name"))
        elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def count_lab(path):
    with open(path, encoding="utf-8") as stream:
        cases = json.load(stream)["cases"]
    met = sum(1 for case in cases if case.get("met") is True)
    failed = [f"lab {case.get('name')}" for case in cases if case.get("met") is False]
    return met, failed, len(cases) - met - len(failed)


if __name__ == "__main__":
    passed, failed, skipped = {"junit": count_junit, "lab": count_lab}[sys.argv[1]](sys.argv[2])
    print(passed, len(failed), skipped)
    for name in failed:
        print(name)
