"""Sequence windows with real TCP: a large transfer over a lossy path, strangers who guess, and a client that forgot its connection."""
import hashlib
import os
import random
import socket
import threading

from . import frames, variants, wait
from .checks import check
from .sender import Pace, Sender

PORT = 9002
SIZE = 8 << 20  # and more, until FORGED segments were sent meanwhile
FORGED = 200
LOSS_PERCENT = 2
CONDUIT = variants.direct("meter-sends-plc", "meter", "plc", f"tcp/{PORT}")


class Lossy:
    """A host that does not hear so many of a hundred TCP segments."""

    def __init__(self, host):
        self._namespace = host.namespace
        self._namespace.run("nft", "add table inet lossy; add chain inet lossy in { type filter hook input priority 0; }; "
                            f"add rule inet lossy in meta l4proto tcp numgen random mod 100 < {LOSS_PERCENT} counter drop")

    def lost(self):
        return int(self._namespace.run("nft", "list", "table", "inet", "lossy").stdout.split("counter packets ")[1].split()[0])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._namespace.run("nft", "delete", "table", "inet", "lossy")


class Transfer:
    """SIZE bytes and more, until `enough` is set, from the meter to the PLC on one connection; what arrived is hashed."""

    def __init__(self, lab, version):
        family = socket.AF_INET6 if version else socket.AF_INET
        self._meter, self._plc = lab.host("meter"), lab.host("plc")
        self._data = random.randbytes(1 << 20)
        self.sent, self.received, self.error = hashlib.sha256(), hashlib.sha256(), ""
        self.arrived, self.given = 0, 0
        self.enough = threading.Event()
        self._listener = self._plc.namespace.inside(lambda: socket.create_server(
            ("", PORT), family=family, dualstack_ipv6=False))
        self._client = self._meter.namespace.inside(lambda: socket.socket(family, socket.SOCK_STREAM))
        for one in (self._listener, self._client):
            one.settimeout(90)
        self._client.connect((self._plc.addresses[version], PORT))
        self._server = self._listener.accept()[0]
        self._server.settimeout(90)
        self.client_port = self._client.getsockname()[1]
        self._threads = [threading.Thread(target=self._guarded, args=(part,), daemon=True) for part in (self._send, self._receive)]
        for thread in self._threads:
            thread.start()

    def _guarded(self, part):
        try:
            part()
        except OSError as error:
            self.error = f"{part.__name__}: {error}"

    def _send(self):
        while self.given < SIZE or not self.enough.is_set():
            self._client.sendall(self._data)
            self.sent.update(self._data)
            self.given += len(self._data)
        self._client.shutdown(socket.SHUT_WR)

    def _receive(self):
        while data := self._server.recv(1 << 16):
            self.received.update(data)
            self.arrived += len(data)

    def running(self):
        return any(thread.is_alive() for thread in self._threads)

    def whole(self):
        return not self.error and self.arrived == self.given and self.sent.digest() == self.received.digest()

    def close(self):
        self.enough.set()
        for one in (self._client, self._server, self._listener):
            one.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def segment(source, target, version, ports, flags, sequence, payload=b""):
    own, other = source.addresses[version], target.addresses[version]
    return frames.ethernet(source.gateway_mac, source.mac, frames.IPV6 if version else frames.IPV4, frames.ip(
        own, other, frames.TCP, frames.tcp(own, other, *ports, flags, sequence, payload)))


def dropped(lab):
    return lab.gateway.read("show", "counters")["drops"]["bad-tcp-window"]


def transfer_among_strangers(lab, version):
    lab.policy(CONDUIT)
    meter, plc = lab.host("meter"), lab.host("plc")
    sent, before = 0, dropped(lab)
    with Lossy(meter) as meter_loss, Lossy(plc) as plc_loss, Transfer(lab, version) as transfer:
        ports = (PORT, transfer.client_port)
        pace = Pace(2000, burst=8)
        # The PLC's own wire, address and port: all that a stranger could have but the numbers. One in some thousands may lie
        # within the window, and is then its receiver's to refuse.
        with Sender(plc.namespace) as sender:
            while transfer.running():
                flags, payload = random.choice(((frames.RST, b""), (frames.ACK, b"FORGED")))
                sender.send(segment(plc, meter, version, ports, flags, random.getrandbits(32), payload))
                sent += 1
                if sent >= FORGED:
                    transfer.enough.set()
                pace.step()
        lost = meter_loss.lost() + plc_loss.lost()
        whole, error = transfer.whole(), transfer.error
    refused = dropped(lab) - before
    records = lab.gateway.read("show", "drops", "reason=bad-tcp-window", "device=plc")["drops"]
    return whole and lost > 50 and sent >= FORGED and refused > sent * 0.99 and bool(records), \
        f"{transfer.given >> 20} MiB {'whole' if whole else 'broken: ' + error}, {lost} segments lost on the way; {refused} of {sent} forged ones refused"


@check("tcp-windows", f"{SIZE >> 20} MiB with {LOSS_PERCENT} % loss pass a direct conduit whole, while resets and data with guessed numbers are bad-tcp-window")
def tcp_windows(lab):
    return transfer_among_strangers(lab, 0)


@check("tcp-windows-ipv6", "the same over IPv6")
def tcp_windows_ipv6(lab):
    return transfer_among_strangers(lab, 1)


@check("tcp-reset-challenged", "a forged reset within the window reaches its receiver, who challenges it; the connection goes on, in the gateway, too")
def tcp_reset_challenged(lab):
    lab.policy(CONDUIT)
    meter, plc = lab.host("meter"), lab.host("plc")
    listener = plc.namespace.inside(lambda: socket.create_server(("", PORT)))
    client = meter.namespace.inside(lambda: socket.create_connection((str(plc.v4), PORT), 10))
    server = listener.accept()[0]
    with listener, client, server:
        client_port = client.getsockname()[1]
        ends = ["--in", "field", f"{plc.v4}:{PORT}", f"{meter.v4}:{client_port}", "tcp"]
        told = lab.gateway.read("explain", *ends, "A")
        detail = next(step["detail"] for step in told["steps"] if step["stage"] == "flow")
        following = int(detail.split("sequence ")[1].split()[0])
        mark = lab.captures.mark()
        judged = [lab.gateway.read("explain", *ends, "R", "--sequence", str(number % (1 << 32)))
                  for number in (following + 1000, following + (1 << 30))]
        with Sender(plc.namespace) as sender:
            sender.send(segment(plc, meter, 0, (PORT, client_port), frames.RST, (following + 1000) % (1 << 32)))
        challenged = wait.holds(lambda: any(parsed.flags == frames.ACK and parsed.source_port == client_port
                                            for name, frame in lab.captures.since(mark) if name == "plc"
                                            for parsed in [frame.parsed()] if parsed.protocol == frames.TCP), 5)
        client.sendall(b"still here")
        server.settimeout(10)
        heard = server.recv(100) == b"still here"
        # Others may have had the same port a while ago.
        state = [flow["state"] for flow in lab.gateway.read("show", "flows", f"client_port={client_port}")["flows"]
                 if (flow["client"], flow["server"], flow["server_port"]) == (str(meter.v4), str(plc.v4), PORT)]
    return challenged and heard and state == ["established"] and judged[0]["decision"] == "allow" and judged[1]["reason"] == "bad-tcp-window", \
        f"challenge {'seen' if challenged else 'missing'}, then data {'arrived' if heard else 'lost'}, flow {' and '.join(state) or 'unknown'}; a reset 2^30 ahead: {judged[1]['reason']}"
