"""A capture on every wire: what came out of the gateway (and what the host sent), in memory and as pcap files.

A frame is the gateway's when the host's end of the veth pair received it. The kernel's own count of frames that a capture
lost is kept, because "nothing came" means nothing if the capture was deaf.
"""
import dataclasses
import os
import selectors
import socket
import struct
import threading
import time

from . import frames

ETH_P_ALL = 3
SOL_PACKET = 263
PACKET_STATISTICS = 6
PACKET_IGNORE_OUTGOING = 23
PACKET_OUTGOING = 4
SO_RCVBUFFORCE = 33


@dataclasses.dataclass
class Frame:
    when: float
    from_gateway: bool
    data: bytes

    def parsed(self):
        return frames.parse(self.data)


class Wire:
    def __init__(self, name, namespace, interface, both_ways, path):
        self.name = name
        self.frames = []
        self.lost = 0
        self.socket = namespace.inside(lambda: self._open(interface, both_ways))
        self.file = open(path, "wb", buffering=1 << 16)
        self.file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1))  # pcap, nanoseconds

    @staticmethod
    def _open(interface, both_ways):
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        opened.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        if not both_ways:
            opened.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        opened.bind((interface, ETH_P_ALL))
        opened.setblocking(False)
        return opened

    def drain(self):
        while True:
            try:
                data, (_, _, kind, _, _) = self.socket.recvfrom(65535)
            except BlockingIOError:
                return
            except OSError:  # the interface went away
                return
            now = time.time()
            self.frames.append(Frame(now, kind != PACKET_OUTGOING, data))
            seconds, fraction = divmod(now, 1)
            self.file.write(struct.pack("<IIII", int(seconds), int(fraction * 1e9), len(data), len(data)) + data)

    def count_lost(self):
        _, dropped = struct.unpack("II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        self.lost += dropped
        return self.lost


class Captures:
    """All wires of the lab, read by one thread."""

    def __init__(self, directory):
        self.directory = directory
        self.wires = {}
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._closing = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def add(self, name, namespace, interface, both_ways=False):
        wire = Wire(name, namespace, interface, both_ways, os.path.join(self.directory, name + ".pcap"))
        with self._lock:
            self.wires[name] = wire
            self._selector.register(wire.socket, selectors.EVENT_READ, wire)
        return wire

    def _run(self):
        while not self._closing:
            for key, _ in self._selector.select(0.05):
                with self._lock:
                    key.data.drain()

    def mark(self):
        """A point in time to count from: {wire name: number of frames so far}."""
        with self._lock:
            for wire in self.wires.values():
                wire.drain()
            return {name: len(wire.frames) for name, wire in self.wires.items()}

    def since(self, mark, wire=None, from_gateway=True):
        """Frames captured after `mark`, of one wire or of all, as [(wire name, Frame)]."""
        self.mark()
        found = []
        for name, item in self.wires.items():
            if wire in (None, name):
                found += [(name, frame) for frame in item.frames[mark.get(name, 0):]
                          if from_gateway is None or frame.from_gateway == from_gateway]
        return found

    def lost(self):
        return sum(wire.count_lost() for wire in self.wires.values())

    def close(self):
        self._closing = True
        self._thread.join()
        for wire in self.wires.values():
            wire.socket.close()
            wire.file.close()


def describe(found, most=3):
    """[(wire, Frame)] as a line of text."""
    if not found:
        return "nothing"
    text = "; ".join(f"{name}: {frame.parsed()}" for name, frame in found[:most])
    return f"{len(found)} frames: {text}" + ("; ..." if len(found) > most else "")
