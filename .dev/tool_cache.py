"""What run_tidy.py and check_headers.py share: compile commands, a key that names a file's whole input, as many jobs at a
time as there are processors, and what they cost.

A verdict is kept only when it is clean, under SHA-256 of everything that decides it: the tool's version and profile, the
command, the file and every header of the tree (and generated header) that it reads, by the compiler's own -MM.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import statistics
import subprocess
import tempfile

SOURCES = ("policy/", "dataplane/", "tls-termination/", "control/", "tests/")


def compile_commands(build):
    """Source path -> argument vector without output and without the launcher."""
    commands = {}
    for entry in json.loads((pathlib.Path(build) / "compile_commands.json").read_text()):
        words = shlex.split(entry["command"])
        if words and os.path.basename(words[0]) == "ccache":
            words = words[1:]
        if "-o" in words:
            at = words.index("-o")
            del words[at:at + 2]
        words = [word for word in words if word not in ("-c", entry["file"])]
        commands[os.path.realpath(entry["file"])] = (entry["directory"], words)
    return commands


def dependencies(directory, words, file):
    """Headers that are not the system's (-MM leaves those out); empty when the file does not even preprocess."""
    done = subprocess.run([*words, "-MM", "-w", file], cwd=directory, capture_output=True, text=True, check=False)
    names = done.stdout.replace("\\\n", " ").split()[1:]
    return [os.path.normpath(os.path.join(directory, name)) for name in names] or [file]


def anywhere(words, root):
    """A command as text that is the same in every checkout."""
    return " ".join(words).replace(root, "@")


def key_of(parts, files):
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() + b"\0")
    for file in sorted(set(files)):
        digest.update(hashlib.sha256(pathlib.Path(file).read_bytes()).digest())
    return digest.hexdigest()


def run(command, directory=None):
    """Exit status, output, error output and the seconds of processor time that it took."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        with subprocess.Popen(command, cwd=directory, stdout=out, stderr=err) as child:
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        return child.returncode, out.read(), err.read(), usage.ru_utime + usage.ru_stime


def run_all(items, work, cache):
    """work(item) -> (key, function giving (ok, text, seconds)); clean keys are skipped. Prints failures, returns their number."""
    cache = pathlib.Path(cache)
    cache.mkdir(parents=True, exist_ok=True)

    def one(item):
        key, judge = work(item)
        mark = cache / key
        if mark.exists():
            mark.touch()
            return item, True, "", None
        good, text, seconds = judge()
        if good:
            mark.touch()
        return item, good, text, seconds

    failed = 0
    costs = []
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
        for item, good, text, seconds in pool.map(one, items):
            if seconds is not None:
                costs.append(seconds)
            if not good:
                failed += 1
                print(f"{item}:\n{text}", flush=True)
    print(f"{len(items)} judged ({len(items) - len(costs)} unchanged since a clean run), {failed} failed")
    if costs:
        print(f"processor time: {sum(costs):.0f} s in all, {statistics.median(costs):.1f} s at the median, {max(costs):.1f} s at most")
    return failed
