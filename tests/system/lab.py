#!/usr/bin/python3
"""The lab. usage: lab.py [--json FILE] [--keep] [--only PATTERN[,PATTERN]] [--workers N] [--list]

Starts the gateway between network namespaces that stand for hosts, runs real programs through it, prints one line per check
(what was expected, what was seen), exits 0 only if all hold, and cleans up, also after Ctrl-C and after a failure.
"""
import argparse
import os
import shutil
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lab import checks, container, scenarios  # noqa: E402
from lab.session import Session  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE", help="write the outcomes for machines")
    parser.add_argument("--keep", action="store_true", help="leave it running afterwards and say how to explore")
    parser.add_argument("--only", metavar="PATTERN", help="checks whose name matches (shell pattern, comma-separated)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="packet threads of the gateway's dataplane")
    parser.add_argument("--list", action="store_true", help="print the checks and what they expect, run nothing")
    parser.add_argument("--build", default=os.environ.get("SALLYPORT_BUILD", os.path.join(ROOT, "build/dev")),
                        help="the build tree to take the programs from")
    return parser.parse_args()


def inside(args, work_dir, outer_pid):
    """The lab, in its own process and mount namespace. Cleaning up is itself a check."""
    report = checks.Report(colour=sys.stdout.isatty())
    session = Session(args.build, work_dir, outer_pid, args.workers)
    status = 1
    try:
        session.start()
        for item in checks.declared(args.only):
            report.run(item, session)
        if args.keep:
            session.explore()
        status = 0
    except KeyboardInterrupt:
        print("stopped; cleaning up", flush=True)
        status = 130
    finally:
        left = session.close()
        report.add("lab-leaves-nothing", "no namespace, TAP, mount or process of the lab's is left",
                   ", ".join(left) or "nothing left", not left)
        if args.json:
            report.write_json(args.json, " ".join(["./dev lab", *sys.argv[1:]]), ROOT)
    failed = report.failed()
    print(f"{len(report.outcomes) - len(failed)} of {len(report.outcomes)} checks hold", flush=True)
    for outcome in failed:
        print(f"  FAIL {outcome.name}: {outcome.seen}")
    return status or (1 if failed else 0)


def main():
    args = arguments()
    scenarios.load()
    if args.list:
        for item in checks.declared(args.only):
            print(f"{item.name}: {item.expected}")
        return 0
    if os.geteuid() != 0:
        sys.exit("the lab must run as root: it makes network namespaces")
    if args.json:
        args.json = os.path.abspath(args.json)
    before = container.outside_state()
    work_dir = tempfile.mkdtemp(prefix="sallyport-lab-")
    os.chmod(work_dir, 0o755)  # the daemons' users pass through to their own folders below
    started = time.monotonic()
    status = container.run(lambda outer_pid: inside(args, work_dir, outer_pid))
    leaked = container.leaked(before, work_dir)
    if leaked:
        print(f"FAIL left behind in the machine: {', '.join(leaked)}")
        status = status or 1
    if status == 0:
        shutil.rmtree(work_dir, ignore_errors=True)
    else:
        print(f"logs and captures are in {work_dir}")
    print(f"{time.monotonic() - started:.0f} s")
    return status


if __name__ == "__main__":
    sys.exit(main())
