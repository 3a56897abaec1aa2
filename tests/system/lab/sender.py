"""Raw frames put on a host's wire, at a bounded rate."""
import ipaddress
import socket
import struct
import time

from . import frames, wait


class Sender:
    def __init__(self, namespace, interface="eth0"):
        def opened():
            raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            raw.bind((interface, 0))
            return raw
        self._socket = namespace.inside(opened)

    def send(self, *packets):
        for packet in packets:
            self._socket.send(packet)

    def close(self):
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Pace:
    """At most `per_second` steps in any longer stretch, in bursts of `burst`."""

    def __init__(self, per_second, burst=64):
        self._per_second, self._burst = per_second, burst
        self._started, self._steps = time.monotonic(), 0

    def step(self):
        self._steps += 1
        if self._steps % self._burst == 0:
            due = self._started + self._steps / self._per_second
            wait.holds(lambda: time.monotonic() >= due, 60)


def udp_to_every_port(sender, source_mac, gateway_mac, source, destination, source_port, per_second=30000):
    """One datagram to each of the 65,536 ports (port 0 too). Sums are patched, not computed afresh (RFC 1624)."""
    base = frames.ethernet(gateway_mac, source_mac, frames.kind_of(source),
                           frames.ip(source, destination, frames.UDP,
                                     frames.udp(source, destination, source_port, 0, b"sallyport-lab!!!")))
    at = 14 + (20 if ipaddress.ip_address(source).version == 4 else 40)
    zero_port_sum = struct.unpack("!H", base[at + 6:at + 8])[0]
    head, source_port_bytes, size, payload = base[:at], base[at:at + 2], base[at + 4:at + 6], base[at + 8:]
    pace = Pace(per_second)
    for port in range(65536):
        total = (~zero_port_sum & 0xFFFF) + port
        total = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF or 0xFFFF
        sender.send(head + source_port_bytes + struct.pack("!H", port) + size + struct.pack("!H", total) + payload)
        pace.step()
