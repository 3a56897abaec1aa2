"""The walls around each process, as the kernel shows them while the gateway runs (what they refuse is tried in the unit tests)."""
import os
import pwd

from .checks import check

# Capabilities that may be there, by process: setup makes namespaces and links, the others have none.
KEPT = {"setup": (1 << 21) | (1 << 12), "dataplane": 0, "terminator": 0, "control": 0}  # CAP_SYS_ADMIN, CAP_NET_ADMIN
USERS = {"setup": "root", "dataplane": "sallyport-dataplane", "terminator": "sallyport-terminator", "control": "sallyport-control",
         "exporter": "sallyport-exporter"}
INTERNET = ("tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "raw", "raw6", "icmp", "icmp6")


def status_of(path):
    with open(f"{path}/status", encoding="ascii", errors="replace") as stream:
        return dict(line.rstrip("\n").split(":\t", 1) for line in stream if ":\t" in line)


def problems_of(name, pid):
    """What is missing of a process's walls, for each of its threads."""
    found = []
    uid = str(pwd.getpwnam(USERS[name]).pw_uid)
    for thread in os.listdir(f"/proc/{pid}/task"):
        shown = status_of(f"/proc/{pid}/task/{thread}")
        what = f"{name} {shown['Name']}"
        if set(shown["Uid"].split()) != {uid}:
            found.append(f"{what}: user {shown['Uid']}")
        for field in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            if int(shown[field], 16) & ~KEPT.get(name, 0):
                found.append(f"{what}: {field} {shown[field]}")
        if shown["Seccomp"] != "2" or shown["NoNewPrivs"] != "1":
            found.append(f"{what}: seccomp {shown['Seccomp']}, no new privileges {shown['NoNewPrivs']}")
    # Files below /proc belong to root when a process may not be dumped, whoever its user is.
    if os.stat(f"/proc/{pid}/status").st_uid != 0:
        found.append(f"{name}: may be dumped")
    with open(f"/proc/{pid}/limits", encoding="ascii") as stream:
        core = next(line for line in stream if line.startswith("Max core file size"))
    if core.split()[4:6] != ["0", "0"]:
        found.append(f"{name}: {core.strip()}")
    return found


def internet_sockets(pid):
    """Inodes of AF_INET and AF_INET6 sockets that the process holds and that are in its own network namespace."""
    held = set()
    for descriptor in os.listdir(f"/proc/{pid}/fd"):
        target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
        if target.startswith("socket:["):
            held.add(target[8:-1])
    found = set()
    for table in INTERNET:
        try:
            with open(f"/proc/{pid}/net/{table}", encoding="ascii") as stream:
                found |= {line.split()[9] for line in stream.readlines()[1:]} & held
        except FileNotFoundError:
            pass
    return found


@check("processes-behind-walls", "each of the four processes, in every thread: its own user, no capability (setup: two), seccomp, no new "
       "privileges, no dumps; the dataplane and control hold no IPv4 or IPv6 socket, and the terminator none of its own namespace")
def behind_walls(lab):
    lab.policy()
    wrong, threads = [], 0
    for name in KEPT:
        pid = lab.gateway[name].pid
        wrong += problems_of(name, pid)
        threads += len(os.listdir(f"/proc/{pid}/task"))
        if name != "setup" and internet_sockets(pid):
            wrong.append(f"{name} holds sockets {internet_sockets(pid)}")
    return not wrong, wrong or f"{threads} threads of {len(KEPT)} processes"
