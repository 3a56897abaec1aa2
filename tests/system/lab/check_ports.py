"""What the gateway says of its ports: links that go and come back, frames that a device had no room for."""
import os
import re
import time

from . import stopped, topology, variants, wait
from .checks import check
from .devices import connects

PORT_KINDS = {"camera": "lan3", "meter": "lan2"}  # af_packet and AF_XDP


QUIET_SECONDS = 3.0
IDLE_PERCENT = 2.0
SLICE_US = 100


def workers_seconds(lab):
    """Processor time that each worker's thread has had."""
    pid = lab.gateway["dataplane"].pid

    def seconds(name):
        with open(f"/proc/{pid}/task/{stopped.thread_named(pid, name)}/schedstat", encoding="ascii") as stream:
            return int(stream.read().split()[0]) / 1e9
    return [seconds(f"worker{number or ''}") for number in range(lab.workers)]


def workers_slices(lab):
    """In microseconds, for how long each worker's thread runs at a time if somebody else waits; none where the kernel does not tell, or lets no thread choose (before 6.12)."""
    major, minor = re.match(r"(\d+)\.(\d+)", os.uname().release).groups()
    if (int(major), int(minor)) < (6, 12):
        return set()
    pid = lab.gateway["dataplane"].pid
    slices = set()
    for number in range(lab.workers):
        thread = stopped.thread_named(pid, f"worker{number or ''}")
        with open(f"/proc/{pid}/task/{thread}/sched", encoding="ascii") as stream:
            slices.update(int(line.split(":")[1]) // 1000 for line in stream if line.startswith("se.slice"))
    return slices


def port(lab, name):
    return next(row for row in lab.gateway.read("show", "counters")["ports"] if row["port"] == name)


def events(lab, kind, name):
    return [event for event in lab.gateway.read("show", "events", "--limit", "1000") if event["kind"] == kind and event["detail"].get("port") == name]


@check("port-link", "a wire that is pulled shows as a link that is down, as an event and in the counters; plugged in again, it is up and its device is reached, "
       "by af_packet and by AF_XDP")
def port_link(lab):
    lab.policy("".join(variants.direct(f"scada-sees-{name}", "scada", name, "tcp/9020") for name in PORT_KINDS))
    said, reached = {}, {}
    for name, wire in PORT_KINDS.items():
        host = lab.host(name)
        target = (host.v4, 9020)
        before = [len(events(lab, kind, wire)) for kind in ("link-down", "link-up")]
        host.namespace.ip("link", "set", "eth0", "down")
        try:
            down = wait.holds(lambda: not port(lab, wire)["link_up"] and len(events(lab, "link-down", wire)) > before[0], 10)
        finally:
            host.namespace.ip("link", "set", "eth0", "up")
            # What the kernel forgot with its link.
            host.namespace.ip("addr", "replace", f"{host.v6}/{topology.PREFIX_LENGTH[1]}", "dev", "eth0")
            for gateway in host.gateway:
                host.namespace.ip("route", "replace", "default", "via", gateway, "dev", "eth0")
        up = wait.holds(lambda: port(lab, wire)["link_up"] and len(events(lab, "link-up", wire)) > before[1], 10)
        said[wire] = (down, up)
        reached[wire] = wait.holds(lambda: lab.host("scada").namespace.inside(lambda: connects([target], 2))[target] == "refused", 20)
    return all(all(one) for one in said.values()) and all(reached.values()), \
        f"down and up told: {said}; devices reached afterwards: {reached}"


@check("port-idle", f"with six quiet ports, af_packet and AF_XDP, each worker takes at most {IDLE_PERCENT:.0f} % of a core: their sockets wake it, it does not poll; and it has a "
       "short slice, so that it runs when it is woken")
def port_idle(lab):
    lab.policy()
    woken_by = {row["port"]: row["woken_by"] for row in lab.gateway.read("show", "counters")["ports"]}
    percent = []

    def idle():
        before, start = workers_seconds(lab), time.monotonic()
        wait.stays(lambda: True, QUIET_SECONDS)
        passed = time.monotonic() - start
        percent[:] = [100 * (now - then) / passed for now, then in zip(workers_seconds(lab), before)]
        return max(percent) <= IDLE_PERCENT
    # What the checks before left running (neighbours asking, connections timing out) may have to end first.
    met = wait.holds(idle, 4 * QUIET_SECONDS)
    slices = workers_slices(lab)
    return met and set(woken_by.values()) == {"socket"} and slices <= {SLICE_US}, \
        f"{', '.join(f'{one:.2f}' for one in percent)} %; woken by {woken_by}; slices of {slices or 'no kernel that knows them'} us"
