"""Traffic that runs while the gateway is changed or broken: what must go on, and what must never pass."""
import os
import re
import socket
import struct
import threading

from . import frames
from .sender import Pace, Sender

FORBIDDEN = b"FORBIDDEN-by-every-conduit"
PORTS = (22, 53, 80, 443, 502, 802, 1883, 8883, 40000, 40001)


def provocations(lab, name):
    """What a host may try on its wire as itself: questions of every kind that a stack answers, SYNs, datagrams, pings to everyone, both
    IP versions; and what a stack would reset."""
    host = lab.host(name)
    others = [other for other in lab.network.hosts.values() if other.name != name]
    packets = [frames.router_solicitation(host.mac), frames.listener_query(host.mac), frames.group_query(host.mac, host.v4),
               frames.neighbour_solicitation(host.mac, frames.link_local(host.mac), frames.link_local(host.gateway_mac))]
    for version in (0, 1):
        own = host.addresses[version]
        targets = [host.gateway[version]] + [other.addresses[version] for other in others]
        for target in targets:
            if version == 0:
                packets.append(frames.arp_request(host.mac, own, target))
            else:
                packets.append(frames.neighbour_solicitation(host.mac, own, target))
            packets.append(_to_gateway(host, frames.echo_packet(own, target), version))
            for port in PORTS:
                packets.append(_to_gateway(host, frames.ip(own, target, frames.TCP, frames.tcp(
                    own, target, 40000, port)), version))
                packets.append(_to_gateway(host, frames.ip(own, target, frames.UDP, frames.udp(
                    own, target, 40000, port, FORBIDDEN)), version))
            packets.append(_to_gateway(host, frames.ip(own, target, frames.TCP, frames.tcp(
                own, target, 40000, PORTS[0], frames.ACK)), version))
    return packets


def _to_gateway(host, packet, version):
    return frames.ethernet(host.gateway_mac, host.mac, frames.IPV6 if version else frames.IPV4, packet)


def provoke(lab, names=None):
    """Sends all provocations of all hosts once; returns how many frames."""
    count = 0
    for name in names or lab.network.hosts:
        with Sender(lab.host(name).namespace) as sender:
            for packet in provocations(lab, name):
                sender.send(packet)
                count += 1
    return count


class Pest:
    """Sends, without a pause, datagrams that no conduit allows and that are marked, from four wires. `crossed` says which of
    them any capture saw come out of the gateway."""

    def __init__(self, lab, per_second=400):
        self.lab, self.sent = lab, 0
        self._mark = lab.captures.mark()
        self._closing = threading.Event()
        self._per_second = per_second
        self._packets = {name: self._forbidden(name) for name in ("rogue", "camera", "scada", "cloud")}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _forbidden(self, name):
        host, packets = self.lab.host(name), []
        for other in self.lab.network.hosts.values():
            if other.name == name:
                continue
            for version in (0, 1):
                own, target = host.addresses[version], other.addresses[version]
                packets.append(_to_gateway(host, frames.ip(own, target, frames.UDP, frames.udp(
                    own, target, 40000, 9999, FORBIDDEN)), version))
                packets.append(_to_gateway(host, frames.ip(own, target, frames.TCP, frames.tcp(
                    own, target, 40000, 9998, payload=FORBIDDEN)), version))
        return packets

    def _run(self):
        senders = {name: Sender(self.lab.host(name).namespace) for name in self._packets}
        pace = Pace(self._per_second, burst=8)
        turn = 0
        while not self._closing.is_set():
            for name, packets in self._packets.items():
                senders[name].send(packets[turn % len(packets)])
                self.sent += 1
                pace.step()
            turn += 1
        for sender in senders.values():
            sender.close()

    def close(self):
        self._closing.set()
        self._thread.join()

    def crossed(self):
        return [(name, frame) for name, frame in self.lab.captures.since(self._mark) if FORBIDDEN in frame.data]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Stream:
    """Numbered datagrams from one host to another, both IP versions by choice; counts what arrives, in order."""

    def __init__(self, lab, source, destination, port, version=0, per_second=500):
        family = socket.AF_INET6 if version else socket.AF_INET
        sender, receiver = lab.host(source), lab.host(destination)
        self.sent, self.received, self.highest, self.late = 0, set(), -1, 0
        self._target = (receiver.addresses[version], port)

        def opened():
            made = socket.socket(family, socket.SOCK_DGRAM)
            made.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
            return made
        self._out, self._in = sender.namespace.inside(opened), receiver.namespace.inside(opened)
        self._in.bind((receiver.addresses[version], port))
        self._in.settimeout(0.1)
        self._per_second = per_second
        self._closing = threading.Event()
        self._threads = [threading.Thread(target=self._send, daemon=True), threading.Thread(target=self._receive, daemon=True)]
        for thread in self._threads:
            thread.start()

    def _send(self):
        pace = Pace(self._per_second, burst=4)
        while not self._closing.is_set():
            try:
                self._out.sendto(struct.pack("!Q", self.sent) + b"stream", self._target)
            except OSError:
                pass  # a host whose neighbour is unknown; the number counts as sent
            self.sent += 1
            pace.step()

    def _receive(self):
        while not self._closing.is_set():
            try:
                data = self._in.recv(2048)
            except OSError:
                continue
            number = struct.unpack("!Q", data[:8])[0]
            self.received.add(number)
            self.highest = max(self.highest, number)

    def missing(self, first, last):
        return [number for number in range(first, last) if number not in self.received]

    def close(self):
        self._closing.set()
        for thread in self._threads:
            thread.join()
        self._out.close()
        self._in.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Poller:
    """The libmodbus client reading one register again and again on one connection."""

    def __init__(self, lab, host, address, port, name, period_ms=10):
        programs = os.path.join(lab.build_dir, "lab")
        self.process = lab.start_program(name, host, [os.path.join(programs, "scada"), address, str(port), "poll", "7", str(period_ms)])

    def answers(self):
        return len(re.findall(r"^ok ", self.process.log(), re.MULTILINE))

    def lost(self):
        return [line for line in self.process.log().splitlines() if not line.startswith("ok ")]

    def running(self):
        return self.process.running()

    def close(self):
        self.process.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def direct_read(lab, source, target, port=502, address=0, count=3):
    """One libmodbus read; returns (exit status, what it printed)."""
    done = lab.host(source).namespace.run("timeout", "6", os.path.join(lab.build_dir, "lab/scada"), target, str(port), "read",
                                          str(address), str(count), check=False)
    return done.returncode, done.stdout.strip() or done.stderr.strip()
