"""NAPT44 with real programs: who goes out over IPv4 leaves by the gateway's address, and only who was spoken to gets in by it."""
import contextlib
import errno
import hashlib
import random
import socket

from . import topology, variants, wait
from .checks import check
from .devices import connects

PORT, DATAGRAMS = 9010, 9011
SERVICES = ((6, PORT), (17, DATAGRAMS))  # IP protocols and ports of the direct conduits below
SIZE = 2 << 20
BASE = variants.base().replace("role: uplink,", "role: uplink, napt44: true,")
TO_BROKER = "{ address: [203.0.113.9, \"2001:db8:113::9\"] }"
CONDUITS = "".join(variants.direct(f"{name}-out-{number}", name, TO_BROKER, service)
                   for name in ("camera", "plc") for number, service in enumerate((f"tcp/{PORT}", f"udp/{DATAGRAMS}", "icmp-echo")))
OWN = topology.GATEWAY_ADDRESS["uplink"][0]


@contextlib.contextmanager
def conversation(lab, name, version):
    """(client, server, what the server sees of the client)."""
    family, broker = (socket.AF_INET6, topology.BROKER[1]) if version else (socket.AF_INET, topology.BROKER[0])
    with lab.host("cloud").namespace.inside(lambda: socket.create_server((broker, PORT), family=family)) as listener:
        listener.settimeout(10)
        with lab.host(name).namespace.inside(lambda: socket.create_connection((broker, PORT), 10)) as client:
            server, peer = listener.accept()
            with server:
                server.settimeout(10)
                yield client, server, peer


def echoed(client, server):
    """SIZE bytes there and back, unharmed?"""
    data = random.randbytes(SIZE)
    received = bytearray()
    client.settimeout(10)
    for start in range(0, SIZE, 1 << 16):
        client.sendall(data[start:start + (1 << 16)])
        part = bytearray()
        while len(part) < 1 << 16:
            part += server.recv(1 << 16)
        server.sendall(part)
        while len(received) < start + (1 << 16):
            received += client.recv(1 << 16)
    return hashlib.sha256(data).digest() == hashlib.sha256(received).digest()


def refused(lab, name):
    """The error that a datagram to a closed port of the cloud earns its sender."""
    def ask():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.settimeout(10)
            one.connect((topology.BROKER[0], DATAGRAMS))
            one.send(b"anybody there?")
            try:
                one.recv(100)
            except OSError as error:
                return error.errno
        return 0
    return lab.host(name).namespace.inside(ask)


def inside_addresses_outside(lab, mark):
    """IPv4 frames on the cloud's wire that show an inside address."""
    return [frame for _, frame in lab.captures.since(mark, "cloud")
            for parsed in [frame.parsed()] if parsed.source and str(parsed.source).startswith(("10.20.", "10.30."))]


@check("napt44", f"with `napt44: true` two devices' TCP ({SIZE >> 20} MiB there and back), pings and ICMP errors go through the gateway's one IPv4 address "
       "and ports of its range; no inside address shows on the uplink")
def napt44(lab):
    lab.policy(CONDUITS, base=BASE)
    mark = lab.captures.mark()
    with conversation(lab, "camera", 0) as (client, server, peer):
        whole = echoed(client, server)
        local = client.getsockname()[1]
        flow = lab.gateway.read("show", "flows", "rule=camera-out-0")["flows"][0]
        told = lab.gateway.read("explain", "--in", "field", f"{lab.host('camera').v4}:{local}", f"{topology.BROKER[0]}:{PORT}", "tcp", "A")
    with conversation(lab, "plc", 0) as (client, server, other):
        pass
    pings = [lab.host(name).namespace.run("ping", "-c", "3", "-i", "0.2", "-W", "5", topology.BROKER[0], check=False).returncode
             for name in ("camera", "plc")]
    error = refused(lab, "camera")
    shown = inside_addresses_outside(lab, mark)
    seen = peer[0] == other[0] == OWN and 10240 <= peer[1] <= 32767 and peer[1] != other[1]
    agrees = (flow["leaves_as"], flow["leaves_as_port"]) == peer[:2] and f"source becomes {OWN}:{peer[1]}" in str(told)
    return whole and seen and agrees and pings == [0, 0] and error == errno.ECONNREFUSED and not shown, \
        f"seen as {peer[0]}:{peer[1]} and {other[0]}:{other[1]}, data {'whole' if whole else 'broken'}; pings {pings}; a closed port: " \
        f"{errno.errorcode.get(error, error)}; {len(shown)} frames with inside addresses; flows and explain {'agree' if agrees else 'differ'}"


@check("napt44-filters", "nobody but who was spoken to gets in by a mapped port: neither another port of the same host, nor a device by way of the "
       "gateway's outside address; and IPv6 is routed as it is")
def napt44_filters(lab):
    lab.policy(CONDUITS, base=BASE)
    with conversation(lab, "camera", 0) as (client, server, peer):
        target = (OWN, peer[1])
        outside = lab.host("cloud").namespace.inside(lambda: connects([target], 2))[target]
        inside = {name: lab.host(name).namespace.inside(lambda: connects([target], 2))[target] for name in ("plc", "meter", "scada")}
        client.sendall(b"still here")
        goes_on = server.recv(100) == b"still here"
    with conversation(lab, "camera", 1) as (_, _, peer6):
        routed = peer6[0] == lab.host("camera").v6
    drops = wait.holds(lambda: lab.gateway.read("show", "drops", f"destination={OWN}")["drops"], 5)
    return outside == "silent" and set(inside.values()) == {"silent"} and goes_on and routed and drops, \
        f"from outside {outside}, from inside {inside}; the conversation {'goes on' if goes_on else 'broke'}; IPv6 seen as {peer6[0]}"
