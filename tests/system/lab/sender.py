"""Raw frames put on a host's wire, at a bounded rate."""
import errno
import socket
import time

from . import wait


class Sender:
    def __init__(self, namespace, interface="eth0"):
        def opened():
            raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            raw.bind((interface, 0))
            return raw
        self._socket = namespace.inside(opened)

    def send(self, *packets):
        """A wire whose other end takes nothing (a killed dataplane's) loses the frame, as copper does."""
        for packet in packets:
            try:
                self._socket.send(packet)
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise

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
