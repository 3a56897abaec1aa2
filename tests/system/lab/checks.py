"""Checks: declared once with a stable name and what is expected, run in order, reported one line each."""
import dataclasses
import datetime
import fnmatch
import json
import platform
import subprocess
import time
import traceback


@dataclasses.dataclass
class Check:
    name: str
    expected: str
    function: object


@dataclasses.dataclass
class Outcome:
    name: str
    expected: str
    seen: str
    met: bool
    seconds: float


_declared = []


def check(name, expected):
    """Declares function(lab) -> (met, seen) as a check. Order of declaration is order of running."""
    def declare(function):
        if any(other.name == name for other in _declared):
            raise ValueError(f"two checks are called {name}")
        _declared.append(Check(name, expected, function))
        return function
    return declare


def declared(pattern=None):
    wanted = pattern.split(",") if pattern else ["*"]
    return [item for item in _declared if any(fnmatch.fnmatch(item.name, part) for part in wanted)]


class Report:
    def __init__(self, colour):
        self.outcomes = []
        self.colour = colour

    def run(self, item, lab):
        started = time.monotonic()
        try:
            met, seen = item.function(lab)
        except Exception as error:  # a check that cannot be made is a check that failed
            met, seen = False, f"{type(error).__name__}: {error}"
            lab.note(traceback.format_exc())
        self.add(item.name, item.expected, seen, met, time.monotonic() - started)

    def add(self, name, expected, seen, met, seconds=0.0):
        outcome = Outcome(name, expected, str(seen), bool(met), seconds)
        self.outcomes.append(outcome)
        word = "ok  " if outcome.met else "FAIL"
        if self.colour:
            word = f"\033[{32 if outcome.met else 31}m{word}\033[0m"
        print(f"{word} {name} · expected: {expected} · seen: {outcome.seen} ({seconds:.1f} s)", flush=True)

    def failed(self):
        return [outcome for outcome in self.outcomes if not outcome.met]

    def write_json(self, path, command, root):
        commit = subprocess.run(["git", "-C", root, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
        document = {
            "command": command,
            "commit": commit.stdout.strip(),
            "machine": f"{platform.machine()}, Linux {platform.release()}",
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "cases": [{"name": item.name, "expected": item.expected, "seen": item.seen, "met": item.met,
                       "note": f"{item.seconds:.1f} s"} for item in self.outcomes],
        }
        with open(path, "w", encoding="utf-8") as stream:
            json.dump(document, stream, indent=1, ensure_ascii=False)
            stream.write("\n")
