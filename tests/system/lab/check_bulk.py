"""Bulk through a terminated conduit: the host stacks' TAPs cut and merge on the way, and every byte arrives."""
import random
import socket
import ssl
import threading

from . import topology
from .checks import check

SIZE = 4 << 20  # each way
PLAIN, SECURE = 9100, 9443
# What so much data comes to in segments of a wire, were half of them single.
SEGMENTS = SIZE // 1500 // 2
CONDUIT = f"""  %s-records:
    from: %s
    to: {{ address: [{topology.BROKER[0]}, "{topology.BROKER[1]}"] }}
    service: tcp/{PLAIN}
    terminate: {{ side: outbound, server: {{ name: {topology.BROKER_NAME}, port: {SECURE} }}, server-ca: cloud-ca, certificate: gw-client }}
    review: {{ by: plant-security, on: 2026-11-01, expires: 2036-11-01, reason: "recordings" }}
"""


def counted(lab):
    counters = lab.gateway.read("show", "counters")
    return {name: counters["tap_" + name] for name in ("to_host", "to_host_merged", "to_host_supers", "to_host_failed", "from_host",
                                                       "from_host_cut", "from_host_supers", "from_host_dropped")}


def read_all(stream, size):
    out = bytearray()
    while len(out) < size and (data := stream.recv(1 << 16)):
        out += data
    return bytes(out)


class Archive:
    """The cloud's end: takes SIZE bytes over TLS from who shows the gateway's certificate, then gives as many of its own."""

    def __init__(self, lab, family, answer):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(lab.pki.certificate("broker"), lab.pki.key("broker"))
        self._context.load_verify_locations(lab.pki.certificate("cloud-ca"))
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._answer, self.taken, self.error = answer, b"", ""
        self._listener = lab.host("cloud").namespace.inside(lambda: socket.create_server(("", SECURE), family=family, dualstack_ipv6=family == socket.AF_INET6))
        self._listener.settimeout(60)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        try:
            plain = self._listener.accept()[0]
            plain.settimeout(60)
            with self._context.wrap_socket(plain, server_side=True) as secure:
                self.taken = read_all(secure, SIZE)
                secure.sendall(self._answer)
                secure.recv(1)  # until the other end has it all and closes
        except OSError as error:
            self.error = str(error)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._thread.join(60)
        self._listener.close()


def bulk_passes(lab, source, version):
    lab.policy(CONDUIT % (source, source))
    family = (socket.AF_INET, socket.AF_INET6)[version]
    there, back = random.randbytes(SIZE), random.randbytes(SIZE)
    before, given, error = counted(lab), b"", ""
    with Archive(lab, socket.AF_INET6, back) as archive:
        client = lab.host(source).namespace.inside(lambda: socket.socket(family, socket.SOCK_STREAM))
        with client:
            client.settimeout(60)
            try:
                client.connect((topology.BROKER[version], PLAIN))
                client.sendall(there)
                given = read_all(client, SIZE)
            except OSError as problem:
                error = str(problem)
    moved = {name: value - before[name] for name, value in counted(lab).items()}
    whole = archive.taken == there and given == back
    # Into two stacks and out of two, each way.
    merged = moved["to_host_merged"] > 2 * SEGMENTS and moved["to_host_merged"] > 2 * moved["to_host_supers"]
    cut = moved["from_host_cut"] > 2 * SEGMENTS and moved["from_host_cut"] > 2 * moved["from_host_supers"]
    return whole and merged and cut and moved["to_host_failed"] == moved["from_host_dropped"] == 0, \
        f"{'whole' if whole else f'{len(archive.taken)} bytes there, {len(given)} back {error} {archive.error}'}; of {moved['to_host']} packets {moved['to_host_merged']} " \
        f"merged into {moved['to_host_supers']}, of {moved['from_host']} {moved['from_host_cut']} cut out of {moved['from_host_supers']}"


@check("bulk-terminated", f"{SIZE >> 20} MiB each way between the camera and the cloud, plain and TLS, byte for byte; most segments reach the host stacks merged "
       "and leave them in frames of several")
def bulk_terminated(lab):
    return bulk_passes(lab, "camera", 0)


@check("bulk-terminated-ipv6", "the same over IPv6")
def bulk_terminated_ipv6(lab):
    return bulk_passes(lab, "camera", 1)


@check("bulk-terminated-af-xdp", "the same between the meter and the cloud: what the host stacks send leaves by an AF_XDP port, in every buffer that the pool has")
def bulk_terminated_af_xdp(lab):
    return bulk_passes(lab, "meter", 0)
