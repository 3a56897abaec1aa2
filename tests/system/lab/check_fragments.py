"""Datagrams larger than a wire's MTU, between kernels that cut and reassemble them: they pass where a conduit says so, also while somebody floods.

Both hosts are on AF_XDP ports: before an af_packet port the kernel puts IPv4's fragments together itself (docs/design/0012)."""
import os
import socket
import threading

from . import frames, variants, wait
from .checks import check
from .sender import Sender

PORT, SIZE, COUNT = 9000, 5000, 50


def pair(lab, version):
    """The meter's socket and the station's, bound; both answer within a second or not at all."""
    family = socket.AF_INET6 if version else socket.AF_INET
    made = []
    for name, port in (("meter", 0), ("scada", PORT)):
        host = lab.host(name)
        one = host.namespace.inside(lambda: socket.socket(family, socket.SOCK_DGRAM))
        one.bind((host.addresses[version], port))
        one.settimeout(1)
        made.append(one)
    return made


def round_trip(meter, scada, target):
    """Did a datagram of SIZE random bytes come there and back as it was?"""
    data = os.urandom(SIZE)
    try:
        meter.sendto(data, target)
        there, back_to = scada.recvfrom(2 * SIZE)
        scada.sendto(there, back_to)
        return there == data and meter.recv(2 * SIZE) == data
    except OSError:
        return False


def first_fragments(host, target):
    """IPv6 frames that each begin a datagram which never ends."""
    part = frames.udp(host.v6, target, 5000, PORT, bytes(1016))[:512]
    for number in range(4096):
        extension = bytes([frames.UDP, 0, 0, 1]) + number.to_bytes(4, "big")
        yield frames.ethernet(host.gateway_mac, host.mac, frames.IPV6, frames.ip(host.v6, target, 44, extension + part))


def pass_during_flood(lab, name):
    """(round trips of COUNT by version, fragments made whole, waiting during the flood, {reason: drops}) while that host floods."""
    lab.policy(variants.direct("meter-streams-scada", "meter", "scada", f"udp/{PORT}"))
    scada, flooder, seen, ended = lab.host("scada"), lab.host(name), [], threading.Event()
    before = lab.gateway.read("show", "counters")

    def flood():
        packets = list(first_fragments(flooder, scada.v6))
        with Sender(flooder.namespace) as sender:
            while not ended.is_set():
                sender.send(*packets)

    limited = before["drops"]["fragment-device-limit"]
    thread = threading.Thread(target=flood)
    thread.start()
    try:
        wait.until(lambda: lab.gateway.read("show", "counters")["drops"]["fragment-device-limit"] > limited + 10_000, 20, "the flood is dropped")
        for version in (0, 1):
            meter, server = pair(lab, version)
            with meter, server:
                target = (scada.addresses[version], PORT)
                wait.holds(lambda: round_trip(meter, server, target), 5)  # neighbours are known now
                seen.append(sum(round_trip(meter, server, target) for _ in range(COUNT)))
        held = lab.gateway.read("show", "counters")["held"]
    finally:
        ended.set()
        thread.join()
    wait.until(lambda: lab.gateway.read("show", "counters")["held"] == 0, 5, "the room is empty again")
    after = lab.gateway.read("show", "counters")
    dropped = {reason: count - before["drops"][reason] for reason, count in after["drops"].items() if count != before["drops"][reason]}
    return seen, after["consumed"] - before["consumed"], held, dropped


def passed(outcome):
    seen, made, held, dropped = outcome
    # Under a flood at the wire's rate a datagram may be lost where sockets are full, not more than that.
    return min(seen) >= COUNT * 0.9 and made >= 2 * 2 * 4 * COUNT * 0.9 and held <= 64 \
        and set(dropped) >= {"fragment-device-limit", "fragment-timeout"} and "fragment-table-full" not in dropped, \
        f"{seen} of {COUNT} came there and back; {made} fragments made whole; {held} waiting during the flood; dropped {dropped}"


@check("fragments-pass", f"{COUNT} datagrams of {SIZE} bytes go from the meter to the station and back in both IP versions, in pieces on the wires, while a host on the "
       "uplink floods with first fragments; those wait in bounded room and are dropped by name")
def fragments_pass(lab):
    return passed(pass_during_flood(lab, "cloud"))


@check("fragments-neighbour", "the same while the camera floods, the meter's neighbour in its own segment: it has a quarter of their room, and no datagram finds it full")
def fragments_neighbour(lab):
    return passed(pass_during_flood(lab, "camera"))
