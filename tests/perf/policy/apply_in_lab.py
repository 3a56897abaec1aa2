#!/usr/bin/python3
"""usage: apply_in_lab.py BUILD BENCH PLANT ROUNDS RESULTS   `config check` and `config apply` of a plant, timed as the operator
feels them, on a gateway with all its daemons between the lab's namespaces. Control and sallyctl share one processor.

BENCH --text PLANT --variant N prints the configurations. RESULTS gets a JSON object of lists, one value for each round.
"""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tests/system"))

from lab import container, wait  # noqa: E402
from lab.session import Session  # noqa: E402


class Asker(threading.Thread):
    """Asks control for its status again and again; keeps the longest that an answer took, in milliseconds."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self._path, self._ending, self.longest = path, threading.Event(), 0.0

    def run(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
            asking.settimeout(30)
            asking.connect(self._path)
            while not self._ending.wait(0.002):
                began = time.monotonic()
                asking.send(b'{"op":"status"}')
                asking.recv(1 << 16)
                self.longest = max(self.longest, (time.monotonic() - began) * 1e3)

    def close(self):
        self._ending.set()
        self.join()
        return self.longest


def on_one_processor(pid, processor):
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), {processor})


def milliseconds(argv, processor):
    began = time.monotonic()
    done = subprocess.run(["taskset", "-c", str(processor), *argv], capture_output=True, text=True, timeout=300, check=False)
    took = (time.monotonic() - began) * 1e3
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip()[:2000]}")
    return took


def measure(session, bench, plant, rounds):
    out = {"check_ms": [], "apply_ms": [], "commit_ms": [], "longest_answer_ms": []}
    session.policy()
    processor = max(os.sched_getaffinity(0))
    on_one_processor(session.gateway["control"].pid, processor)
    ctl = [os.path.join(session.gateway.bin, "sallyctl"), "--run-dir", session.gateway.run_dir]
    for number in range(rounds + 1):  # the first makes segments and listeners, the others change one conduit
        path = os.path.join(session.work_dir, f"plant-{number}.yaml")
        with open(path, "w", encoding="utf-8") as stream:
            subprocess.run([bench, "--text", plant, "--variant", str(number)], stdout=stream, check=True)
        check = milliseconds([*ctl, "config", "check", path], processor)
        asker = Asker(os.path.join(session.gateway.run_dir, "control/socket"))
        asker.start()
        apply = milliseconds([*ctl, "config", "apply", "--yes", path], processor)
        longest = asker.close()
        session.gateway.wait_in_force()
        if number == 0:
            out["first_apply_ms"] = apply
            continue
        for key, value in (("check_ms", check), ("apply_ms", apply), ("commit_ms", check + apply), ("longest_answer_ms", longest)):
            out[key].append(value)
    return out


def inside(build, bench, plant, rounds, results, work_dir, outer_pid):
    session = Session(build, work_dir, outer_pid)
    try:
        session.start()
        out = measure(session, bench, plant, rounds)
        status = 0
    except (RuntimeError, OSError, subprocess.SubprocessError, wait.TimedOut) as error:
        out, status = {"problem": f"{type(error).__name__}: {error}"}, 1
        print(out["problem"], file=sys.stderr)
    finally:
        session.close()
    with open(results, "w", encoding="utf-8") as stream:
        json.dump(out, stream)
    return status


def main():
    build, bench, plant, rounds, results = sys.argv[1:6]
    work_dir = tempfile.mkdtemp(prefix="sallyport-bench-")
    os.chmod(work_dir, 0o755)
    status = container.run(lambda outer_pid: inside(build, bench, plant, int(rounds), results, work_dir, outer_pid))
    if status == 0:
        shutil.rmtree(work_dir, ignore_errors=True)
    else:
        print(f"logs are in {work_dir}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
