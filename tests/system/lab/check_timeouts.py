"""How long a flow may be silent: what its conduit says, between real hosts, beside one whose conduit says nothing."""
import socket

from . import variants, wait
from .checks import check

SHORT, USUAL = 9100, 9101  # the service's port, for TCP and UDP alike

SAID = {SHORT: {"tcp": "established: 10s, transitory: 10s", "udp": "udp: 5s"}}
LONGER = {**SAID, USUAL: {"tcp": "established: 3h", "udp": "udp: 10m"}}


def conduits(said):
    """From the meter to the PLC: TCP and UDP at both ports, with what is said of them."""
    out = ""
    for name, port in (("short", SHORT), ("usual", USUAL)):
        for protocol in ("tcp", "udp"):
            out += variants.direct(f"{name}-{protocol}", "meter", "plc", f"{protocol}/{port}")
            if port in said:
                out += f"    timeouts: {{ {said[port][protocol]} }}\n"
    return out


def flows(lab, version):
    """{conduit: seconds until its flow ends} of the meter's that are open."""
    client = lab.host("meter").addresses[version]
    return {flow["rule"]: flow["ends_in_s"] for flow in lab.gateway.read("show", "flows", "client_device=meter")["flows"]
            if flow["client"] == client and flow["rule"].startswith(("short-", "usual-"))}


class Talk:
    """One connection and one UDP exchange from the meter to the PLC at a port; both stay as they are, silent."""

    def __init__(self, lab, version, port):
        meter, plc = lab.host("meter"), lab.host("plc")
        family = socket.AF_INET6 if version else socket.AF_INET
        target = (plc.addresses[version], port)
        self._made = []
        listener = self._keep(plc.namespace.inside(lambda: socket.create_server(("", port), family=family, dualstack_ipv6=False)))
        server = self._keep(plc.namespace.inside(lambda: socket.socket(family, socket.SOCK_DGRAM)))
        server.bind(target)
        self.tcp = self._keep(meter.namespace.inside(lambda: socket.socket(family, socket.SOCK_STREAM)))
        self.tcp.connect(target)
        self.peer = self._keep(listener.accept()[0])
        self.udp = self._keep(meter.namespace.inside(lambda: socket.socket(family, socket.SOCK_DGRAM)))
        self.udp.settimeout(2)
        self.udp.sendto(b"ask", target)
        _, back_to = server.recvfrom(16)
        server.sendto(b"answer", back_to)
        self.udp.recv(16)

    def _keep(self, one):
        one.settimeout(5)
        self._made.append(one)
        return one

    def carries(self):
        """Does the connection still carry a byte within two seconds?"""
        try:
            self.tcp.send(b"x")
            self.peer.settimeout(2)
            return self.peer.recv(1) == b"x"
        except OSError:
            return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in self._made:
            one.close()


@check("timeouts-by-conduit", "in both IP versions a conduit's UDP flow and its open connection end after the 5 and 10 s of silence that its `timeouts:` say, and what the "
       "connection sends then is dropped; those of conduits without stay, and may be silent for longer when a later revision says so")
def timeouts_by_conduit(lab):
    seen = []
    for version in (0, 1):
        lab.policy(conduits(SAID))
        with Talk(lab, version, SHORT) as short, Talk(lab, version, USUAL) as usual:
            began = flows(lab, version)
            bounded = began.keys() == {"short-tcp", "short-udp", "usual-tcp", "usual-udp"} and began["short-tcp"] <= 10 \
                and began["short-udp"] <= 5 and 7000 < began["usual-tcp"] <= 7440 and 250 < began["usual-udp"] <= 300
            ended = wait.holds(lambda version=version: flows(lab, version).keys() == {"usual-tcp", "usual-udp"}, 20)
            carried = (short.carries(), usual.carries())
            lab.policy(conduits(LONGER))
            longer = wait.holds(lambda version=version: all(flows(lab, version).get(rule, 0) > least
                                                            for rule, least in (("usual-tcp", 10_000), ("usual-udp", 500))), 5)
            seen.append((bounded, ended, carried == (False, True), longer and usual.carries()))
    return seen == [(True,) * 4] * 2, f"bounded, ended, cut off alone, longer by a later revision: {seen}"
