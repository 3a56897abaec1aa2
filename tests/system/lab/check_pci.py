"""Ports on PCI: the gateway in a guest whose NICs are virtio-net and e1000 behind an IOMMU (guest.py), its hosts outside."""
import os

from . import capture, frames, guest, traffic, wait
from .checks import check
from .devices import connects
from .process import Process
from .sender import Sender
from .variants import direct

CONFIG = """version: 1
ports:
  lan1: { device: "0000:00:03.0" }
  off1: { device: "0000:00:04.0" }
segments:
  field:  { ports: [lan1], address: [10.20.0.1/24, "fd00:20::1/64"], mac: "02:53:50:00:10:01" }
  office: { ports: [off1], address: [10.30.0.1/24, "fd00:30::1/64"], mac: "02:53:50:00:10:02" }
devices:
  plc:   { segment: field, port: lan1, mac: "02:00:00:00:20:05", address: [10.20.0.5, "fd00:20::5"] }
  scada: { segment: office, port: off1, mac: "02:00:00:00:30:10", address: [10.30.0.10, "fd00:30::10"] }
conduits:
""" + direct("scada-reads-plc", "scada", "plc", "modbus")
QUIET_SECONDS = 1.0


class Bench:
    """The guest, its PLC's program and a capture on each of its two wires; started by the first check that needs it."""

    def __init__(self, lab):
        self.build_dir, self.network = lab.build_dir, self
        self.guest = guest.Guest(lab.work_dir, lab.log_dir)
        self.hosts = self.guest.hosts
        self.captures = self.plc = self.failure = None
        self.started = False

    def start(self, lab):
        try:
            self.guest.boot(lab.build_dir, CONFIG)
            directory = os.path.join(lab.work_dir, "guest/captures")
            os.makedirs(directory)
            self.captures = capture.Captures(directory)
            for name, host in self.hosts.items():
                self.captures.add(name, host.namespace, "eth0")
            self.plc = Process("pci-plc", [os.path.join(lab.build_dir, "lab/plc"), "502"], lab.log_dir,
                               namespace=self.host("pci-plc").namespace).start()
            self.guest.start_gateway()
            self.started = True
        except Exception as error:
            self.failure = error
            raise

    def host(self, name):
        return self.hosts[name]

    def close(self):
        if self.captures:
            self.captures.close()
        if self.plc:
            self.plc.stop()
        self.guest.close()


def bench(lab):
    lab.bench = lab.bench or Bench(lab)
    if lab.bench.failure:
        raise RuntimeError(f"there is no guest: {lab.bench.failure}")
    if not lab.bench.started:
        lab.bench.start(lab)
    return lab.bench


def reads(at):
    return [traffic.direct_read(at, "pci-scada", address)[1] for address in at.host("pci-plc").addresses]


def carried(at, seconds=30):
    return wait.holds(lambda: reads(at) == ["1000 1001 1002"] * 2, seconds)


@check("pci-conduit", "virtio-net and e1000 on PCI, behind an IOMMU: libmodbus reads the PLC through them in both IP versions")
def conduit(lab):
    at = bench(lab)
    met = carried(at)
    return met, f"read {reads(at)}; counters {[(row['port'], row['rx_packets'], row['tx_packets']) for row in at.guest.read('show', 'counters')['ports']]}"


@check("pci-default-deny", "through PCI ports nothing else passes: no other port, not the other way, no other host; each is counted as default-deny or unknown-device")
def default_deny(lab):
    at = bench(lab)
    scada, plc = at.host("pci-scada"), at.host("pci-plc")
    before, mark = at.guest.read("show", "counters")["drops"], at.captures.mark()
    outcomes = dict(scada.namespace.inside(lambda: connects([(address, 503) for address in plc.addresses], 2)))
    outcomes |= plc.namespace.inside(lambda: connects([(address, 502) for address in scada.addresses], 2))
    with Sender(scada.namespace) as sender:
        for version, (own, target) in enumerate(zip(("10.30.0.66", "fd00:30::66"), plc.addresses)):
            packet = frames.ip(own, target, frames.TCP, frames.tcp(own, target, 40000, 502))
            sender.send(frames.ethernet(scada.gateway_mac, "02:00:00:00:30:66", frames.IPV6 if version else frames.IPV4, packet))
    after = {}

    def dropped():
        after.update(at.guest.read("show", "counters")["drops"])
        return after["default-deny"] - before["default-deny"] >= 4 and after["unknown-device"] - before["unknown-device"] >= 2
    met = wait.holds(dropped, 20)
    crossed = [(name, frame) for name, frame in at.captures.since(mark) if frame.parsed().protocol == frames.TCP]
    return met and set(outcomes.values()) == {"silent"} and not crossed, \
        f"{outcomes}; TCP that crossed: {capture.describe(crossed)}; dropped " \
        f"{ {reason: after.get(reason, 0) - before[reason] for reason in ('default-deny', 'unknown-device')} }"


@check("pci-link", "a wire that is pulled from a PCI port (QEMU's set_link) shows as a link that is down and as an event; plugged in again, the port is up and carries")
def link(lab):
    at = bench(lab)
    said = {}
    for name in at.guest.nics:
        events = lambda kind, name=name: sum(  # noqa: E731
            event["kind"] == kind and event["detail"].get("port") == name for event in at.guest.read("show", "events", "--limit", "1000"))
        before = events("link-down"), events("link-up")
        at.guest.monitor("set_link", name=name, up=False)
        try:
            down = wait.holds(lambda: not at.guest.port(name)["link_up"] and events("link-down") > before[0], 20)  # noqa: B023
        finally:
            at.guest.monitor("set_link", name=name, up=True)
        up = wait.holds(lambda: at.guest.port(name)["link_up"] and events("link-up") > before[1], 20)  # noqa: B023
        said[name] = (down, up)
    met = carried(at)
    return met and all(all(one) for one in said.values()), f"down and up told: {said}; read afterwards: {reads(at)}"


@check("pci-giant", "a frame longer than an Ethernet frame passes neither PCI port: behind virtio it is counted as giant; e1000 itself refuses it, of which DPDK's driver tells nothing")
def giant(lab):
    at = bench(lab)
    seen = {}
    for name, nic in at.guest.nics.items():
        host, mark = nic.host, at.captures.mark()
        giants = lambda: at.guest.read("show", "counters")["drops"]["giant"]  # noqa: E731
        before, received = giants(), at.guest.port(name)["rx_packets"]
        own, target = host.v4, next(other.v4 for other in at.hosts.values() if other is not host)
        with Sender(host.namespace) as sender:
            packet = frames.ip(own, target, frames.UDP, frames.udp(own, target, 40000, 502, bytes(1700)))
            sender.send(frames.ethernet(host.gateway_mac, host.mac, frames.IPV4, packet))
            # What comes after it shows that the port had it before.
            sender.send(frames.arp_request(host.mac, host.v4, host.gateway[0]))
        wait.holds(lambda: at.guest.port(name)["rx_packets"] > received, 20)  # noqa: B023
        seen[name] = giants() - before, capture.describe([item for item in at.captures.since(mark) if len(item[1].data) > 1600])
    return seen == {"lan1": (1, "nothing"), "off1": (0, "nothing")}, f"giants counted and what passed, by port: {seen}"


@check("pci-statistics", "a PCI port's columns are complete: packets and bytes both ways agree with the wire's own count, and missed frames, errors and missing buffers are told")
def statistics(lab):
    at = bench(lab)
    columns = {"rx_missed", "rx_errors", "rx_no_buffer", "tx_errors", "tx_full"}
    before = {name: at.guest.port(name) for name in at.guest.nics}
    mark = at.captures.mark()
    met = carried(at)
    seen = {}
    for name, nic in at.guest.nics.items():
        def agree(name=name, nic=nic):
            now = at.guest.port(name)
            out = at.captures.since(mark, wire=nic.host.name)
            seen[name] = {key: now[key] - before[name][key] for key in ("tx_packets", "tx_bytes", "rx_packets", *sorted(columns))}
            return (seen[name]["tx_packets"], seen[name]["tx_bytes"]) == (len(out), sum(len(frame.data) for _, frame in out)) and seen[name]["rx_packets"] > 0
        met = wait.holds(agree, 20) and met
    return met and not any(row[key] for row in seen.values() for key in columns), f"{seen}"


@check("pci-dark-killed", "with the guest's dataplane killed by -9, links up, neither wire shows a frame of the gateway's; started again, it takes its NICs and carries")
def dark_killed(lab):
    at = bench(lab)
    at.guest.run("kill -9 $(cat /run/dataplane.pid)")
    wait.until(lambda: at.guest.run("kill -0 $(cat /run/dataplane.pid)", check=False)[0] != 0, 10, "the guest's dataplane is gone")
    mark = at.captures.mark()
    sent = traffic.provoke(at)
    wait.stays(lambda: not at.captures.since(mark), QUIET_SECONDS)
    found = at.captures.since(mark)
    at.guest.run("dataplane")
    at.guest.wait_in_force()
    met = carried(at)
    return not found and met and at.captures.lost() == 0, f"{capture.describe(found)} in answer to {sent} frames; read after the start: {reads(at)}"


def virtio_interrupts(at):
    """How often virtio's receive queue has interrupted since the dataplane took it, by the guest's kernel."""
    lines = at.guest.run("grep 'vfio-msix\\[1\\]' /proc/interrupts", check=False)[1].splitlines()
    return sum(int(word) for line in lines for word in line.split()[1:] if word.isdigit())


@check("pci-interrupts", "virtio's interrupts wake the worker; e1000's, which DPDK 22.11 takes for MSI-X that the NIC has not, do not come: that is noticed after a few "
       "frames, from then on ports are polled, said so, and everything passes")
def interrupts(lab):
    at = bench(lab)
    plc, scada = at.host("pci-plc"), at.host("pci-scada")

    def trusted():
        # One frame at a time, each into a sleeping worker.
        for host in (plc, scada):
            with Sender(host.namespace) as sender:
                sender.send(frames.arp_request(host.mac, host.v4, host.gateway[0]))
            wait.stays(lambda: True, 0.1)
        return at.guest.port("off1")["woken_by"] == "interrupt"
    noticed = wait.holds(lambda: not trusted(), 30)
    count = virtio_interrupts(at)
    woken_by = {name: at.guest.port(name)["woken_by"] for name in at.guest.nics}
    said = "ports are polled from now on" in at.guest.run("cat /log/dataplane")[1]
    met = carried(at)
    return noticed and count > 0 and woken_by == {"lan1": "interrupt", "off1": "polling"} and said and met, \
        f"{count} interrupts of virtio's; {woken_by}, the log says so: {said}; read afterwards: {reads(at)}"
