#!/usr/bin/env python3
"""Prints "passed failed skipped" of a ctest JUnit file or of a lab's JSON file, for the front door's last line."""
import json
import sys
import xml.etree.ElementTree as ElementTree


def count_junit(path):
    passed = failed = skipped = 0
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        if case.find("failure") is not None or case.get("status") == "fail":
            failed += 1
        elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def count_lab(path):
    with open(path, encoding="utf-8") as stream:
        cases = json.load(stream)["cases"]
    met = sum(1 for case in cases if case.get("met") is True)
    skipped = sum(1 for case in cases if case.get("met") is None)
    return met, len(cases) - met - skipped, skipped


if __name__ == "__main__":
    print(*{"junit": count_junit, "lab": count_lab}[sys.argv[1]](sys.argv[2]))
