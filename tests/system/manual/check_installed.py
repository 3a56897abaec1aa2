#!/usr/bin/env python3
"""usage: check_installed.py BUILD   `cmake --install` puts every manual page, the completion and the programs where they are looked for."""
import os
import pathlib
import subprocess
import sys
import tempfile

DAEMONS = ("control", "dataplane", "exporter", "setup", "terminator")
EXPECTED = (["bin/sallyctl", "share/man/man1/sallyctl.1", "share/bash-completion/completions/sallyctl", "lib/sysusers.d/sallyport.conf",
             "lib/tmpfiles.d/sallyport.conf", "lib/udev/rules.d/60-sallyport.rules",
             "lib/systemd/system/sallyport-db.service", "lib/sallyport/xdp_default_drop.o",
             "share/sallyport/grafana/sallyport.json"]
            + [f"sbin/sallyport-{name}" for name in DAEMONS] + [f"share/man/man8/sallyport-{name}.8" for name in DAEMONS]
            + [f"lib/systemd/system/sallyport-{name}.service" for name in DAEMONS])


def main(build):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["cmake", "--install", build, "--prefix", folder], check=True, capture_output=True)
        found = {str(path.relative_to(folder)) for path in pathlib.Path(folder).rglob("*") if path.is_file()}
        problems = sorted(set(EXPECTED) - found)
        problems += [path for path in found if path.startswith(("bin/", "sbin/")) and not os.access(os.path.join(folder, path), os.X_OK)]
    print("\n".join(f"missing: {path}" for path in problems) or f"{len(found)} files")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
