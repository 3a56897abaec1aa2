"""A private process and mount namespace around the whole lab.

Everything that the lab starts lives inside, and the first process inside is the lab itself: when it ends, however it ends
(a failure, Ctrl-C, kill -9), the kernel ends the rest, and the namespaces, TAPs and mounts go with the last process. The
lab cleans up by itself all the same and checks that it did; this is the net below it.
"""
import os
import signal
import subprocess
import sys
import traceback

from . import linux

GATEWAY_PREFIX = "lab-"  # of the gateway's namespaces
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(body):
    """Runs body(outer_pid) inside; returns its exit status. `outer_pid` is how the outside names the inside."""
    read_end, write_end = os.pipe()
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    linux.unshare(linux.CLONE_NEWPID)
    child = os.fork()
    if child == 0:
        os.close(write_end)
        os._exit(_inside(body, read_end))
    linux.setns(own, linux.CLONE_NEWPID)  # later children are born outside again
    os.close(own)
    os.close(read_end)
    for number in FORWARDED:
        signal.signal(number, lambda signum, frame: os.kill(child, signum))
    os.write(write_end, str(child).encode())
    os.close(write_end)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def _stop(signum, frame):
    for number in FORWARDED:
        signal.signal(number, signal.SIG_IGN)  # the first one starts the cleaning up, which nothing interrupts
    raise KeyboardInterrupt


def _inside(body, read_end):
    for number in FORWARDED:
        signal.signal(number, _stop)
    try:
        os.setpgid(0, 0)  # a terminal's Ctrl-C reaches the parent, which forwards it once
        linux.die_with_parent(signal.SIGKILL)
        outer_pid = int(os.read(read_end, 32) or b"0")
        os.close(read_end)
        if outer_pid == 0:
            return 1
        linux.unshare(linux.CLONE_NEWNS)
        linux.mount("none", "/", None, linux.MS_REC | linux.MS_PRIVATE)
        linux.mount("proc", "/proc", "proc")
        _forget_foreign_namespaces()
        os.makedirs("/run/netns", exist_ok=True)
        linux.mount("lab", "/run/netns", "tmpfs")
        status = body(outer_pid)
    except KeyboardInterrupt:
        status = 130
    except Exception:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def _forget_foreign_namespaces():
    """Named namespaces that the machine had before are not the lab's: taken out of the lab's own mount namespace, so that what the
    lab finds at its end is what it left itself. Those hidden by another mount come to light as that one goes."""
    while True:
        with open("/proc/self/mounts", encoding="utf-8") as stream:
            points = [line.split()[1] for line in stream]
        points = [point for point in points if point == "/run/netns" or point.startswith("/run/netns/")]
        if not points:
            return
        linux.umount("/run/netns" if "/run/netns" in points else points[-1])


def outside_state():
    """What a leak would show in, of this machine and not of the lab's inside."""
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    return {
        "link": {line.split(":")[1].split("@")[0].strip() for line in links.splitlines()},
        "namespace": set(os.listdir("/run/netns")) if os.path.isdir("/run/netns") else set(),
    }


def leaked(before, work_dir):
    """What of this lab is left: links and namespaces that bear its names, mounts and processes that name its folder.
    Other labs may come and go on the same machine meanwhile, so a new name alone is no leak."""
    names = {"gw", "pci-plc", "pci-scada", "pci-lan1", "pci-off1", "plc", "meter", "camera", "rogue", "scada", "cloud", "lan1", "lan2", "lan3", "lan4", "off1", "wan"}
    found = []
    for kind, now in outside_state().items():
        found += [f"{kind} {name}" for name in sorted(now - before[kind])
                  if name in names or name.startswith(GATEWAY_PREFIX)]
    with open("/proc/mounts", encoding="utf-8") as stream:
        found += [f"mount {line.split()[1]}" for line in stream if work_dir in line]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as stream:
                words = stream.read().decode(errors="replace").split("\0")
        except OSError:
            continue
        if int(pid) != os.getpid() and any(work_dir in word for word in words):
            found.append(f"process {pid} {words[0]}")
    return found
